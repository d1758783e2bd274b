/* DNSBL and DNSWL, as the administrator chose them: signals for the journal and for what comes later, never a
 * reason to refuse by themselves. A list is asked only after it passed its canaries, which are asked again
 * from time to time; when it is switched off or on the journal hears of it, and doctor tells the
 * administrator. */
#include "ipc/doctor_judge.h"
#include "proc/judge/judge__.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdlib.h>

#define LISTS_ARENA_MAX ((size_t)1 << 20)
#define LISTS_QUESTIONS 16

struct judge_lists {
    struct judge *judge;
    struct dnsbl_list at[JUDGE_LISTS_MAX];
    bool checked[JUDGE_LISTS_MAX]; /* once at least */
    size_t n;
    /* the check of one list after another */
    size_t checking;
    bool running;
    struct arena arena;
    struct dns_table dns;
    struct judge_asker asker;
    struct loop_timer timer;
    struct loop_task task;
};

static void lists_tell_change(const struct judge_lists *l, const struct dnsbl_list *list)
{
    struct buf text CLEANUP(buf_done) = {.max = JOURNAL_TEXT_MAX};
    (void)buf_print(
        &text, "the list %.*s %s%s", SLICE_FMT(dns_name_view(&list->zone)),
        list->on ? "passed its checks and is asked" : "is not asked any more: ", list->on ? "" : list->why);
    role_tell(l->judge->role, (struct journal_event){.kind = JOURNAL_TROUBLE,
                                                     .name = list->on ? SLICE("dnsbl-on") : SLICE("dnsbl"),
                                                     .text = buf_view(&text)});
}

/* ---- canaries */

static void lists_next(struct judge_lists *l);

static void lists_step(void *arg)
{
    struct judge_lists *l = arg;
    for (;;) {
        struct dnsbl_list *list = &l->at[l->checking];
        bool changed = false;
        if (dnsbl_list_check(list, &l->dns, clock_unix(), &changed) == AUTH_DONE) {
            l->checked[l->checking] = true;
            if (changed)
                lists_tell_change(l, list);
            lists_next(l);
            return;
        }
        if (judge_dns_ask(l->judge->dns, &l->asker) == 0)
            return;
    }
}

static void lists_came(void *arg)
{
    struct judge_lists *l = arg;
    loop_later(l->judge->role->loop, &l->task);
}

static void lists_begin(struct judge_lists *l, size_t which)
{
    l->checking = which;
    l->running = true;
    judge_asker_done(&l->asker);
    arena_reset(&l->arena);
    must(dns_table_init(&l->dns, &l->arena, LISTS_QUESTIONS)); /* an empty arena has room */
    judge_asker_init(&l->asker, &l->dns, lists_came, l);
    l->asker.fresh = true; /* a canary out of a cache says nothing about now */
    loop_later(l->judge->role->loop, &l->task);
}

/* The list that is due, or a timer for the one that is due next. */
static void lists_next(struct judge_lists *l)
{
    time_ms now = clock_unix(), soonest = now + DNSBL_CHECK_MS;
    l->running = false;
    for (size_t i = 0; i < l->n; i++) {
        if (l->at[i].check_at <= now) {
            lists_begin(l, i);
            return;
        }
        soonest = l->at[i].check_at < soonest ? l->at[i].check_at : soonest;
    }
    if (l->n)
        loop_timer_after(&l->timer, soonest - now + 1);
}

static void lists_timer(void *arg)
{
    struct judge_lists *l = arg;
    if (!l->running)
        lists_next(l);
}

/* ---- beginning and end */

static void lists_add(struct judge_lists *l, const char *setting, bool white)
{
    slice zone;
    for (size_t i = 0; l->n < JUDGE_LISTS_MAX && (zone = role_setting(l->judge->role, setting, i)).n; i++) {
        if (dnsbl_list_init(&l->at[l->n], zone, white, clock_unix()))
            log_warning("%s %.*s is no domain name and is not asked", setting, SLICE_FMT(zone));
        else
            l->n++;
    }
}

struct judge_lists *judge_lists_new(struct judge *j)
{
    struct judge_lists *l = calloc(1, sizeof *l);
    must(l);
    l->judge = j;
    arena_init(&l->arena, "lists", LISTS_ARENA_MAX);
    loop_timer_init(j->role->loop, &l->timer, lists_timer, l);
    loop_task_init(&l->task, lists_step, l);
    lists_add(l, "dnsbl", false);
    lists_add(l, "dnswl", true);
    if (l->n)
        loop_timer_after(&l->timer, 0);
    return l;
}

void judge_lists_free(struct judge_lists **p)
{
    struct judge_lists *l = *p;
    if (!l)
        return;
    judge_asker_done(&l->asker);
    loop_task_cancel(&l->task);
    loop_timer_done(&l->timer);
    arena_done(&l->arena);
    free(l);
    *p = NULL;
}

/* ---- messages */

/* What a list of names is asked for. */
static slice lists_domain(const struct job *j)
{
    return slice_from(j->ask.reverse_path, slice_rindex(j->ask.reverse_path, '@') + 1);
}

enum auth_step judge_lists_ask(struct job *j)
{
    struct judge_lists *l = j->judge->lists;
    enum auth_step all = AUTH_DONE;
    struct ip ip;
    if (ip_from_slice(j->ask.client_ip, &ip))
        return AUTH_DONE;
    for (size_t i = 0; i < l->n; i++) {
        bool changed = false;
        struct dnsbl_reading r;
        if (j->readings[i].status == DNSBL_LISTED)
            continue;
        if (dnsbl_list_ask(&l->at[i], &ip, lists_domain(j), &j->dns, clock_unix(), &r, &changed) == AUTH_WAIT)
            all = AUTH_WAIT;
        else
            j->readings[i] = r;
        if (changed)
            lists_tell_change(l, &l->at[i]);
    }
    return all;
}

bool judge_lists_tell(struct job *j)
{
    const struct judge_lists *l = j->judge->lists;
    const struct auth_results *r = examination_results(j->examination);
    for (size_t i = 0; i < l->n; i++) {
        slice words;
        if (j->readings[i].status != DNSBL_LISTED)
            continue;
        if (!dnsbl_words(&l->at[i], l->at[i].facts && l->at[i].facts->names ? lists_domain(j) : r->client,
                         &j->readings[i], &j->arena, &words))
            return false;
        verdict_reason(&j->verdict, words);
    }
    return true;
}

/* ---- doctor */

void judge_lists_answer(struct judge *judge, struct role_peer *peer, uint64_t id)
{
    const struct judge_lists *l = judge->lists;
    struct judge_list_off off[JUDGE_LISTS_MAX];
    struct judge_lists_off m = {.lists = off};
    static_assert(JUDGE_LISTS_MAX <= DOCTOR_JUDGE_LISTS_MAX, "the channel has room");
    for (size_t i = 0; i < l->n; i++)
        if (l->checked[i] && !l->at[i].on)
            off[m.n_lists++] = (struct judge_list_off){.zone = dns_name_view(&l->at[i].zone),
                                                       .white = l->at[i].white,
                                                       .why = slice_str(l->at[i].why),
                                                       .since = l->at[i].since};
    IGNORE_RESULT(chan_reply(peer->chan, id, DOCTOR_JUDGE_LISTS, &m, NULL, 0),
                  "a doctor that is gone asks again");
}
