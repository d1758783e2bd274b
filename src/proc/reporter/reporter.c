#include "proc/reporter/reporter.h"

static enum err reporter_start(struct role_self *r, struct err_detail *detail)
{
    (void)r, (void)detail;
    return OK;
}

const struct role_spec reporter_spec = {
    .role = ROLE_REPORTER,
    .rights = &reporter_rights,
    .start = reporter_start,
};
