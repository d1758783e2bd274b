/* What accounts may do: talk on its channels, and make socket pairs that join edges with account processes.
 * It opens no file, connects nowhere, starts nothing: the mother of account processes does that. */
#include "proc/accounts/broker.h"

const struct rights accounts_rights = {
    .role = "accounts",
    .calls = RIGHTS_PAIRS,
    .folder = false,
    .fds_max = 65536, /* one for each account process, and bodies and sockets passing through */
    .memory_max_mb = 256,
};
