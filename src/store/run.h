/* run: up to 256 neighbouring messages of a mailbox, packed into one record of the table `run`.
 *
 * Pure: bytes in, arrays out, and back. Column by column, each in the shortest of four forms, so that a run
 * of consecutive UIDs that all have been read costs some 5 bytes a message. A checksum over the record, its
 * key and the account's salt comes last: a damaged or misplaced record is found, never believed (THREATS 60).
 *
 *   u8 version (1) | u8 n - 1 | six columns: uid, flags, modseq, message, bytes, date | u32 checksum
 *   column: u8 form | CONST: v   STEP: v (v, v+1, ...)   DELTA: v, zigzag differences   PLAIN: n values
 *   numbers: base/varint.h; the checksum: record_sum.h
 *
 * Invariants: (1) UIDs ascend strictly and are not 0. (2) n is 1..RUN_MAX. */
#ifndef POSTHORN_STORE_RUN_H
#define POSTHORN_STORE_RUN_H

#include "base/buf.h"
#include "base/hash.h"

#define RUN_MAX       256
#define RUN_BYTES_MAX (2 + 6 * (1 + RUN_MAX * 10) + 4)

/* Arrays that somebody else owns; entry i of each is message i. */
struct run_columns {
    uint32_t *uid;
    uint64_t *flags;
    uint64_t *modseq;
    uint64_t *message;
    uint32_t *bytes;
    uint32_t *date; /* Unix seconds */
};

/* The same with its own room: 9 KB. */
struct run {
    size_t n;
    uint32_t uid[RUN_MAX];
    uint64_t flags[RUN_MAX];
    uint64_t modseq[RUN_MAX];
    uint64_t message[RUN_MAX];
    uint32_t bytes[RUN_MAX];
    uint32_t date[RUN_MAX];
};

/* The arrays of a run, which own their room. */
struct run_columns run_columns(struct run *r);
/* Those from entry i on. */
struct run_columns run_columns_from(struct run_columns c, size_t i);
/* Copies n entries; the arrays may overlap. */
void run_columns_move(struct run_columns to, struct run_columns from, size_t n);

/* Writes the record of entries 0..n), n in 1..RUN_MAX. out has room for RUN_BYTES_MAX. Returns its length.
 * key: the account's salt in k0, the row's key in k1. */
size_t run_encode(struct run_columns c, size_t n, const struct hash_key *key, uint8_t *out);
/* Reads a record into c, which has room for RUN_MAX entries. ERR_CORRUPT when anything is out of order; the
 * arrays may then hold anything. */
NODISCARD enum err run_decode(slice record, const struct hash_key *key, struct run_columns c, size_t *out_n);

#endif
