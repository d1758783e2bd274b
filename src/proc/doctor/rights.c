/* What doctor may do: connect outward to look at us from there, make the messages it sends. No file, no
 * process. */
#include "proc/doctor/doctor.h"

const struct rights doctor_rights = {
    .role = "doctor",
    .calls = RIGHTS_CONNECT | RIGHTS_BODIES,
    .folder = false,
    .fds_max = 256,
    .memory_max_mb = 128,
};
