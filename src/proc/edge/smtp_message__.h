/* What smtp_message.c and smtp_deliver.c share. */
#ifndef POSTHORN_PROC_EDGE_SMTP_MESSAGE__H
#define POSTHORN_PROC_EDGE_SMTP_MESSAGE__H

#include "base/arena.h"
#include "ipc/x_directory.h"
#include "ipc/x_intake.h"
#include "proc/edge/smtp_message.h"
#include "sys/body.h"

struct message_rcpt;

/* Where a recipient's mail goes: an account or a robot of ours, or an address elsewhere. */
struct message_target {
    struct message_rcpt *rcpt;
    enum rcpt_kind kind;
    bool local;    /* not RCPT_REMOTE */
    bool done;     /* it is in the account's database, or the robot has taken it */
    bool repeated; /* another target of this message is the same account or robot: this one counts for nothing
                    */
    uint64_t account;
    slice ticket, address, detail;
    enum err err; /* why it is not done */
    slice text;   /* what it said, in words */
};

struct message_rcpt {
    struct message *message;
    struct message_rcpt *next;
    uint32_t token;
    bool asked, accepted;
    bool again;    /* is asked again in a moment */
    slice address; /* as in RCPT */
    slice orcpt;
    unsigned notify;
    struct message_target *targets;
    size_t n_targets;
};

struct message {
    struct edge *edge;
    message_reply_fn reply; /* NULL: the client is gone */
    void *arg;
    uint32_t token;
    uint64_t id;
    struct arena arena;
    struct message_from from;
    struct smtp_mail mail;
    slice sender;
    struct message_rcpt *rcpts; /* in the order of their commands */
    size_t n_rcpts;             /* accepted ones */
    size_t n_asked;             /* these and those directory was not heard about yet */
    size_t envelope_bytes;
    struct body_writer body;
    enum err body_err;
    uint64_t counted_bytes; /* in edge->body_bytes */
    int fd;                 /* the sealed body */
    time_ms received_at;
    bool junk;
    slice judge_prefix, message_id;
    struct intake findings; /* what the judge found out about where it comes from, for robots */
    struct loop_timer timer;
    time_ms patient_until;           /* 0: nothing failed */
    void (*again)(struct message *); /* what the timer does once more */
    struct sender_item *senders;     /* From and Sender addresses to be asked for */
    size_t n_senders;
    bool delivering;
    size_t waiting; /* deliveries that run */
};

void message__tell(struct message *m, struct journal_event event);
void message__free(struct message *m);
/* True: the role that should have answered is gone (e), and again will be called in a moment. False: it is no
 * such error, or patience is at its end. */
bool message__patient(struct message *m, enum err e, void (*again)(struct message *));
/* Ends the message with this reply. */
void message__reply(struct message *m, int code, const char *status, slice text);
/* 550 for an address that is not theirs to use. */
void message__reply_sender(struct message *m, const struct sender_answer *a);
/* The verdict is fine: to accounts and queue. */
void message__deliver(struct message *m);

#endif
