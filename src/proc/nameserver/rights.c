/* What nameserver may do: answer questions on the sockets it was handed. No file, no connection outward, no
 * process. */
#include "proc/nameserver/nameserver.h"

const struct rights nameserver_rights = {
    .role = "nameserver",
    .calls = RIGHTS_SERVE,
    .folder = false,
    .fds_max = 256,
    .memory_max_mb = 256, /* two zones of the largest kind, while one takes the place of the other */
};
