/* What the files of the server core share. Nobody else includes this. */
#ifndef POSTHORN_CORE_SMTP_SERVER__H
#define POSTHORN_CORE_SMTP_SERVER__H

#include "base/buf.h"
#include "core/smtp/body_scan.h"
#include "core/smtp/server.h"

#define SMTP_SIMPLE_LINE_MAX 512  /* RFC 5321 §4.5.3.1.4, for commands without parameters */
#define SMTP_REPLY_TEXT_MAX  1024 /* of one reply; longer text is cut */
#define SMTP_EVENTS_MAX      4    /* the most one step makes: RESET, REFUSED, something, CLOSE */

enum smtp_phase {
    SMTP_PHASE_NEW,     /* the greeting was not sent */
    SMTP_PHASE_COMMAND, /* a command line comes next */
    SMTP_PHASE_SKIP,    /* the rest of a line that is too long is thrown away */
    SMTP_PHASE_AUTH,    /* a base64 line comes next */
    SMTP_PHASE_TLS,     /* STARTTLS was answered 220 */
    SMTP_PHASE_DATA,    /* message octets up to CRLF.CRLF */
    SMTP_PHASE_CHUNK,   /* octets of one BDAT */
    SMTP_PHASE_CLOSED,
};

/* A question that stops all reading until it is answered. */
enum smtp_question {
    SMTP_ASK_NOTHING,
    SMTP_ASK_MAIL,
    SMTP_ASK_AUTH,
    SMTP_ASK_DATA, /* BODY_BEGIN for DATA */
    SMTP_ASK_BDAT, /* BODY_BEGIN for the first BDAT */
    SMTP_ASK_BODY_END,
};

/* A reply in its place: of a RCPT that was asked ahead, or of one refused behind it. */
struct smtp_slot {
    uint32_t token;
    bool ready;
    time_ms not_before;
    struct buf reply;
};

/* The one transaction object: begun by a MAIL answered 2xx, ended by smtp__txn_reset() only. */
struct smtp_txn {
    bool active;
    bool smtputf8;
    bool body_begun; /* the shell said yes to BODY_BEGIN */
    bool chunked;    /* BDAT was used: DATA and RCPT are over (RFC 3030 §2) */
    bool rcpts_over; /* one was refused because there were too many */
    bool discarding; /* DATA over the size limit: read to its end, kept nowhere; the shell was told */
    uint32_t rcpts_ok, rcpts_asked;
    uint32_t rcpts_seen; /* RCPT commands, refused ones too */
    uint64_t body_bytes;
    time_ms body_started;
    struct smtp_body_scan scan;
};

struct smtp_server {
    struct smtp_server_config config;
    enum smtp_phase phase;
    bool tls, authed, esmtp, early, closing, draining;
    uint8_t helo[255];
    size_t helo_n;

    slice in; /* the shell's bytes */
    size_t used;
    size_t scanned; /* of the bytes behind used: looked through without finding LF */
    uint8_t skipped_last;
    struct buf out;

    time_ms now, greeted_at, active_at, slow_until;
    uint32_t nonsense, errors, idle_commands, auth_failures, refused_rcpts;

    struct smtp_txn txn;
    uint64_t chunk_left;
    bool chunk_last, chunk_discard; /* discard: it was answered before its octets came */

    uint32_t token_last;
    uint32_t ask_token;
    enum smtp_question ask;
    struct smtp_slot *slots; /* SMTP_SERVER_AHEAD of them, made at the first RCPT */
    size_t slot_first, slot_n;

    struct smtp_event events[SMTP_EVENTS_MAX];
    size_t event_first, event_n;
    union {
        struct smtp_mail mail;
        struct smtp_rcpt rcpt;
    } args; /* of the event in hand */
};

/* server_reply.c */

/* The reply to the command in hand, in its place behind those that wait. text may be many lines. */
void smtp__reply(struct smtp_server *s, int code, const char *status, slice text);
#define SMTP__SAY(s, code, status, literal) smtp__reply((s), (code), (status), SLICE(literal))
/* The same for a command we refuse: counts the error. */
void smtp__refuse(struct smtp_server *s, int code, const char *status, slice text);
#define SMTP__REFUSE(s, code, status, literal) smtp__refuse((s), (code), (status), SLICE(literal))
void smtp__print_reply(struct buf *out, int code, const char *status, slice text);
/* A place for the reply to a RCPT; NULL when SMTP_SERVER_AHEAD wait already. */
struct smtp_slot *smtp__slot_add(struct smtp_server *s);
struct smtp_slot *smtp__slot_find(struct smtp_server *s, uint32_t token);
/* Moves the replies that are due, in order, to the pending bytes. */
void smtp__slots_flush(struct smtp_server *s);
void smtp__slots_done(struct smtp_server *s);

/* server.c */

/* The next place in the queue of events; its type is set. */
struct smtp_event *smtp__event(struct smtp_server *s, enum smtp_event_type type);
/* An event the shell must answer before anything more is read. */
struct smtp_event *smtp__ask(struct smtp_server *s, enum smtp_question what, enum smtp_event_type type);
uint32_t smtp__token(struct smtp_server *s);
void smtp__note_refusal(struct smtp_server *s, enum smtp_refusal why, int code);
/* Refuses, says so in the journal, and ends the session behind this reply. */
void smtp__end(struct smtp_server *s, enum smtp_refusal why, int code, const char *status, slice text);
/* Now: the last event. quit: the client asked for it. */
void smtp__close(struct smtp_server *s, bool quit);
/* Ends the transaction. tell: the shell does not know yet, it gets SMTP_EV_RESET. */
void smtp__txn_reset(struct smtp_server *s, bool tell);
/* A command that moves no mail forward; too many end the session. */
void smtp__count_idle(struct smtp_server *s);

/* One file per command, or a few that are small. args: the line behind the verb, trimmed. */
void smtp__ehlo(struct smtp_server *s, slice args);
void smtp__helo(struct smtp_server *s, slice args);
void smtp__starttls(struct smtp_server *s, slice args);
void smtp__auth(struct smtp_server *s, slice args);
void smtp__mail(struct smtp_server *s, slice args);
void smtp__rcpt(struct smtp_server *s, slice args);
void smtp__data(struct smtp_server *s, slice args);
void smtp__bdat(struct smtp_server *s, slice args);
void smtp__rset(struct smtp_server *s, slice args);
void smtp__noop(struct smtp_server *s, slice args);
void smtp__vrfy(struct smtp_server *s, slice args);
void smtp__expn(struct smtp_server *s, slice args);
void smtp__help(struct smtp_server *s, slice args);
void smtp__quit(struct smtp_server *s, slice args);

/* server_auth.c: the next line of an exchange. */
void smtp__auth_line(struct smtp_server *s, slice line);
/* Is a login possible here and now? */
bool smtp__auth_offered(const struct smtp_server *s);
/* The answers to what these commands asked. */
void smtp__auth_answer(struct smtp_server *s, const struct smtp_answer *a);
void smtp__mail_answer(struct smtp_server *s, const struct smtp_answer *a);
void smtp__rcpt_answer(struct smtp_server *s, struct smtp_slot *slot, const struct smtp_answer *a);
void smtp__data_answer(struct smtp_server *s, const struct smtp_answer *a);
void smtp__bdat_answer(struct smtp_server *s, const struct smtp_answer *a);
void smtp__body_end_answer(struct smtp_server *s, const struct smtp_answer *a);

/* server_body.c: message octets. True: something was used or asked. */
bool smtp__data_advance(struct smtp_server *s, slice in);
bool smtp__chunk_advance(struct smtp_server *s, slice in);

static inline bool smtp__is_submission(const struct smtp_server *s)
{
    return s->config.service != SMTP_MX;
}

#endif
