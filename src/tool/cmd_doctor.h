/* cmd_doctor: what posthorn doctor and its half without a server share. */
#ifndef POSTHORN_TOOL_CMD_DOCTOR_H
#define POSTHORN_TOOL_CMD_DOCTOR_H

#include "policy/doctor/finding.h"
#include "tool/call.h"

/* Looks from this machine without a server: of the configuration's host and the domains. before: an address,
 * for --before-install; NULL: what is set up is looked at. Adds rows to findings (a JSON array of finding
 * objects). False after having said why nothing could be looked at. */
bool doctor_here(const struct tool *t, const char *const *domains, size_t n, const char *before,
                 json_t *findings);
/* Adds one finding to the array. */
void doctor_add(json_t *findings, const struct finding *f);

#endif
