/* mother: the process the supervisor starts as role account. She holds the folder of all accounts and nothing
 * else; on the broker's word she forks a child, which locks itself into one account's folder before it does
 * anything (child.h). Children share her memory until they write to it, which is why an account's process is
 * small and quick to start; the price is that all children of one mother share one address-space layout.
 *
 * When she dies her children live on: their channel is to the broker. */
#ifndef POSTHORN_PROC_ACCOUNT_MOTHER_H
#define POSTHORN_PROC_ACCOUNT_MOTHER_H

#include "ipc/role.h"

extern const struct role_spec account_spec;
extern const struct rights account_mother_rights, account_child_rights;

#endif
