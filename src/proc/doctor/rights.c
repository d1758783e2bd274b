/* What doctor may do: connect outward to look at us from there, make the messages it sends, keep since when
 * something is wrong in its folder, ask the kernel about the clock. No process. */
#include "proc/doctor/doctor.h"

const struct rights doctor_rights = {
    .role = "doctor",
    .calls = RIGHTS_CONNECT | RIGHTS_BODIES | RIGHTS_FILES | RIGHTS_CLOCK,
    .folder = true,
    .fds_max = 256,
    .memory_max_mb = 192,
};
