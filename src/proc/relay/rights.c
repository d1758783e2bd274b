/* What relay may do: read and write its queue folder, make connections outward, make message bodies for the
 * accounts. No account, no key, no process. */
#include "proc/relay/relay.h"

const struct rights relay_rights = {
    .role = "relay",
    .calls = RIGHTS_CONNECT | RIGHTS_FILES | RIGHTS_BODIES,
    .folder = true,
    .fds_max = 8192, /* a body for each local message under way, and the connections */
    .memory_max_mb = 512,
};
