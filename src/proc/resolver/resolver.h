/* resolver: the role that asks the DNS for all others. It holds its cache and nothing else; who asks and why,
 * it does not learn. dns_ctx.h says where it asks and what it trusts. */
#ifndef POSTHORN_PROC_RESOLVER_RESOLVER_H
#define POSTHORN_PROC_RESOLVER_RESOLVER_H

#include "ipc/role.h"

extern const struct rights resolver_rights;
extern const struct role_spec resolver_spec;

#endif
