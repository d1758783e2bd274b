/* What fetcher may do: connect outward over TCP, make the memfd in which it hands over what it got, answer on
 * its channels. No file (the list of certificate authorities was opened before), no listening, no process. */
#include "proc/fetcher/fetcher.h"

const struct rights fetcher_rights = {
    .role = "fetcher",
    .calls = RIGHTS_CONNECT | RIGHTS_BODIES,
    .folder = false,
    .fds_max = 128,
    .memory_max_mb = 128,
};
