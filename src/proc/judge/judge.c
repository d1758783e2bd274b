/* The shell: questions come in, wait for their turn, are worked on several at a time, and each is answered
 * once. What we cannot look at (a body that does not map, no memory) is deferred, never lost and never let in
 * unseen. How a message goes through is told in judge__.h. */
#include "proc/judge/judge.h"

#include "core/mail/limits.h"
#include "ipc/doctor_judge.h"
#include "proc/judge/judge__.h"
#include "sys/fd.h"

#include <stdlib.h>

/* ---- the end of a job */

static void job_free(struct job *j)
{
    struct judge *judge = j->judge;
    bool in_hand = j->fd < 0;
    judge_inbound_done(j);
    judge_outbound_done(j);
    list_remove(&j->link);
    loop_task_cancel(&j->task);
    loop_timer_done(&j->timer);
    body_unmap(&j->body);
    fd_done(&j->fd);
    arena_done(&j->arena);
    free(j);
    if (in_hand)
        judge->n_jobs--;
}

static void job_end(struct job *j)
{
    struct judge *judge = j->judge;
    job_free(j);
    loop_later(judge->role->loop, &judge->next);
}

static void judge_reply(struct job *j, int new_body)
{
    const struct verdict *v = &j->verdict;
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
    if (j->judged)
        judge_inbound_results(j, &answer);
    if (j->peer && j->peer->chan)
        IGNORE_RESULT(
            chan_reply(j->peer->chan, j->id, X_JUDGE_VERDICT, &answer, &new_body, new_body >= 0 ? 1 : 0),
            "the asker may be gone, or sees a missing answer as a reason to defer");
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

void judge_job_answer(struct job *j)
{
    struct judge *judge = j->judge;
    CLEANUP(fd_done) int new_body = -1;
    if (j->verdict.action < VERDICT_DEFER && j->verdict.n_keep && judge_write(&j->verdict, &new_body)) {
        judge_job_defer(j, SLICE("there is no room for the message without the fields that are removed"));
        return;
    }
    judge->judged++;
    judge->rejected += j->verdict.action == VERDICT_REJECT;
    judge->deferred += j->verdict.action == VERDICT_DEFER;
    judge->junked += j->verdict.action == VERDICT_JUNK;
    judge_reply(j, new_body);
    job_end(j);
}

void judge_job_defer(struct job *j, slice why)
{
    struct verdict v = {.action = VERDICT_DEFER,
                        .code = 451,
                        .status = SLICE("4.3.0"),
                        .text = SLICE("This message could not be looked at just now; please try again")};
    verdict_reason(&v, why);
    j->verdict = v;
    j->judged = false;
    judge_job_answer(j);
}

/* ---- work */

static void job_task(void *arg)
{
    struct job *j = arg;
    j->step(j);
}

void judge_job_go(struct job *j)
{
    loop_later(j->judge->role->loop, &j->task);
}

bool judge_job_hash(struct job *j, void (*fn)(struct job *, slice))
{
    slice piece = slice_sub(j->message, j->hashed, j->hashed + JUDGE_SLICE);
    if (piece.n)
        fn(j, piece);
    j->hashed += piece.n;
    return j->hashed == j->message.n;
}

static void job_begin(struct job *j)
{
    enum err e = body_map(j->fd, JUDGE_BODY_MAX, &j->body);
    fd_done(&j->fd);
    list_remove(&j->link);
    list_append(&j->judge->jobs, &j->link);
    j->judge->n_jobs++;
    j->message = body_view(&j->body);
    j->began_at = loop_now(j->judge->role->loop);
    if (e)
        judge_job_defer(j, SLICE("the message body could not be read"));
    else if (j->ask.outbound)
        judge_outbound_begin(j);
    else
        judge_inbound_begin(j);
}

size_t judge_memory(const struct judge *judge)
{
    size_t bytes = 0;
    LIST_EACH(it, &judge->jobs)
    bytes += LIST_OF(it, struct job, link)->arena.used;
    return bytes;
}

/* Begins messages while there is room. A job may end inside job_begin(). */
static void judge_next(void *arg)
{
    struct judge *judge = arg;
    while (!list_empty(&judge->waiting) && judge->n_jobs < JUDGE_JOBS_MAX &&
           (judge->n_jobs == 0 || judge_memory(judge) < JUDGE_ARENAS_MAX))
        job_begin(LIST_OF(judge->waiting.next, struct job, link));
}

/* ---- questions */

static bool job_copy(struct job *j, const struct judge_ask *ask)
{
    struct arena *a = &j->arena;
    struct judge_rcpt *rcpts = ARENA_ARRAY(a, ask->n_rcpts, struct judge_rcpt);
    j->ask = *ask;
    for (size_t i = 0; rcpts && i < ask->n_rcpts; i++)
        if (!arena_dup(a, ask->rcpts[i].address, &rcpts[i].address))
            return false;
    j->ask.rcpts = rcpts;
    return rcpts && arena_dup(a, ask->client_ip, &j->ask.client_ip) &&
           arena_dup(a, ask->client_name, &j->ask.client_name) && arena_dup(a, ask->helo, &j->ask.helo) &&
           arena_dup(a, ask->reverse_path, &j->ask.reverse_path) &&
           arena_dup(a, ask->account_address, &j->ask.account_address);
}

static void judge_asked(struct judge *judge, struct role_peer *peer, uint64_t id, const struct judge_ask *ask,
                        int *fd)
{
    struct job *j = calloc(1, sizeof *j);
    must(j);
    j->judge = judge;
    j->peer = peer;
    j->id = id;
    j->fd = fd_take(fd);
    list_init(&j->link);
    loop_task_init(&j->task, job_task, j);
    loop_timer_init(judge->role->loop, &j->timer, job_task, j);
    arena_init(&j->arena, "question", JUDGE_ARENA_MAX);
    must(job_copy(j, ask)); /* an empty arena has room for what a channel carries */
    list_append(&judge->waiting, &j->link);
    judge_next(judge);
}

static void judge_on_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                             const void *message, int *fds, size_t n_fds)
{
    if (peer->def == &x_judge_channel && type == X_JUDGE_ASK && n_fds == 1)
        judge_asked(r->state, peer, id, message, &fds[0]);
    else if (peer->def == &doctor_judge_channel && type == DOCTOR_JUDGE_LOOK)
        judge_lists_answer(r->state, peer, id);
}

/* An answer to an old channel must never reach a new one, where the same number may stand for another
 * question. Nobody waits for those messages any more; they are dropped. */
static void judge_on_peer(struct role_self *r, struct role_peer *peer)
{
    struct judge *judge = r->state;
    struct list *lists[] = {&judge->waiting, &judge->jobs};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        LIST_EACH_SAFE(it, lists[i])
        {
            struct job *j = LIST_OF(it, struct job, link);
            if (j->peer == peer)
                job_free(j);
        }
    loop_later(r->loop, &judge->next);
}

/* Something about our own domains is known now. */
static void judge_house_came(void *arg)
{
    struct judge *judge = arg;
    LIST_EACH(it, &judge->jobs)
    {
        struct job *j = LIST_OF(it, struct job, link);
        if (j->of_house)
            judge_job_go(j);
    }
}

/* ---- beginning and end */

static enum err judge_forwarders(struct judge *judge, const char *setting, bool lists,
                                 struct err_detail *detail)
{
    slice text;
    for (size_t i = 0; (text = role_setting(judge->role, setting, i)).n; i++) {
        struct authentication_forwarder f;
        if (judge->n_forwarders == JUDGE_FORWARDERS_MAX || authentication_forwarder_parse(text, &f)) {
            err_detail_set(detail, "judge: %s %.*s is not understood, or one too many", setting,
                           SLICE_FMT(text));
            return ERR_CONFIG;
        }
        f.lists = lists;
        judge->forwarders[judge->n_forwarders++] = f;
    }
    return OK;
}

static enum err judge_settings(struct judge *judge, struct err_detail *detail)
{
    slice text;
    enum err e = judge_forwarders(judge, "forwarder", false, detail);
    if (!e)
        e = judge_forwarders(judge, "mailing-list", true, detail);
    if (e)
        return e;
    for (size_t i = 0; (text = role_setting(judge->role, "arc-sealer", i)).n && i < JUDGE_SEALERS_MAX; i++)
        judge->sealers[judge->n_sealers++] = text;
    return OK;
}

static enum err judge_start(struct role_self *r, struct err_detail *detail)
{
    struct judge *j = calloc(1, sizeof *j);
    must(j);
    j->role = r;
    list_init(&j->jobs);
    list_init(&j->waiting);
    loop_task_init(&j->next, judge_next, j);
    j->dns = judge_dns_new(r);
    j->house = judge_house_new(r, judge_house_came, j);
    j->replay = replay_new();
    j->keys = dkim_keys_cache_new(JUDGE_KEYS_CACHE);
    j->lists = judge_lists_new(j);
    r->state = j;
    return judge_settings(j, detail);
}

void judge_done(struct role_self *r)
{
    struct judge *j = r->state;
    LIST_EACH_SAFE(it, &j->waiting)
    job_free(LIST_OF(it, struct job, link));
    LIST_EACH_SAFE(it, &j->jobs)
    job_free(LIST_OF(it, struct job, link));
    loop_task_cancel(&j->next);
    judge_lists_free(&j->lists);
    judge_dns_free(&j->dns);
    judge_house_free(&j->house);
    replay_free(&j->replay);
    dkim_keys_cache_free(&j->keys);
    free(j);
    r->state = NULL;
}

static void judge_status(struct role_self *r)
{
    const struct judge *j = r->state;
    struct judge_dns_facts f;
    judge_dns_facts(j->dns, &f);
    role_fact(r, "messages judged", "%llu", (unsigned long long)j->judged);
    role_fact(r, "refused", "%llu", (unsigned long long)j->rejected);
    role_fact(r, "junk", "%llu", (unsigned long long)j->junked);
    role_fact(r, "deferred", "%llu", (unsigned long long)j->deferred);
    role_fact(r, "signed", "%llu", (unsigned long long)j->signed_out);
    role_fact(r, "sent unsigned", "%llu", (unsigned long long)j->unsigned_out);
    role_fact(r, "DNS questions", "%llu", (unsigned long long)f.asked);
    role_fact(r, "DNS answers kept", "%zu", f.kept);
}

const struct role_spec judge_spec = {
    .role = ROLE_JUDGE,
    .rights = &judge_rights,
    .start = judge_start,
    .on_message = judge_on_message,
    .on_peer = judge_on_peer,
    .on_status = judge_status,
};
