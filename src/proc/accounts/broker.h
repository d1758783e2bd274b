/* broker: starts an account's process on a valid ticket, joins it to who asked, and retires it when idle. It
 * never reads mail: bodies and sessions pass through it as descriptors.
 *
 * An account's process (entry) is in one of these states:
 *   asking    directory is asked for its address and quota; requests wait
 *   running   requests are passed on at once
 *   retiring  told to finish; new requests wait until it is gone, then it is started again
 * An entry that is gone is forgotten. When a process dies, the requests it had are answered ERR_CLOSED, which
 * the asker turns into a 4xx or a place in the queue. */
#ifndef POSTHORN_PROC_ACCOUNTS_BROKER_H
#define POSTHORN_PROC_ACCOUNTS_BROKER_H

#include "ipc/role.h"

extern const struct role_spec accounts_spec;
extern const struct rights accounts_rights;

#endif
