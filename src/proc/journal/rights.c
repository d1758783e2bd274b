/* What journal may do: read from its channels, read and write journal.db in its folder, answer the directory.
 * No socket, no process. It is told things by every role, so it trusts none: events are bounded and checked.
 */
#include "proc/journal/journal.h"

const struct rights journal_rights = {
    .role = "journal",
    .calls = RIGHTS_FILES,
    .folder = true,
    .fds_max = 256, /* one channel for each edge and each other role, the database and its log */
    .memory_max_mb = 96,
};
