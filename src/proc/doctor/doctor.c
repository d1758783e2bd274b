#include "proc/doctor/doctor.h"

static enum err doctor_start(struct role_self *r, struct err_detail *detail)
{
    (void)r, (void)detail;
    return OK;
}

const struct role_spec doctor_spec = {
    .role = ROLE_DOCTOR,
    .rights = &doctor_rights,
    .start = doctor_start,
};
