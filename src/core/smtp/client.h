/* smtp_client: one SMTP session on the sending side (RFC 5321), as a machine without input or output.
 *
 * It is: greeting, EHLO (HELO when that is refused), STARTTLS, and any number of mail transactions, with
 * PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531) and DSN (RFC 3461) where
 * the server offers them; the server's words kept as they came. It is not: a chooser of hosts, a judge of
 * what to retry, or TLS; the shell (relay) does those.
 *
 *     smtp_client_tick(c, now); smtp_client_feed(c, bytes);
 *     while (smtp_client_next(c, &ev)) ...
 *     write smtp_client_pending(c); smtp_client_sent(c, n)
 *
 * and again whenever bytes came, bytes left, smtp_client_deadline() passed or a call below was made.
 *
 * Invariants:
 * 1. Of every transaction each recipient gets exactly one SMTP_CLIENT_EV_RCPT, then one SMTP_CLIENT_EV_DONE
 *    follows, whatever the server does, the connection's end included.
 * 2. The body leaves with CRLF line ends only and its dots doubled: a lone CR or LF never leaves, and the end
 * of data is ours alone (RFC 5321 §4.5.2, THREATS 12).
 * 3. Nothing heard before TLS counts after it, and bytes behind the 220 to STARTTLS end the session (THREATS
 * 13).
 * 4. Addresses are typed values printed by one printer; no other text from outside enters a command, save DSN
 *    parameters that were checked to be xtext.
 * 5. The split of the input changes nothing.
 *
 * BDAT is not spoken: the bodies we carry are lines, so DATA carries all of them, in one piece of code.
 *
 * Limits: reply lines and replies (client_reply.h), SMTP_CLIENT_RCPT_MAX recipients a transaction,
 * SMTP_CLIENT_OUT_MAX bytes waiting to be sent, the timeouts of RFC 5321 §4.5.3.2 from the limits struct. */
#ifndef POSTHORN_CORE_SMTP_CLIENT_H
#define POSTHORN_CORE_SMTP_CLIENT_H

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "core/mail/mailbox.h"
#include "core/smtp/client_reply.h"
#include "core/smtp/envelope.h"

#define SMTP_CLIENT_RCPT_MAX 100 /* RFC 5321 §4.5.3.1.8: every server takes as many */
#define SMTP_CLIENT_OUT_MAX  ((size_t)256 * 1024)
#define SMTP_CLIENT_BODY_OUT                                                                                 \
    ((size_t)64 * 1024) /* no more body is asked for while so much waits to be sent */

/* RFC 5321 §4.5.3.2, milliseconds. */
struct smtp_client_limits {
    time_ms greeting_ms, hello_ms, starttls_ms, mail_ms, rcpt_ms, data_ms, block_ms, final_ms, quit_ms;
};
extern const struct smtp_client_limits smtp_client_limits_default;

enum smtp_client_tls {
    SMTP_CLIENT_TLS_NEVER, /* do not ask for it: it failed a moment ago, or the peer is this machine */
    SMTP_CLIENT_TLS_MAY,   /* where offered (RFC 7435) */
    SMTP_CLIENT_TLS_MUST,  /* no mail without it */
};

struct smtp_client_config {
    slice hostname; /* ours, for EHLO; printable ASCII */
    enum smtp_client_tls tls;
    const struct smtp_client_limits *limits;
};

enum smtp_client_offer {
    SMTP_CLIENT_PIPELINING = 1,
    SMTP_CLIENT_SIZE = 2,
    SMTP_CLIENT_8BITMIME = 4,
    SMTP_CLIENT_SMTPUTF8 = 8,
    SMTP_CLIENT_DSN = 16,
    SMTP_CLIENT_STARTTLS = 32,
    SMTP_CLIENT_ESMTP = 64, /* EHLO was understood */
};

struct smtp_client_rcpt {
    const struct mailbox *recipient;
    unsigned notify; /* bits of enum smtp_notify; sent on when DSN is offered */
    slice orcpt;     /* "rfc822;xtext" or empty */
};

struct smtp_client_mail {
    const struct mailbox *sender;
    uint64_t body_bytes; /* as will be sent, about; 0: not known */
    bool eight_bit;      /* the body has octets above 127 */
    bool smtputf8;       /* header or addresses need SMTPUTF8 */
    enum smtp_ret ret;
    slice envid; /* xtext or empty */
    const struct smtp_client_rcpt *rcpts;
    size_t n; /* 1..SMTP_CLIENT_RCPT_MAX */
};

enum smtp_client_outcome { SMTP_CLIENT_TAKEN, SMTP_CLIENT_TEMPORARY, SMTP_CLIENT_PERMANENT };

enum smtp_client_event_type {
    SMTP_CLIENT_EV_STARTTLS, /* send what is pending, do the handshake, then smtp_client_tls_started() */
    SMTP_CLIENT_EV_READY,    /* the session stands: smtp_client_send() or smtp_client_quit() */
    SMTP_CLIENT_EV_BODY,     /* give the next piece: smtp_client_body() or smtp_client_body_end() */
    SMTP_CLIENT_EV_RCPT,     /* .rcpt */
    SMTP_CLIENT_EV_DONE,     /* the transaction is over; .reusable: smtp_client_send() may follow */
    SMTP_CLIENT_EV_FAILED,   /* .failed; the session is over, close. No transaction is open any more */
    SMTP_CLIENT_EV_CLOSE,    /* after quit: close */
};

/* Texts are lent until the next call of smtp_client_next(). */
struct smtp_client_event {
    enum smtp_client_event_type type;
    union {
        struct {
            size_t at; /* index into mail.rcpts */
            enum smtp_client_outcome outcome;
            int code;           /* of the reply; 0 when there was none */
            const char *status; /* "5.1.1", ours when the server gave none; never NULL */
            slice reply;        /* verbatim, or empty */
            const char *reason; /* ours, a clause for people, when the reply does not say it; else NULL */
            bool uncertain;     /* the end of data was sent and no answer came: it may have been taken */
            bool dsn_passed; /* NOTIFY and ORCPT went along: the next host answers for them (RFC 3461 §5.2.2)
                              */
        } rcpt;
        bool reusable;
        struct {
            enum err
                error;   /* ERR_CLOSED, ERR_TIMEOUT, ERR_PEER, ERR_TLS (wanted, not offered), ERR_REFUSED */
            int code;    /* of the reply that ended it, or 0 */
            slice reply; /* verbatim, or empty */
            const char *reason; /* a clause for people */
        } failed;
    };
};

struct smtp_client;

/* A session whose connection was just made. config's hostname and limits have to outlive it. */
struct smtp_client *smtp_client_new(const struct smtp_client_config *config);
/* Frees; *c becomes NULL. NULL is fine. */
void smtp_client_free(struct smtp_client **c);

/* Bytes of the server. */
void smtp_client_feed(struct smtp_client *c, slice bytes);
/* The connection ended or broke. */
void smtp_client_closed(struct smtp_client *c);
/* The next thing to do; what it points at is lent until the next call. False: nothing until more bytes, sent
 * bytes or time. */
NODISCARD bool smtp_client_next(struct smtp_client *c, struct smtp_client_event *out);
/* The handshake after EV_STARTTLS is done. (When it failed: close and free.) */
void smtp_client_tls_started(struct smtp_client *c);
/* Begins a transaction; only after EV_READY or a reusable EV_DONE. mail and what it points to has to stay
 * until EV_DONE. What the server cannot carry (8-bit, SMTPUTF8, size) is told without asking it. */
void smtp_client_send(struct smtp_client *c, const struct smtp_client_mail *mail);
/* A piece of the message after EV_BODY. How many bytes were taken: less than all when enough waits to be
 * sent; the rest is for the next EV_BODY. */
size_t smtp_client_body(struct smtp_client *c, slice piece);
/* That was all of the message. */
void smtp_client_body_end(struct smtp_client *c);
/* Says QUIT; only when no transaction is open. EV_CLOSE follows. */
void smtp_client_quit(struct smtp_client *c);
/* Bytes for the server, lent until the next call; then n of them are gone. */
slice smtp_client_pending(const struct smtp_client *c);
void smtp_client_sent(struct smtp_client *c, size_t n);
/* Monotonic time; call it before anything else in a turn, and at the deadline. */
void smtp_client_tick(struct smtp_client *c, time_ms now);
/* INT64_MAX for never (idle, or the handshake, which the shell times). */
time_ms smtp_client_deadline(const struct smtp_client *c);

unsigned smtp_client_offers(const struct smtp_client *c);   /* bits of enum smtp_client_offer */
uint64_t smtp_client_size_max(const struct smtp_client *c); /* 0: no limit said */
bool smtp_client_is_idle(const struct smtp_client *c);      /* smtp_client_send() is allowed */

#endif
