/* What edge may do: accept connections on sockets it was handed, read and write them, hold message bodies in
 * memory, talk on its channels. It opens no file, connects nowhere, starts nothing, and holds no key. */
#include "proc/edge/edge_role.h"

const struct rights edge_rights = {
    .role = "edge",
    .calls = RIGHTS_SERVE | RIGHTS_BODIES,
    .folder = false,
    .fds_max = 65536, /* a session takes two: the client and its account's process */
    .memory_max_mb = 2048,
};
