/* smtp_server: one SMTP session on the server's side (RFC 5321), as a machine without input or output.
 *
 * It is: the grammar and the order of commands, the replies' framing, the end of the message, the limits. It
 * is not: a judge of recipients, senders or logins; it asks the shell about each and frames the answer.
 *
 * How a shell drives it (edge does, and so do the tests):
 *
 *     smtp_server_tick(s, now);            time arrives as an argument
 *     smtp_server_feed(s, unread);         all bytes of the peer that were not used so far
 *     while (smtp_server_next(s, &ev))     what to do now; answer at once or any time later
 *         ...
 *     drop smtp_server_used(s) bytes from the front of what was fed
 *     write smtp_server_pending(s); smtp_server_sent(s, n)
 *
 * and again after every answer, since an answer can free the way for bytes that wait. The machine keeps no
 * input of its own: a half line, or a whole pipeline behind a question, stays with the shell, which stops
 * reading when its own buffer is full. So a session that is idle costs about 2 KB here (THREATS 8). That
 * buffer has to hold one whole line: at least auth_line_bytes where logins are, line_bytes elsewhere.
 *
 * Invariants:
 * 1. The split of the input into feeds never changes the replies or the events (body slices may be cut
 *    elsewhere). One exception is on purpose: bytes that stand behind STARTTLS (smtp_server_feed says how).
 * 2. A transaction begins in one place (a MAIL answered 2xx) and ends in one place (smtp__txn_reset() in
 * server.c), whichever way it ends; the shell hears of each end: as its own answer to MAIL, BODY_BEGIN (not
 * 2xx) or BODY_END (any), or as SMTP_EV_RESET.
 * 3. BODY_BEGIN comes only after MAIL and at least one RCPT answered 2xx since the last reset.
 * 4. Replies leave in the order of the commands, also when RCPTs are answered out of order.
 * 5. No octet of the input ever appears in a reply, save addresses that passed a printable check.
 * 6. Only CRLF.CRLF ends DATA, and CR and LF appear in a body only together (THREATS 12).
 *
 * Limits: struct smtp_server_limits. Memory: the object, at most reply_bytes of replies waiting to be sent,
 * and the replies of RCPTs answered out of order (at most SMTP_SERVER_AHEAD). */
#ifndef POSTHORN_CORE_SMTP_SERVER_H
#define POSTHORN_CORE_SMTP_SERVER_H

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "core/smtp/envelope.h"

/* RCPT commands of one pipeline that may be asked before the first is answered (RFC 2920). */
#define SMTP_SERVER_AHEAD 32

enum smtp_service {
    SMTP_MX,          /* port 25: mail from anybody to our own; never a login (THREATS 29, 31) */
    SMTP_SUBMISSION,  /* port 587: login after STARTTLS (RFC 6409) */
    SMTP_SUBMISSIONS, /* port 465: login, TLS from the first byte (RFC 8314) */
};

struct smtp_server_limits {
    uint64_t message_bytes;     /* a message as received, RFC 1870 */
    uint32_t recipients;        /* of one transaction */
    uint32_t recipients_authed; /* the same after a login */
    uint32_t nonsense;          /* unknown commands before the session ends (THREATS 14) */
    uint32_t errors;            /* refused commands since the last accepted message */
    uint32_t idle_commands;     /* NOOP, RSET, HELP, VRFY, EHLO since the last accepted message */
    uint32_t auth_failures;     /* refused logins in one session */
    uint32_t slow_after;        /* refused recipients that are answered at once; later ones wait slow_ms */
    uint32_t line_bytes;      /* MAIL and RCPT with their CRLF; other commands: 512 (RFC 5321 §4.5.3.1.4) */
    uint32_t auth_line_bytes; /* a base64 line with its CRLF (RFC 4954 §4) */
    uint32_t reply_bytes;     /* replies waiting to be sent before commands wait too */
    time_ms hello_ms;         /* from the greeting to the first HELO or EHLO */
    time_ms login_ms;         /* from the greeting to the login, submission only */
    time_ms command_ms;       /* silence before the next command, or inside a body (RFC 5321 §4.5.3.2.7) */
    time_ms body_ms;          /* one whole message body */
    time_ms slow_ms;
};
/* The start values of THREATS.md. */
extern const struct smtp_server_limits smtp_server_limits_default;

struct smtp_server_config {
    enum smtp_service service;
    slice hostname;        /* ours, printable ASCII; for the greeting and EHLO */
    bool tls_offered;      /* STARTTLS can be done */
    bool tls_on;           /* TLS is up from the first byte */
    bool plaintext_login;  /* the listener is marked so: login without TLS (loopback only, conf sees to it) */
    slice auth_mechanisms; /* "SCRAM-SHA-256 PLAIN": the words after AUTH in EHLO */
    const struct smtp_server_limits *limits;
};

/* Why the core itself refused something: for the journal, and for tests. */
enum smtp_refusal {
    SMTP_REFUSED_BARE_NEWLINE,  /* CR or LF alone in a command (THREATS 12) */
    SMTP_REFUSED_BODY_NEWLINE,  /* the same in DATA or BDAT */
    SMTP_REFUSED_FOREIGN,       /* another protocol is spoken (THREATS 14) */
    SMTP_REFUSED_NONSENSE,      /* too many unknown commands */
    SMTP_REFUSED_ERRORS,        /* too many refused commands */
    SMTP_REFUSED_IDLE_COMMANDS, /* too many commands that carry no mail */
    SMTP_REFUSED_LOGINS,        /* too many failed logins */
    SMTP_REFUSED_STARTTLS_MORE, /* bytes behind STARTTLS (THREATS 13) */
    SMTP_REFUSED_TOO_LARGE,     /* message over message_bytes */
    SMTP_REFUSED_TOO_MANY,      /* recipients over the limit */
    SMTP_REFUSED_TIMEOUT,       /* the peer was silent too long, or too slow */
    SMTP_REFUSED_ADDRESS,       /* a sender or recipient that is no address */
    SMTP_REFUSED__COUNT
};
/* A clause for people ("the message was larger than allowed"). Static memory. */
const char *smtp_refusal_text(enum smtp_refusal why);

enum smtp_event_type {
    SMTP_EV_HELO,        /* .helo; tell nobody, or the journal. No answer */
    SMTP_EV_STARTTLS,    /* send all that is pending, begin the handshake, then smtp_server_tls_started() */
    SMTP_EV_AUTH,        /* .auth; a login begins. Answer: smtp_server_challenge() or smtp_server_answer() */
    SMTP_EV_AUTH_LINE,   /* .auth.response: the client's next line. Answer: the same */
    SMTP_EV_AUTH_CANCEL, /* the exchange is over: "*", or a line that is no base64. No answer */
    SMTP_EV_MAIL,        /* .mail; answer decides whether a transaction begins */
    SMTP_EV_RCPT,        /* .rcpt; may come several times before the first is answered */
    SMTP_EV_BODY_BEGIN,  /* answer 2xx: send it; anything else refuses and ends the transaction */
    SMTP_EV_BODY_BYTES,  /* .bytes, lent until the next call; no answer */
    SMTP_EV_BODY_END,    /* .body_bytes; the answer is the reply to the message, and ends the transaction */
    SMTP_EV_RESET,       /* forget the transaction, and a body begun. No answer */
    SMTP_EV_REFUSED,     /* .refused; for the journal. No answer */
    SMTP_EV_CLOSE,       /* send what is pending, then close; nothing more is read. .quit: the client asked */
};

struct smtp_event {
    enum smtp_event_type type;
    uint32_t token; /* for smtp_server_answer(); never 0 where an answer is awaited, else 0 */
    union {
        struct {
            slice name; /* what the client called itself: letters, digits and "-._:[]" only */
            bool esmtp; /* EHLO, not HELO */
            bool early; /* it spoke before the greeting */
        } helo;
        struct {
            slice mechanism; /* upper-case word from auth_mechanisms */
            bool has_response;
            slice response; /* base64 text as sent; a lone "=" comes as an empty response (RFC 4954 §4) */
        } auth;
        const struct smtp_mail *mail; /* lent until the next call of any function of this session */
        const struct smtp_rcpt *rcpt; /* the same */
        slice bytes;
        uint64_t body_bytes;
        struct {
            enum smtp_refusal why;
            int code; /* of the reply the peer got; 0 when none */
        } refused;
        bool quit;
    };
};

/* code: 200..599; status: "2.1.5" or NULL for none; text: one line or several with '\n' between them, ours or
 * the directory's. Octets that are not printable ASCII leave as '?'. A 421 ends the session after it. */
struct smtp_answer {
    int code;
    const char *status;
    slice text;
};

struct smtp_server;

/* A session that has said nothing yet. The configuration, its hostname, mechanisms and limits have to outlive
 * it. */
struct smtp_server *smtp_server_new(const struct smtp_server_config *config);
/* Frees; *s becomes NULL. NULL is fine. Questions that are open are simply never answered. */
void smtp_server_free(struct smtp_server **s);

/* Sends the greeting (RFC 5321 §3.1); with refusal not NULL sends that instead and closes (554, 421). Bytes
 * fed earlier are kept waiting and noted. Once. */
void smtp_server_greet(struct smtp_server *s, const struct smtp_answer *refusal);
/* unread: everything received and not used so far; lent until it is fed again or the shell drops the used
 * part. Bytes between an SMTP_EV_STARTTLS and smtp_server_tls_started() must be fed only if they came in
 * clear: they end the session. */
void smtp_server_feed(struct smtp_server *s, slice unread);
/* How many bytes from the front of the last feed are done with. Grows with next(). */
size_t smtp_server_used(const struct smtp_server *s);
/* The next thing to do; false: nothing until more bytes, an answer, sent bytes or time. */
NODISCARD bool smtp_server_next(struct smtp_server *s, struct smtp_event *out);
/* The answer to the event with this token. One that is not awaited any more is dropped. */
void smtp_server_answer(struct smtp_server *s, uint32_t token, const struct smtp_answer *answer);
/* Answers AUTH or AUTH_LINE with another round: 334 and this base64 text (may be empty). */
void smtp_server_challenge(struct smtp_server *s, uint32_t token, slice base64);
/* The handshake after SMTP_EV_STARTTLS is done: all that was said before is forgotten (RFC 3207 §4.2). */
void smtp_server_tls_started(struct smtp_server *s);
/* No new transaction: 421 and close at once, or after the running one (SIGTERM). */
void smtp_server_drain(struct smtp_server *s);
/* Bytes for the peer, lent until sent() or any call that may add to them; then n of them are gone. */
slice smtp_server_pending(const struct smtp_server *s);
void smtp_server_sent(struct smtp_server *s, size_t n);
/* Time passes: monotonic, never backwards. Call it before feed, and at the deadline; then next(). */
void smtp_server_tick(struct smtp_server *s, time_ms now);
/* When tick is wanted next; INT64_MAX for never (the shell's own deadlines run while it owes an answer). */
time_ms smtp_server_deadline(const struct smtp_server *s);

/* What the session knows, for Received fields and the journal. */
slice smtp_server_helo(const struct smtp_server *s);          /* empty before HELO; lent */
bool smtp_server_is_esmtp(const struct smtp_server *s);       /* it said EHLO, not HELO */
bool smtp_server_is_tls(const struct smtp_server *s);         /* the session is secured */
bool smtp_server_is_authed(const struct smtp_server *s);      /* AUTH succeeded */
bool smtp_server_in_transaction(const struct smtp_server *s); /* MAIL was accepted and is not over */
bool smtp_server_is_closed(const struct smtp_server *s);      /* SMTP_EV_CLOSE was given */

#endif
