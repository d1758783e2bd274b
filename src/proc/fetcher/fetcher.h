/* fetcher: the process that gets an https URL from the outside for others, and does not know why it is asked.
 */
#ifndef POSTHORN_PROC_FETCHER_FETCHER_H
#define POSTHORN_PROC_FETCHER_FETCHER_H

#include "ipc/role.h"

extern const struct rights fetcher_rights;
extern const struct role_spec fetcher_spec;

#endif
