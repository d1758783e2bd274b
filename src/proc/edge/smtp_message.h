/* smtp_message: one message on its way from MAIL to the reply behind its last dot: recipients with what
 * directory said of them, the body in a memfd, the verdict, the deliveries, the queue.
 *
 *     MAIL ...... message_new
 *     RCPT ...... message_rcpt: directory is asked; targets with their delivery tickets are kept here
 *     body ...... message_body_begin / _bytes
 *     end ....... message_end: judge -> (submission: directory, may they write as that?) -> accounts, robots
 * (x_intake.h) and relay -> reply
 *
 * What a mail server owes (RFC 5321 §6.1): 250 is said only when every recipient is kept, in its account's
 * database or in the queue. SMTP has one reply for all recipients, so:
 *
 *     every target delivered ................................ 250
 *     some targets cannot take it now, or are elsewhere ..... those go to the queue, then 250
 *     none was delivered, and each says why for good or is
 *     full, and nobody is elsewhere ......................... that answer, in the session (no backscatter,
 * THREATS 30) the queue does not take it ............................ 451; the client comes again
 *
 * A message whose client is gone is still finished once its deliveries have begun: they cannot be called
 * back. Before that it is dropped.
 *
 * A role that is gone is being started anew, which takes a moment: the same is asked again for
 * MESSAGE_PATIENCE_MS before the client is told to come back. Every question may be asked twice: recipients
 * and verdicts change nothing, the queue takes a mail id once. An account's process that is gone is not
 * waited for: there is the queue. Nor is a robot's: what is for robots alone is answered 451 then, because
 * those who send reports come again.
 *
 * Invariants: 1. The reply function is called at most once, never after message_free(). 2. Every call to
 * another role has a deadline. 3. Bytes of bodies count in edge->body_bytes from the first to message's end.
 */
#ifndef POSTHORN_PROC_EDGE_SMTP_MESSAGE_H
#define POSTHORN_PROC_EDGE_SMTP_MESSAGE_H

#include "base/ip.h"
#include "core/smtp/envelope.h"
#include "proc/edge/edge.h"

#define MESSAGE_PATIENCE_MS (5 * MS_SECOND)
#define MESSAGE_AGAIN_MS    100

/* Who sends: copied from the session when the message begins. */
struct message_from {
    uint64_t connection;
    struct ip ip;
    slice helo;
    slice ptr; /* set late, by message_end() */
    bool esmtp, tls;
    slice tls_cipher; /* or empty */
    uint64_t account; /* who is logged in; 0: nobody */
    slice address;    /* of that account */
};

struct message;

/* What all sessions of a process share: behind edge->smtp. NULL there means the defaults. */
struct smtp_shared {
    time_ms patience_ms; /* how long a role that is gone is waited for before the client hears 451 */
};

/* The answer to a RCPT, or to the message. text lives until the function returns. */
typedef void (*message_reply_fn)(void *arg, uint32_t token, int code, const char *status, slice text);

/* Everything is copied. reply gets arg with every answer. */
struct message *message_new(struct edge *e, const struct message_from *from, const struct smtp_mail *mail,
                            message_reply_fn reply, void *arg);
uint64_t message_id_of(const struct message *m);
slice message_sender(const struct message *m); /* as text; empty: null sender. Lent */
/* Asks directory; the answer comes by reply with this token, also from inside this call. */
void message_rcpt(struct message *m, uint32_t token, const struct smtp_rcpt *rcpt);
/* Is there room for a body? OK or ERR_BUSY. */
NODISCARD enum err message_body_begin(struct message *m);
/* Takes octets of the body; what goes wrong is answered at the end. */
void message_body_bytes(struct message *m, slice bytes);
/* All is here: decides and delivers; the answer comes by reply with this token, also from inside this call.
 * The message is gone when it does. */
void message_end(struct message *m, uint32_t token, slice ptr);
/* The client does not want it any more, or is gone (why: for the journal, in words). Frees, now or when
 * deliveries that have begun are done. NULL is fine. */
void message_abandon(struct message *m, const char *why);

#endif
