#include "ipc/house.h"

const char *role_name(enum role r)
{
    static const char *const names[] = {"none",    "supervisor", "edge",   "directory", "accounts",
                                        "account", "judge",      "relay",  "resolver",  "fetcher",
                                        "keys",    "journal",    "doctor", "reporter",  "nameserver"};
    static_assert(ARRAY_LEN(names) == ROLE__COUNT, "every role has a name");
    return names[(unsigned)r < ROLE__COUNT ? r : ROLE_NONE];
}

const char *service_name(enum service s)
{
    static const char *const names[] = {"smtp", "submission", "submissions", "imap", "imaps"};
    static_assert(ARRAY_LEN(names) == SERVICE__COUNT, "every service has a name");
    return (unsigned)s < SERVICE__COUNT ? names[s] : "none";
}
