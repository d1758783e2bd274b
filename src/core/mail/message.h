/* message: all that the store keeps of a message beside its bytes, made in one pass.
 *
 * The message comes as pieces that count as one run of bytes: the fields we add, then the body's memfd.
 * Nothing of the body is copied. Bad mail never fails; it has defects. */
#ifndef POSTHORN_CORE_MAIL_MESSAGE_H
#define POSTHORN_CORE_MAIL_MESSAGE_H

#include "base/arena.h"
#include "base/time.h"
#include "core/mail/address.h"
#include "core/mail/limits.h"
#include "core/mail/part_table.h"

#define MAIL_PREVIEW_CHARS  200
#define MAIL_REFERENCES_MAX 100
/* An arena with this cap is enough for any message within mail_limits_default; a usual one needs 10-20 KB. */
#define MAIL_SUMMARY_ARENA_MAX ((size_t)256 << 20)

struct mail_summary {
    /* In the very form IMAP sends them, parentheses included (RFC 9051 §7.5.2). */
    slice envelope;
    slice body;          /* BODY, without extension data */
    slice bodystructure; /* BODYSTRUCTURE */
    slice part_table;    /* stored form, see part_table.h */
    struct part_table parts;

    uint64_t bytes, header_bytes; /* header_bytes includes the empty line: BODY[TEXT] begins there */
    uint64_t lines;
    bool has_date;
    time_ms sent_at;    /* of the Date field */
    int sent_zone;      /* minutes east of UTC, as SENTON wants to know */
    slice subject;      /* decoded, UTF-8, on one line */
    slice base_subject; /* for threading, RFC 5256 §2.1: "re:", "fwd:", list tags and blanks removed */
    bool is_reply;      /* the base subject algorithm removed a reply or forward mark */
    struct address_list from, sender, reply_to, to, cc, bcc; /* first field of each name; names not decoded */
    slice message_id;                                        /* without <>; empty when missing */
    slice in_reply_to;                                       /* its first id */
    slice *references; /* without <>, oldest first, the last MAIL_REFERENCES_MAX */
    size_t references_n;
    slice preview; /* the first MAIL_PREVIEW_CHARS characters of the text, UTF-8, blanks joined */
    bool has_attachment;
    uint32_t from_fields; /* how many From fields there are (THREATS 20) */
    uint32_t received;    /* how many Received fields */
    uint32_t defects;     /* bits of enum mail_defect */
};

/* pieces[0..n) are the message. Everything in *out lives in the arena (or views the pieces). OK, or ERR_LIMIT
 * at the arena's cap. */
NODISCARD enum err mail_summarise(const slice *pieces, size_t n, const struct mail_limits *limits,
                                  struct arena *a, struct mail_summary *out);

/* Loop checks on a header block (RFC 5321 §6.3, RFC 9228). */
uint32_t mail_received_count(slice header);
/* Is there a Delivered-To field with this address (looked up by key, see mailbox_key())? */
bool mail_delivered_to(slice header, slice key);

#endif
