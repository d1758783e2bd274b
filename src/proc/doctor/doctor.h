/* doctor: the process that looks at this server as the outside does, keeps the DNS records and DKIM keys
 * rolling, and says in words what is wrong. */
#ifndef POSTHORN_PROC_DOCTOR_DOCTOR_H
#define POSTHORN_PROC_DOCTOR_DOCTOR_H

#include "ipc/role.h"

extern const struct rights doctor_rights;
extern const struct role_spec doctor_spec;

#endif
