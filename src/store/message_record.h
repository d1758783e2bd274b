/* message_record: what the table `message` keeps of a message beside its bytes, packed. Pure.
 *
 *   u8 version (1) | numbers (base/varint.h) | texts (a number: length, bytes) | u32 checksum (record_sum.h)
 *   numbers: thread, bytes, header_bytes, lines, added_at (ms), marks, sent_at (ms, zigzag),
 *            sent_zone (minutes, zigzag), defects; added_at is zigzag too
 *   marks: 1 has_date, 2 has_attachment, 4 is_reply
 *   texts: envelope, body, bodystructure, part_table, subject, base_subject, message_id, in_reply_to,
 * preview, from, to, cc, bcc
 *
 * The checksum's key is the message's id and the account's salt: a misplaced record is found too. */
#ifndef POSTHORN_STORE_MESSAGE_RECORD_H
#define POSTHORN_STORE_MESSAGE_RECORD_H

#include "base/buf.h"
#include "base/hash.h"
#include "store/account.h"

/* Appends the record. ERR_LIMIT when out is full. */
NODISCARD enum err message_record_encode(const struct message_meta *m, const struct hash_key *key,
                                         struct buf *out);
/* Reads it; slices view the record; `message` is left to the caller. ERR_CORRUPT, nothing written, when
 * anything is out of order. */
NODISCARD enum err message_record_decode(slice record, const struct hash_key *key, struct message_meta *out);

#endif
