/* edge_role: what main() runs. */
#ifndef POSTHORN_PROC_EDGE_EDGE_ROLE_H
#define POSTHORN_PROC_EDGE_EDGE_ROLE_H

#include "proc/edge/edge.h"

extern const struct rights edge_rights;
extern const struct role_spec edge_spec;

#endif
