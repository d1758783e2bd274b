/* driver: a shell around the SMTP server core for tests: it keeps the unread bytes, answers the questions by
 * simple rules, and writes down what happened as text lines.
 *
 * Rules: the local part decides. Senders: "refused" 550, "later" 451; recipients: "unknown" 550, "full" 452,
 * "later" 451; everything else 250. A body whose text holds "REJECT" is answered 550, "DEFER" 451, else 250;
 * with no_room every body is refused at its start. Logins: base64 of "good" is 235, of "bad" 535, anything
 * else gets a challenge. */
#ifndef POSTHORN_TEST_UNIT_SMTP_DRIVER_H
#define POSTHORN_TEST_UNIT_SMTP_DRIVER_H

#include "base/buf.h"
#include "core/smtp/server.h"

enum driver_answers {
    DRIVER_AT_ONCE,   /* inside the event */
    DRIVER_LATER,     /* when nothing else happens, oldest first */
    DRIVER_BACKWARDS, /* the same, newest first */
};

struct driver_question {
    uint32_t token;
    struct smtp_answer answer;
};

struct driver {
    struct smtp_server *s;
    enum driver_answers answers;
    bool no_room;
    bool tls_wanted; /* SMTP_EV_STARTTLS came */
    bool closed;     /* SMTP_EV_CLOSE came */
    bool drained;    /* replies are taken at once unless this is set by a test of back pressure */
    struct buf in;   /* unread */
    struct buf out;  /* what the client got */
    struct buf log;  /* events, a line each */
    struct buf body; /* of the message under way */
    bool in_txn, in_body;
    unsigned txn_rcpts;  /* answered 250 since MAIL */
    unsigned accepted;   /* messages answered 250 */
    unsigned most_asked; /* questions open at one time */
    struct driver_question questions[64];
    size_t questions_n;
};

void driver_init(struct driver *d, const struct smtp_server_config *config, enum driver_answers answers);
void driver_done(struct driver *d);
/* Bytes from the client (may be none), then everything that follows from them. */
void driver_feed(struct driver *d, slice bytes);
void driver_tick(struct driver *d, time_ms now);
void driver_tls_started(struct driver *d);

#endif
