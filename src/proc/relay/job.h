/* job: one message of the queue while it is in memory, because it is fresh, being tried, or being changed. */
#ifndef POSTHORN_PROC_RELAY_JOB_H
#define POSTHORN_PROC_RELAY_JOB_H

#include "core/mail/mailbox.h"
#include "core/smtp/client.h"
#include "proc/relay/relay.h"
#include "sys/body.h"

enum job_phase {
    JOB_RESTING, /* not due, held, or tried already */
    JOB_BUSY,    /* being tried */
    JOB_NOTED,   /* done, but leaves only together with the notice about it */
    JOB_GONE,    /* done */
};

struct job_rcpt {
    struct queue_rcpt q; /* slices in the job's arena */
    enum job_phase phase;
    bool noted;     /* the next notice tells of it */
    uint8_t action; /* enum dsn_action */
    const char *status;
    slice reason; /* ours */
};

struct job {
    struct relay *relay;
    struct arena arena;
    struct queue_message m; /* its rcpts are not used: below */
    struct job_rcpt *rcpts;
    size_t n, room;
    struct buf body; /* the body, or mapped: */
    struct body map;
    slice bytes; /* whichever it is; without the prefix */
    bool has_body;
    size_t counted; /* in relay->body_bytes */
    int fd;         /* sealed, for local recipients; -1 until wanted */
    size_t busy;    /* recipients being tried */
    unsigned refs;
    bool settled; /* the attempt is over */
};

/* How one attempt for one recipient ended. Slices are copied. */
struct job_outcome {
    enum smtp_client_outcome outcome;
    uint32_t code;      /* of the reply, 0: none */
    const char *status; /* "5.1.1"; literal or NULL */
    slice reply;        /* verbatim, or empty */
    slice reason;       /* ours, or empty */
    slice host;         /* who said so: a name */
    slice peer;         /* for the journal: "name [ip]" */
    slice tls;          /* TLS facts in words, or empty */
    bool dsn_passed;    /* the next host answers for the notice */
    bool local;         /* it was one of our accounts */
    bool soon;          /* our own house was the reason: does not count, try again soon */
};

/* A job of a message that is not in the queue yet. m's slices and recipients are copied; the body is taken
 * over: buf (moved; may be empty) or map (moved). fd is taken over or -1. */
struct job *job_new(struct relay *r, const struct queue_message *m, struct buf *body, struct body *map,
                    int fd);
/* A job of a message in the queue. ERR_NOT_FOUND, ERR_CORRUPT (put aside), ERR_BUSY when it is in memory
 * already. */
NODISCARD enum err job_load(struct relay *r, uint64_t id, struct job **out);
struct job *job_ref(struct job *j);
/* Drops a reference; the last one frees it. */
void job_unref(struct job **j);
struct job *job_find(const struct relay *r, uint64_t id);

/* Tries all recipients that are due. Once for each job; at the end the job goes to the schedule or is gone.
 * Takes a reference for as long as it lasts. */
void job_start(struct job *j);
/* The same, or into the schedule when too much is under way already. */
void job_start_or_wait(struct job *j);
void job_result(struct job *j, size_t at, const struct job_outcome *o);
/* Adds recipients that an alias of ours leads to; they are written when the one they come from is done. */
void job_add_remote(struct job *j, size_t from, slice address);

/* A sealed descriptor of the body; borrowed. */
NODISCARD enum err job_fd(struct job *j, int *out_fd);
/* Body in memory; reads it when it is not. */
NODISCARD enum err job_body(struct job *j);
/* May somebody be told about this message (invariant 4)? */
bool job_may_notify(const struct job *j);
/* Tells the journal, with the mail id and the recipient filled in. */
void job_tell(struct job *j, size_t at, struct journal_event e);

#endif
