/* journal_event: what happened, as one small value: the form in which every role tells the journal, in which
 * the journal keeps it, and from which policy/trace makes sentences.
 *
 * One generic struct with a few typed fields; JOURNAL_KINDS says what each kind puts into which field. What a
 * kind does not name stays zero or empty. An event holds no content, no subject and no secret (THREATS 50):
 * envelope addresses, Message-ID, mailbox names, replies and reasons only. Text from outside goes in as it
 * came, cut to the bounds below; whoever shows it escapes it (journal_event_escape(), THREATS 9, 15, 35).
 *
 * Invariants: 1. Numbers of kinds and roles are on disk: never reuse or renumber one. 2. What encode writes,
 * decode reads back as the same event. 3. decode accepts nothing outside the bounds.
 *
 * A change that touches many messages at once (flags on a whole folder) is told one event a message for the
 * first JOURNAL_EACH_MAX, and as one event with mail 0 and the count in number beyond that. */
#ifndef POSTHORN_POLICY_JOURNAL_EVENT_H
#define POSTHORN_POLICY_JOURNAL_EVENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

#define JOURNAL_ADDRESS_MAX 320
#define JOURNAL_PEER_MAX    320
#define JOURNAL_NAME_MAX    512
#define JOURNAL_TEXT_MAX    512
#define JOURNAL_EVENT_MAX   1760 /* bytes of one encoded event, at most */
#define JOURNAL_EACH_MAX    64

/* Which role tells it. */
#define JOURNAL_ROLES(X)                                                                                     \
    X(SUPERVISOR, 1, "supervisor")                                                                           \
    X(EDGE, 2, "edge")                                                                                       \
    X(DIRECTORY, 3, "directory")                                                                             \
    X(ACCOUNTS, 4, "accounts")                                                                               \
    X(ACCOUNT, 5, "account")                                                                                 \
    X(JUDGE, 6, "judge")                                                                                     \
    X(RELAY, 7, "relay")                                                                                     \
    X(RESOLVER, 8, "resolver")                                                                               \
    X(FETCHER, 9, "fetcher")                                                                                 \
    X(KEYS, 10, "keys")                                                                                      \
    X(JOURNAL, 11, "journal")                                                                                \
    X(DOCTOR, 12, "doctor")                                                                                  \
    X(REPORTER, 13, "reporter")                                                                              \
    X(NAMESERVER, 14, "nameserver")

enum journal_role {
#define X(id, number, name) JOURNAL_ROLE_##id = number,
    JOURNAL_ROLES(X)
#undef X
};

/* How events are found again: JOURNAL_BY_ADDRESS makes `trace ADDRESS` find it, JOURNAL_BY_NAME `trace
 * MESSAGE-ID`, JOURNAL_BY_PEER `trace IP` (the part of peer in brackets). By mail id every event is found. */
enum { JOURNAL_BY_ADDRESS = 1, JOURNAL_BY_NAME = 2, JOURNAL_BY_PEER = 4 };

/* X(ID, number, "name", found by). Fields of each kind follow "--". TLS facts are text such as "TLS 1.3,
 * verified", empty without TLS; peer is "mx.example.org [192.0.2.7]" or "[192.0.2.7]"; service is "smtp",
 * "imaps" and so on; code is an SMTP reply code (550) unless it says otherwise; an empty address is the null
 * sender. */
/* clang-format off */
#define JOURNAL_KINDS(X) \
    /* connections -- peer, name: service, text: why */ \
    X(CONN_OPENED,     1, "connection_opened",  JOURNAL_BY_PEER)    /* only where it is worth a line */ \
    X(CONN_REFUSED,    2, "connection_refused", JOURNAL_BY_PEER)    /* code */ \
    X(CONN_CLOSED,     3, "connection_closed",  JOURNAL_BY_PEER)    /* only when not in good order */ \
    X(TLS_FAILED,      4, "tls_failed",         JOURNAL_BY_PEER)    /* text: what OpenSSL said */ \
    X(PROTOCOL_ABUSE,  5, "protocol_abuse",     JOURNAL_BY_PEER)    /* text: smuggling, STARTTLS injection ... */ \
    /* logins -- address: account, peer, name: service, text: mechanism, or why not. A failed login carries the \
     * address only if such an account exists: people type passwords into the wrong field */ \
    X(LOGIN_OK,        8, "login",              JOURNAL_BY_ADDRESS) \
    X(LOGIN_FAILED,    9, "login_failed",       JOURNAL_BY_ADDRESS | JOURNAL_BY_PEER) \
    /* a message comes in -- all with mail id */ \
    X(MAIL_FROM,      16, "mail_from",          JOURNAL_BY_ADDRESS) /* address, peer, name: TLS facts, text: service, number: SIZE= */ \
    X(MAIL_REFUSED,   17, "mail_refused",       JOURNAL_BY_ADDRESS | JOURNAL_BY_PEER) /* address, peer, name: TLS facts, text: reply, code */ \
    X(RCPT_OK,        18, "recipient_accepted", JOURNAL_BY_ADDRESS) /* address, name: account or target if other, text: "alias" ... */ \
    X(RCPT_REFUSED,   19, "recipient_refused",  JOURNAL_BY_ADDRESS) /* address, text: reply, code */ \
    X(MESSAGE_ID,     20, "message_id",         JOURNAL_BY_NAME)    /* name: Message-ID, with or without <> */ \
    X(MESSAGE_RECEIVED, 21, "message_received", 0)                  /* number: bytes */ \
    X(MESSAGE_REFUSED, 22, "message_refused",   0)                  /* text: reply, code; at DATA or BDAT */ \
    X(VERDICT,        23, "verdict",            0)                  /* name: accept junk defer reject, text: reasons */ \
    X(ACCEPTED,       24, "accepted",           0)                  /* 250 was said; text: reply */ \
    X(ABANDONED,      25, "abandoned",          0)                  /* the client left or reset before the end; text: why */ \
    /* accounts' stores -- address: account, name: mailbox, connection and peer: by which session. DELIVERED has mail \
     * and number: UID. Of what sessions do, they know mailbox and UID only: mail 0, code: UID, number: UID (of the \
     * target when moved or copied); journal_db finds the mail. Of many at once: code 0, number: how many */ \
    X(DELIVERED,      32, "delivered",          JOURNAL_BY_ADDRESS) \
    X(DELIVERY_FAILED, 33, "delivery_failed",   JOURNAL_BY_ADDRESS) /* text: why, code */ \
    X(FLAGS_CHANGED,  34, "flags_changed",      0)                  /* text: "+\\Seen -\\Flagged" */ \
    X(MOVED,          35, "moved",              0)                  /* text: target mailbox */ \
    X(COPIED,         36, "copied",             0)                  /* the same */ \
    X(EXPUNGED,       37, "expunged",           0) \
    X(APPENDED,       38, "appended",           JOURNAL_BY_ADDRESS) \
    X(MAILBOX_CREATED, 40, "mailbox_created",   JOURNAL_BY_ADDRESS) \
    X(MAILBOX_RENAMED, 41, "mailbox_renamed",   JOURNAL_BY_ADDRESS) /* text: new name */ \
    X(MAILBOX_DELETED, 42, "mailbox_deleted",   JOURNAL_BY_ADDRESS) /* number: messages in it */ \
    /* the queue -- address: recipient, peer: who was asked, name: TLS facts, text: the reply verbatim or why, \
     * code: its code (0: there was no reply) */ \
    X(QUEUED,         48, "queued",             JOURNAL_BY_ADDRESS) /* text: why, where it was not the plain way */ \
    X(ATTEMPT_FAILED, 49, "attempt_failed",     0)                  /* this host failed; another one or time may help */ \
    X(RELAYED,        50, "relayed",            JOURNAL_BY_ADDRESS) /* the peer took it */ \
    X(DEFERRED,       51, "deferred",           JOURNAL_BY_ADDRESS) /* number: next attempt, Unix ms */ \
    X(BOUNCED,        52, "bounced",            JOURNAL_BY_ADDRESS) /* given up for good */ \
    X(DSN_SENT,       53, "notice_sent",        JOURNAL_BY_ADDRESS) /* address: to whom, name: failed delayed delivered, number: its mail id */ \
    X(HELD,           54, "held",               JOURNAL_BY_ADDRESS) /* text: why */ \
    X(RELEASED,       55, "released",           JOURNAL_BY_ADDRESS) \
    X(DROPPED,        56, "dropped",            JOURNAL_BY_ADDRESS) \
    X(RETRY_ASKED,    57, "retry_asked",        JOURNAL_BY_ADDRESS) \
    /* DMARC reports of ours; an aggregate report's mail id is its own */ \
    X(REPORT_SENT,    58, "report_sent",        JOURNAL_BY_ADDRESS) /* address: to whom, name: the domain it is about, text: which kind, number: messages */ \
    X(REPORT_WITHHELD, 59, "report_withheld",   JOURNAL_BY_ADDRESS) /* address, name: as above, text: why */ \
    /* the house -- mail 0 */ \
    X(SERVER_READY,   64, "server_ready",       0)                  /* number: ms from start to ready */ \
    X(SERVER_STOPPING, 65, "server_stopping",   0)                  /* text: why */ \
    X(ROLE_STARTED,   66, "role_started",       0)                  /* name: role, number: pid, code: how many times before */ \
    X(ROLE_DIED,      67, "role_died",          0)                  /* name: role, number: pid, text: how ("signal 9") */ \
    X(EVENTS_DROPPED, 68, "events_dropped",     0)                  /* name: role that told too much, number: count */ \
    X(ACCOUNT_CHANGED, 69, "account_changed",   JOURNAL_BY_ADDRESS) /* address, name: "created" "password" ... */ \
    X(TROUBLE,        70, "trouble",            0)                  /* name: what (disk, dns, certificate), text: in words */
/* clang-format on */

enum journal_kind {
#define X(id, number, name, by) JOURNAL_##id = number,
    JOURNAL_KINDS(X)
#undef X
};

struct journal_event {
    uint64_t mail;       /* mail id, 0: not about one message */
    uint64_t connection; /* id of the connection or session, 0: none */
    time_ms at;          /* Unix time */
    enum journal_role role;
    enum journal_kind kind;
    uint32_t code;
    uint64_t number;
    slice address, peer, name, text;
};

/* NULL for numbers that are none of ours. Static memory. */
const char *journal_role_name(unsigned role);
const char *journal_kind_name(unsigned kind);
/* JOURNAL_BY_ bits of a kind; 0 for numbers that are none of ours. */
unsigned journal_kind_found_by(unsigned kind);

/* Appends the event, its texts cut to their bounds (on a UTF-8 boundary). Fields that are zero or empty cost
 * nothing. ERR_LIMIT when the buffer is full; nothing is appended then. */
NODISCARD enum err journal_event_encode(struct buf *out, const struct journal_event *e);
/* Reads one event and steps over it. Its slices point into the cursor's bytes. ERR_SYNTAX for anything that
 * encode would not have written. */
NODISCARD enum err journal_event_decode(struct cursor *in, struct journal_event *out);

/* Appends s for a terminal, a log or a page: printable ASCII and well-formed UTF-8 as they are; control
 * characters (C0, C1, DEL), line and paragraph separators, bidirectional overrides and broken bytes as \xHH
 * or \u{HHHH}; a backslash that would look like one of these as two. At most max_bytes of s, then "...". */
void journal_event_escape(struct buf *out, slice s, size_t max_bytes);
/* Appends s as a JSON string with its quotes (RFC 8259 §7): the same characters as \uHHHH, broken bytes as
 * U+FFFD. */
void journal_event_json(struct buf *out, slice s);

#endif
