/* What directory may do: read and write its own folder (directory.db), take connections on the control socket
 * it was handed. It makes no connection, starts nothing. */
#include "proc/directory/directory.h"

const struct rights directory_rights = {
    .role = "directory",
    .calls = RIGHTS_FILES | RIGHTS_SERVE,
    .folder = true,
    .fds_max = 256, /* a channel for each edge and role, the control socket and its callers, the database */
    .memory_max_mb = 256,
};
