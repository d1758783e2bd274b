/* nameserver: the process that answers for the one zone that was delegated to us. */
#ifndef POSTHORN_PROC_NAMESERVER_NAMESERVER_H
#define POSTHORN_PROC_NAMESERVER_NAMESERVER_H

#include "ipc/role.h"

extern const struct rights nameserver_rights;
extern const struct role_spec nameserver_spec;

#endif
