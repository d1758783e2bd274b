/* queue_record: the two records of queue.db, as bytes: the envelope of a message and the state of one
 * recipient.
 *
 * Typed, length-prefixed, with a checksum: an address or a peer's reply may hold any octet and never becomes
 * structure (THREATS 1), and a damaged record is told from a good one (THREATS 60). Form: format u8, fields
 * in fixed order (numbers big-endian; a slice is u32 length and its bytes), SipHash-2-4 of all that u64. What
 * encode writes, decode reads back as the same values; decode accepts nothing else.
 *
 * Invariants: 1. Numbers of states are on disk: never reuse one. 2. Adding a field means a new format number.
 */
#ifndef POSTHORN_STORE_QUEUE_RECORD_H
#define POSTHORN_STORE_QUEUE_RECORD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/time.h"

#define QUEUE_ADDRESS_MAX 900 /* a printed mailbox, MAILBOX_TEXT_MAX */
#define QUEUE_ENVID_MAX   256
#define QUEUE_ORCPT_MAX   1024
#define QUEUE_ID_MAX      1000 /* Message-ID */
#define QUEUE_PREFIX_MAX  65536
#define QUEUE_REPLY_MAX   4096 /* the last reply, cut */
#define QUEUE_REASON_MAX  512
#define QUEUE_RCPTS_MAX   1000

enum queue_state {
    QUEUE_WAITING = 1, /* tried when due */
    QUEUE_HELD = 2,    /* until somebody releases it; reason says why */
    QUEUE_FAILED =
        3, /* given up, and nobody may be told: kept for the administrator until due, then it goes */
};

/* One recipient that is not done yet. Slices belong to the caller or to the arena it gave. */
struct queue_rcpt {
    uint32_t n; /* its number in the message, for ever; not in the record */
    slice address;
    slice orcpt;    /* DSN, RFC 3461 §4.2 */
    uint8_t notify; /* DSN: bits of enum smtp_notify */
    bool local;     /* for the directory first, not for the DNS */
    enum queue_state state;
    time_ms due; /* Unix time of the next attempt; kept while held */
    uint32_t attempts;
    time_ms last_attempt; /* Unix, 0: none */
    uint32_t code;        /* of the last reply; 0: there was none */
    slice reply;          /* verbatim, or our words when there was none */
    slice host;           /* who said so */
    slice reason;         /* held: why */
    bool delay_told;      /* the sender knows that it takes long */
};

struct queue_message {
    uint64_t id; /* mail id; not in the record */
    uint64_t connection;
    uint64_t
        account; /* who submitted it; 0: came from outside, or is a DSN of ours: then never a DSN for it */
    time_ms arrived; /* Unix */
    slice sender;    /* printed mailbox; empty: null sender */
    slice envid;
    uint8_t ret;
    bool eight_bit, smtputf8;
    bool junk; /* the verdict: an account of ours files it as junk */
    slice message_id;
    slice prefix;        /* header fields that go before the body */
    uint64_t body_bytes; /* without the prefix */
    struct queue_rcpt *rcpts;
    size_t n_rcpts;
};

/* Append the record. Slices longer than their bound are an error (ERR_LIMIT), save reply, host and reason,
 * which are cut. */
NODISCARD enum err queue_message_encode(const struct queue_message *m, struct buf *out);
NODISCARD enum err queue_rcpt_encode(const struct queue_rcpt *r, struct buf *out);
/* Read a whole record; slices view it. ERR_CORRUPT when the checksum or the grammar says no; *out is then
 * untouched. The members that are not in the record stay as they are in *out. */
NODISCARD enum err queue_message_decode(slice record, struct queue_message *out);
NODISCARD enum err queue_rcpt_decode(slice record, struct queue_rcpt *out);
/* The checksum of a piece of body. */
uint64_t queue_sum(slice bytes);

#endif
