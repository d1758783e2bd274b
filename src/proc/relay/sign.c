#include "proc/relay/sign.h"

#include "ipc/x_judge.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <stdlib.h>

#define SIGN_ARENA_MAX  ((size_t)2 << 20)
#define SIGN_MS         (60 * MS_SECOND)
#define SIGN_AGAIN_MS   250 /* judge is being started again */
#define SIGN_PATIENT_MS (5 * MS_SECOND)

struct signing {
    struct list link;
    struct relay *relay;
    struct role_peer *peer;
    uint64_t id;
    struct arena arena;
    struct enqueue in; /* in the arena */
    int fd;
    sign_done_fn done;
    struct loop_timer timer;
    time_ms patient_until;
};

static bool signing_copy(struct signing *s, const struct enqueue *in)
{
    struct arena *a = &s->arena;
    struct enqueue_rcpt *rcpts = ARENA_ARRAY(a, in->n_rcpts, struct enqueue_rcpt);
    s->in = *in;
    for (size_t i = 0; rcpts && i < in->n_rcpts; i++) {
        rcpts[i] = in->rcpts[i];
        if (!arena_dup(a, in->rcpts[i].address, &rcpts[i].address) ||
            !arena_dup(a, in->rcpts[i].orcpt, &rcpts[i].orcpt))
            return false;
    }
    s->in.rcpts = rcpts;
    return rcpts && arena_dup(a, in->reverse_path, &s->in.reverse_path) &&
           arena_dup(a, in->envid, &s->in.envid) && arena_dup(a, in->prefix, &s->in.prefix) &&
           arena_dup(a, in->message_id, &s->in.message_id);
}

static void signing_free(struct signing *s)
{
    role_forget(s->relay->role, s);
    list_remove(&s->link);
    loop_timer_done(&s->timer);
    fd_done(&s->fd);
    arena_done(&s->arena);
    free(s);
}

/* ---- what reporter may send */

static const slice sign_robot = SLICE_INIT("dmarc-reports@");

bool sign_may(struct relay *r, const struct role_peer *peer, const struct enqueue *in)
{
    time_ms minute = loop_now(r->loop) / MS_MINUTE;
    if (in->account) /* nobody's rights are lent to a robot */
        return false;
    if (peer->role != ROLE_REPORTER)
        return true;
    for (size_t i = 0; i < in->n_rcpts; i++)
        if (in->rcpts[i].local)
            return false;
    if (r->reports_minute != minute) {
        r->reports_minute = minute;
        r->reports = 0;
    }
    return (in->reverse_path.n == 0 || slice_starts_nocase(in->reverse_path, sign_robot)) &&
           in->prefix.n == 0 && in->n_rcpts <= SIGN_REPORTS_RCPTS && r->reports++ < SIGN_REPORTS_A_MINUTE;
}

/* Is the robot the only author? */
static bool signing_is_report(const struct judge_verdict *v)
{
    for (size_t i = 0; i < v->n_senders; i++)
        if (!slice_starts_nocase(v->senders[i].address, sign_robot))
            return false;
    return v->n_senders > 0;
}

static void signing_refuse(struct signing *s, enum err e, const char *why)
{
    relay_refuse(s->peer, s->id, e, why);
    signing_free(s);
}

/* ---- the judge's answer */

static void signing_finish(struct signing *s, const char *trouble)
{
    if (trouble)
        role_tell(s->relay->role, (struct journal_event){.kind = JOURNAL_TROUBLE,
                                                         .mail = s->in.mail_id,
                                                         .name = SLICE("signature"),
                                                         .text = slice_str(trouble)});
    s->done(s->relay, s->peer, s->id, &s->in, &s->fd);
    signing_free(s);
}

/* What judge adds (signatures first) stands above the message and below what the asker put there. */
static bool signing_take(struct signing *s, const struct judge_verdict *v, int *fds, size_t n_fds)
{
    uint8_t *p = arena_alloc(&s->arena, s->in.prefix.n + v->prefix.n);
    if (!p || s->in.prefix.n + v->prefix.n > PREFIX_MAX)
        return false;
    if (s->in.prefix.n)
        memcpy(p, s->in.prefix.p, s->in.prefix.n);
    if (v->prefix.n)
        memcpy(p + s->in.prefix.n, v->prefix.p, v->prefix.n);
    s->in.prefix = slice_of(p, s->in.prefix.n + v->prefix.n);
    if (n_fds == 1) {
        fd_done(&s->fd);
        s->fd = fd_take(&fds[0]);
    }
    return true;
}

static void signing_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct signing *s = arg;
    const struct judge_verdict *v = message;
    if (e == ERR_CLOSED && loop_now(s->relay->loop) < s->patient_until)
        loop_timer_after(&s->timer, SIGN_AGAIN_MS);
    else if (s->peer->role == ROLE_REPORTER && e != OK)
        signing_refuse(s, ERR_BUSY, "the judge did not answer");
    else if (s->peer->role == ROLE_REPORTER && (v->action >= JUDGE_DEFER || !signing_is_report(v)))
        signing_refuse(s, ERR_DENIED, "reports are sent in the name of dmarc-reports only");
    else if (e != OK)
        signing_finish(s, "a message of this house was sent unsigned: the judge did not answer");
    else if (v->action >= JUDGE_DEFER)
        signing_finish(s, "a message of this house was sent unsigned: the judge would not have let it pass");
    else
        signing_finish(s,
                       signing_take(s, v, fds, n_fds)
                           ? NULL
                           : "a message of this house was sent unsigned: there is no room for a signature");
}

static void signing_ask(void *arg)
{
    struct signing *s = arg;
    const struct judge_ask ask = {.mail_id = s->in.mail_id,
                                  .outbound = true,
                                  .reverse_path = s->in.reverse_path,
                                  .smtputf8 = s->in.smtputf8,
                                  .now = clock_unix()};
    enum err e =
        role_call(s->relay->role, ROLE_JUDGE, X_JUDGE_ASK, &ask, &s->fd, 1, SIGN_MS, signing_answered, s);
    if (e)
        signing_answered(s, e, NULL, NULL, 0);
}

void sign_mail(struct relay *r, struct role_peer *peer, uint64_t id, const struct enqueue *in, int *fd,
               sign_done_fn done)
{
    struct signing *s = calloc(1, sizeof *s);
    must(s);
    *s = (struct signing){.relay = r,
                          .peer = peer,
                          .id = id,
                          .fd = fd_take(fd),
                          .done = done,
                          .patient_until = loop_now(r->loop) + SIGN_PATIENT_MS};
    arena_init(&s->arena, "signing", SIGN_ARENA_MAX);
    loop_timer_init(r->loop, &s->timer, signing_ask, s);
    list_init(&s->link);
    list_append(&r->signings, &s->link);
    must(signing_copy(s, in)); /* the arena takes whatever a channel carries */
    signing_ask(s);
}

void sign_peer(struct relay *r, const struct role_peer *peer)
{
    LIST_EACH_SAFE(it, &r->signings)
    {
        struct signing *s = LIST_OF(it, struct signing, link);
        if (s->peer == peer)
            signing_free(s);
    }
}

bool sign_idle(const struct relay *r)
{
    return list_empty(&r->signings);
}
