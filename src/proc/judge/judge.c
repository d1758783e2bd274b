/* The shell of policy/inbound and policy/submission. A question is answered at once, in the order in which
 * they come: only the header is read, so none takes long. What we cannot look at (a body that does not map,
 * no memory) is deferred, never lost and never let in unseen. */
#include "proc/judge/judge.h"

#include "base/arena.h"
#include "core/mail/limits.h"
#include "ipc/x_judge.h"
#include "policy/inbound.h"
#include "policy/submission.h"
#include "sys/body.h"
#include "sys/fd.h"

#include <stdlib.h>

#define JUDGE_ARENA_MAX ((size_t)128 << 20)
#define JUDGE_BODY_MAX  ((uint64_t)1 << 30) /* a sanity bound: the edge keeps to message-size */

struct judge {
    struct role_self *role;
    struct arena arena; /* of one question */
};

static void judge_answer(struct role_peer *peer, uint64_t id, const struct verdict *v, int new_body)
{
    struct judge_reason reasons[VERDICT_REASONS_MAX];
    struct judge_rcpt senders[VERDICT_SENDERS_MAX];
    struct judge_verdict answer = {.action = (uint8_t)v->action,
                                   .code = v->code,
                                   .status = v->status,
                                   .text = slice_sub(v->text, 0, TEXT_MAX),
                                   .reasons = reasons,
                                   .n_reasons = v->n_reasons,
                                   .prefix = v->prefix,
                                   .message_id = slice_sub(v->message_id, 0, 1000),
                                   .senders = senders,
                                   .n_senders = v->n_senders};
    static_assert((int)VERDICT_ACCEPT == (int)JUDGE_ACCEPT && (int)VERDICT_REJECT == (int)JUDGE_REJECT,
                  "policy and channel mean the same");
    static_assert(VERDICT_REASONS_MAX <= 64 && VERDICT_SENDERS_MAX <= 512, "x_judge has room");
    for (size_t i = 0; i < v->n_reasons; i++)
        reasons[i].text = slice_sub(v->reasons[i], 0, TEXT_MAX);
    for (size_t i = 0; i < v->n_senders; i++)
        senders[i].address = v->senders[i];
    if (peer->chan)
        IGNORE_RESULT(chan_reply(peer->chan, id, X_JUDGE_VERDICT, &answer, &new_body, new_body >= 0 ? 1 : 0),
                      "the asker may be gone, or sees a missing answer as a reason to defer");
}

static void judge_defer(struct role_peer *peer, uint64_t id, slice why)
{
    struct verdict v = {.action = VERDICT_DEFER,
                        .code = 451,
                        .status = SLICE("4.3.0"),
                        .text = SLICE("This message could not be looked at just now; please try again")};
    verdict_reason(&v, why);
    judge_answer(peer, id, &v, -1);
}

/* A new sealed body of the pieces that stay. */
static enum err judge_write(const struct verdict *v, int *out_fd)
{
    struct body_writer w;
    uint64_t bytes;
    enum err e = OK;
    body_writer_init(&w, JUDGE_BODY_MAX);
    for (size_t i = 0; !e && i < v->n_keep; i++)
        e = body_append(&w, v->keep[i]);
    if (!e)
        e = body_seal(&w, out_fd, &bytes);
    body_writer_done(&w);
    return e;
}

static bool judge_decide(struct judge *j, const struct judge_ask *ask, slice message, struct verdict *v)
{
    struct submission s = {.message = message,
                           .hostname = role_setting(j->role, "hostname", 0),
                           .mail_id = ask->mail_id,
                           .account_address = ask->account_address,
                           .smtputf8 = ask->smtputf8,
                           .now = ask->now};
    return ask->outbound ? submission_decide(&s, &mail_limits_default, &j->arena, v)
                         : inbound_decide(message, &mail_limits_default, &j->arena, v);
}

static void judge_asked(struct judge *j, struct role_peer *peer, uint64_t id, const struct judge_ask *ask,
                        int body_fd)
{
    struct body body = {0};
    struct verdict v = {0};
    CLEANUP(fd_done) int new_body = -1;
    if (body_map(body_fd, JUDGE_BODY_MAX, &body)) {
        judge_defer(peer, id, SLICE("the message body could not be read"));
        return;
    }
    if (!judge_decide(j, ask, body_view(&body), &v))
        judge_defer(peer, id, SLICE("the message needs more memory than a message may"));
    else if (v.action != VERDICT_REJECT && v.n_keep && judge_write(&v, &new_body))
        judge_defer(peer, id, SLICE("there is no room for the message without its Bcc"));
    else
        judge_answer(peer, id, &v, new_body);
    body_unmap(&body);
    arena_reset(&j->arena);
}

static void judge_on_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                             const void *message, int *fds, size_t n_fds)
{
    if (peer->def == &x_judge_channel && type == X_JUDGE_ASK && n_fds == 1)
        judge_asked(r->state, peer, id, message, fds[0]);
}

static enum err judge_start(struct role_self *r, struct err_detail *detail)
{
    struct judge *j = calloc(1, sizeof *j);
    (void)detail;
    must(j);
    j->role = r;
    arena_init(&j->arena, "question", JUDGE_ARENA_MAX);
    r->state = j;
    return OK;
}

void judge_done(struct role_self *r)
{
    struct judge *j = r->state;
    arena_done(&j->arena);
    free(j);
    r->state = NULL;
}

const struct role_spec judge_spec = {
    .role = ROLE_JUDGE,
    .rights = &judge_rights,
    .start = judge_start,
    .on_message = judge_on_message,
};
