/* What resolver may do: UDP and TCP sockets outward, compute, answer. No file, no process, no thread.
 * resolv.conf and the trust anchors were handed to it open and are read before it is locked in. */
#include "proc/resolver/resolver.h"

const struct rights resolver_rights = {
    .role = "resolver",
    .calls = RIGHTS_CONNECT,
    .folder = false,
    .fds_max = 2048, /* a socket for each question under way, and the channels */
    .memory_max_mb = 128,
};
