/* reporter: the process that reads the reports others send us (DMARC, TLS), and writes those we owe. */
#ifndef POSTHORN_PROC_REPORTER_REPORTER_H
#define POSTHORN_PROC_REPORTER_REPORTER_H

#include "ipc/role.h"

extern const struct rights reporter_rights;
extern const struct role_spec reporter_spec;

#endif
