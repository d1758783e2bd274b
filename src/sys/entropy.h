/* entropy: bytes from the kernel's generator. */
#ifndef POSTHORN_SYS_ENTROPY_H
#define POSTHORN_SYS_ENTROPY_H

#include "base/hash.h"

void entropy_bytes(void *p, size_t n); /* ends the process when the kernel has none */
uint64_t entropy_u64(void);
struct hash_key entropy_hash_key(void);

#endif
