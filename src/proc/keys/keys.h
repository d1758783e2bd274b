/* keys: the process that alone holds private keys. */
#ifndef POSTHORN_PROC_KEYS_KEYS_H
#define POSTHORN_PROC_KEYS_KEYS_H

#include "ipc/role.h"
#include "proc/keys/key_store.h"

extern const struct rights keys_rights;
extern const struct role_spec keys_spec;

#endif
