/* What reporter may do: read reports it is handed, make those we send. No file, no network, no process. */
#include "proc/reporter/reporter.h"

const struct rights reporter_rights = {
    .role = "reporter",
    .calls = RIGHTS_BODIES,
    .folder = false,
    .fds_max = 256,
    .memory_max_mb = 128,
};
