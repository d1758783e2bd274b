/* record_sum: the checksum that ends a packed record (run.h, message_record.h): four bytes, big-endian, of
 * SipHash. It finds damage, and with a key that holds the row's number also a record in the wrong row; it
 * stops nobody who can write the file. Pure. */
#ifndef POSTHORN_STORE_RECORD_SUM_H
#define POSTHORN_STORE_RECORD_SUM_H

#include "base/hash.h"

/* The checksum of a record's bytes. */
uint32_t record_sum(slice bytes, const struct hash_key *key);
/* The record without its checksum, to be read. False, *out untouched: the checksum is not there or another.
 */
NODISCARD bool record_sum_open(slice record, const struct hash_key *key, struct cursor *out);

#endif
