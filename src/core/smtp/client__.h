/* What the files of the SMTP client share. Nobody else includes it. */
#ifndef POSTHORN_CORE_SMTP_CLIENT__H
#define POSTHORN_CORE_SMTP_CLIENT__H

#include "core/smtp/client.h"
#include "core/smtp/client_reply.h"
#include "core/smtp/client_write.h"

/* What is awaited. The order of MAIL..FINAL is the order of a transaction. */
enum smtp_client_phase {
    PHASE_GREETING,
    PHASE_EHLO,
    PHASE_HELO,
    PHASE_STARTTLS,
    PHASE_HANDSHAKE, /* the shell's turn */
    PHASE_IDLE,
    PHASE_RSET,
    PHASE_MAIL,
    PHASE_RCPT,
    PHASE_DATA,
    PHASE_BODY, /* being sent */
    PHASE_FINAL,
    PHASE_QUIT,
    PHASE_DEAD,
    PHASE__COUNT
};

enum rcpt_state { RCPT_OPEN, RCPT_ACCEPTED, RCPT_TOLD };

/* One answer for several recipients. The reply's text stays in c->reply, which is not read on until all were
 * told. */
struct smtp_client_verdict {
    enum smtp_client_outcome outcome;
    const char *status, *reason;
    bool ours; /* c->reply does not say it */
};

struct smtp_client {
    struct smtp_client_config config;
    enum smtp_client_phase phase;
    bool tls_on, tls_refused;
    unsigned offers;
    uint64_t size_max;
    struct buf in, out;
    size_t in_seen; /* of in, looked at for a line end */
    struct smtp_client_reply reply;
    time_ms now, deadline;
    /* the transaction */
    struct smtp_client_mail mail;
    size_t rcpt_at, accepted, told;
    uint8_t rcpt[SMTP_CLIENT_RCPT_MAX];
    bool open, pipelined, dirty /* RSET before the next MAIL */, done_due;
    bool ended; /* the end of data is on its way: without an answer to it the message may have been taken all
                   the same (RFC 5321 §4.2.5, RFC 1047) */
    struct smtp_client_lines lines;
    /* recipients to be told the same */
    bool fan;
    size_t fan_at;
    struct smtp_client_verdict verdict;
    /* the session's end */
    enum err failed;
    const char *failed_reason;
    bool failed_reply /* c->reply says why */, failed_told, ready_due, close_due, starttls_due;
};

/* --- client.c */

/* Awaits this from now on, and begins its time. */
void smtp_client__go(struct smtp_client *c, enum smtp_client_phase phase);
void smtp_client__hello(struct smtp_client *c, bool esmtp);
/* Writes the command whose reply is awaited next, and with PIPELINING all up to DATA (RFC 2920 §3.1). */
void smtp_client__put_from(struct smtp_client *c, enum smtp_client_phase phase);
/* What the reply in hand says to a recipient. */
struct smtp_client_verdict smtp_client__said(const struct smtp_client *c);
/* Fills the event that tells one recipient, who was not told yet. */
void smtp_client__tell(struct smtp_client *c, size_t at, const struct smtp_client_verdict *v,
                       struct smtp_client_event *out);
/* Everyone without an answer gets this one. */
void smtp_client__tell_all(struct smtp_client *c, struct smtp_client_verdict v);
/* The session is over; who has no answer yet is told so. reply: the reply in hand says why. */
void smtp_client__fail(struct smtp_client *c, enum err e, const char *reason, bool reply);

/* --- client_on_reply.c */

/* The whole reply in c->reply answers what is awaited. True when an event came out. */
bool smtp_client__on_reply(struct smtp_client *c, struct smtp_client_event *out);

#endif
