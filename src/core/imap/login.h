/* imap/login: the greeting half of an IMAP session, up to the moment somebody is known. It runs in the edge.
 *
 * Sans-I/O: bytes in, events and bytes out. It speaks greeting, CAPABILITY, NOOP, ID, LOGOUT, LOGIN and
 * AUTHENTICATE (frames and base64 only; the SASL mechanisms are run by the shell). It never offers STARTTLS
 * (THREATS 13): TLS is there from the first byte, or the listener is marked `plaintext`, or login is
 * disabled.
 *
 * A login goes like this:
 *
 *     next() -> IMAP_LOGIN_PASSWORD or IMAP_LOGIN_SASL        the shell looks it up
 *     (answer CHALLENGE -> the client's next frame comes as IMAP_LOGIN_SASL_DATA)*
 *     the shell has the account's process ready: imap_login_handover(), pass it on, answer ACCEPTED
 *     next() -> IMAP_LOGIN_DONE     flush pending(), then carry bytes; the account half sends the tagged OK
 * or  answer DENIED / UNAVAILABLE / ...: the core says so to the client and goes on
 *
 * Invariants: (1) never more than limits->input_max bytes of input, one command and output_max of output are
 * kept; (2) while the shell looks something up nothing further is executed, what the client pipelines waits
 * in the input and is handed over; (3) nothing of the input is echoed but the tag of a well-formed command
 * (THREATS 14); (4) passwords are wiped from the buffers as soon as the command is answered.
 *
 * Usage: init, then feed / next / answer / tick in any order, sending pending() whenever it is not empty;
 * done. While more than half of output_max waits to be sent, next() gives MORE: call it again after sent().
 */
#ifndef POSTHORN_CORE_IMAP_LOGIN_H
#define POSTHORN_CORE_IMAP_LOGIN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/time.h"
#include "core/imap/reader.h"

#define IMAP_LOGIN_TAG_MAX 64   /* longest tag that may log in */
#define IMAP_LOGIN_ID_MAX  1024 /* bytes of ID data kept for the account half */

struct imap_login_limits {
    size_t input_max;   /* bytes buffered from the client: 16 KiB (THREATS 8) */
    size_t output_max;  /* bytes buffered for the client: 8 KiB */
    time_ms idle_ms;    /* without a complete command: 30 s */
    time_ms total_ms;   /* until somebody is known: 180 s (people type passwords) */
    unsigned bad_max;   /* nonsense commands before the connection is closed: 3 */
    unsigned tries_max; /* failed logins before it is closed: 5 */
};
extern const struct imap_login_limits imap_login_limits_default;

struct imap_login_config {
    bool login_allowed;   /* TLS is up, or the listener is marked plaintext; else LOGINDISABLED */
    bool scram;           /* offer AUTH=SCRAM-SHA-256 */
    const char *hostname; /* for the greeting; static or outlives the core; NULL leaves it out */
};

enum imap_login_event_type {
    IMAP_LOGIN_MORE,     /* nothing to do until more bytes come */
    IMAP_LOGIN_PASSWORD, /* LOGIN: user and password */
    IMAP_LOGIN_SASL, /* AUTHENTICATE: mechanism ("PLAIN" or "SCRAM-SHA-256"), perhaps an initial response */
    IMAP_LOGIN_SASL_DATA, /* the client's answer to a challenge, base64 removed */
    IMAP_LOGIN_CANCELLED, /* the client gave up the exchange ("*" or bad base64); already answered; forget the
                             SASL state */
    IMAP_LOGIN_DONE,      /* handed over: send pending(), then carry bytes */
    IMAP_LOGIN_CLOSE      /* send pending(), then close */
};

struct imap_login_event {
    enum imap_login_event_type type;
    slice user, password; /* PASSWORD; secret; valid until answer() */
    slice mechanism;      /* SASL: upper case, static memory */
    bool has_initial;     /* SASL: data is the initial response (RFC 4959), perhaps empty */
    slice data;           /* SASL, SASL_DATA: decoded bytes; secret; valid until answer() */
    const char *reason;   /* CLOSE: for the journal; static memory */
};

enum imap_login_answer {
    IMAP_LOGIN_CHALLENGE,   /* send data (base64 is added here) and wait for the client's frame */
    IMAP_LOGIN_ACCEPTED,    /* the account's process has taken over; the core sends nothing */
    IMAP_LOGIN_DENIED,      /* NO [AUTHENTICATIONFAILED] */
    IMAP_LOGIN_SUSPENDED,   /* NO [CONTACTADMIN] */
    IMAP_LOGIN_UNAVAILABLE, /* NO [UNAVAILABLE]: temporary, try again */
    IMAP_LOGIN_LIMITED      /* NO [LIMIT]: too many tries or connections; the connection is closed after it */
};

/* What the account half needs to go on. Views live until ACCEPTED is answered (leftover: until done). */
struct imap_login_handover {
    slice tag; /* of the LOGIN or AUTHENTICATE command: the account half answers `tag OK [CAPABILITY ..]` */
    bool authenticate; /* AUTHENTICATE rather than LOGIN */
    slice id;          /* the client's ID parameters as `("name" "x" ...)`, checked, or empty (RFC 2971) */
    slice leftover; /* bytes behind the command, not yet looked at: they go first into the account's socket */
};

/* Embedded in the connection; fields are private. About 400 bytes plus buffers that are empty while idle. */
struct imap_login {
    const struct imap_login_limits *limits;
    struct imap_login_config config;
    struct imap_reader reader;
    struct arena arena;           /* of the command in hand */
    struct buf in, out;           /* from and to the client */
    struct buf sasl;              /* decoded frame; wiped */
    struct buf id;                /* ID data */
    time_ms now, started, active; /* monotonic; 0 until the first tick */
    uint8_t state;
    uint8_t tag_n;
    bool authenticate, spoken; /* a line that looks like IMAP was seen */
    unsigned bad, tries;
    const char *reason;
    uint8_t tag[IMAP_LOGIN_TAG_MAX];
};

/* Puts the greeting into pending(). limits outlives the core. */
void imap_login_init(struct imap_login *l, const struct imap_login_limits *limits,
                     const struct imap_login_config *config);
/* Wipes and frees. Fits after any state. */
void imap_login_done(struct imap_login *l);
/* Takes bytes from the client; gives how many were taken: fewer than s.n (perhaps 0) when input_max is
 * reached. Then call next(), and stop reading from the socket while a lookup runs. */
NODISCARD size_t imap_login_feed(struct imap_login *l, slice s);
/* What to do now. Call until MORE, DONE or CLOSE. While the shell looks something up it gives MORE. */
void imap_login_next(struct imap_login *l, struct imap_login_event *out);
/* The result of a PASSWORD, SASL or SASL_DATA event. data only for CHALLENGE. ERR_STATE when nothing was
 * asked (the client may have hung up or timed out meanwhile: ignore it then). */
NODISCARD enum err imap_login_answer(struct imap_login *l, enum imap_login_answer answer, slice data);
/* Valid between a PASSWORD / SASL / SASL_DATA event and its answer, and after ACCEPTED. */
void imap_login_handover(const struct imap_login *l, struct imap_login_handover *out);
/* Monotonic time arrives. Says BYE and closes (next() gives CLOSE) when a deadline passed. */
void imap_login_tick(struct imap_login *l, time_ms now);
/* When imap_login_tick() wants to be called next (monotonic). */
time_ms imap_login_deadline(const struct imap_login *l);
/* The server is going away: `* BYE`, then CLOSE. Not during a lookup that was already ACCEPTED. */
void imap_login_shutdown(struct imap_login *l, const char *why);
/* Bytes for the client; then say how many were sent. */
static inline slice imap_login_pending(const struct imap_login *l)
{
    return buf_view(&l->out);
}
static inline void imap_login_sent(struct imap_login *l, size_t n)
{
    buf_consume(&l->out, n);
}

#endif
