/* What judge may do: read bodies it is handed, make one without Bcc, answer. No file, no network, no process.
 */
#include "proc/judge/judge.h"

const struct rights judge_rights = {
    .role = "judge",
    .calls = RIGHTS_BODIES,
    .folder = false,
    .fds_max = 4352, /* the body of each question that waits (x_judge: 4,096), and a channel for each edge */
    .memory_max_mb = 512,
};
