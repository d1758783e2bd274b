#include "proc/nameserver/nameserver.h"

static enum err nameserver_start(struct role_self *r, struct err_detail *detail)
{
    (void)r, (void)detail;
    return OK;
}

const struct role_spec nameserver_spec = {
    .role = ROLE_NAMESERVER,
    .rights = &nameserver_rights,
    .start = nameserver_start,
};
