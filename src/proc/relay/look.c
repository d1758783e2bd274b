#include "proc/relay/look.h"

#include "proc/relay/job.h"
#include "proc/relay/schedule.h"
#include "store/queue.h"

#define LOOK_ARENA ((size_t)8 << 20)

#define LOOK_MAX 200 /* messages that are read for recipients of ours */

struct look {
    struct relay *relay;
    struct arena *arena;
    struct relay_seen *seen;
    uint64_t waiting[LOOK_MAX];
    size_t n;
};

/* The ids are in order of arrival. Nothing is read here: a query runs. */
static bool look_entry(void *arg, const struct queue_entry *entry)
{
    struct look *l = arg;
    if (!entry->waiting)
        return true;
    if (!l->n)
        l->seen->oldest = mail_id_time(entry->id);
    l->waiting[l->n++] = entry->id;
    return l->n < LOOK_MAX;
}

/* Recipients of ours that were tried and wait: their store does not take mail. What was not tried yet says
 * nothing: doctor's own alerts pass through here too. */
static void look_unstored(struct look *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct queue_message m = {0};
        if (queue_load(l->relay->queue, l->waiting[i], l->arena, &m))
            continue;
        for (size_t k = 0; k < m.n_rcpts; k++)
            if (m.rcpts[k].local && m.rcpts[k].state == QUEUE_WAITING &&
                (m.rcpts[k].attempts || m.rcpts[k].last_attempt)) {
                l->seen->unstored++;
                l->seen->unstored_why = slice_sub(m.rcpts[k].reply, 0, 1024);
            }
    }
}

static void look_message(struct relay *r, const struct relay_look *m, struct arena *a, struct relay_seen *out)
{
    struct queue_message message = {0};
    const struct queue_rcpt *first;
    if (queue_load(r->queue, m->mail_id, a, &message) || !message.n_rcpts)
        return;
    first = &message.rcpts[0];
    out->found = true;
    out->attempts = first->attempts;
    out->code = first->code;
    out->reply = slice_sub(first->reply, 0, 4096);
    out->host = slice_sub(first->host, 0, 512);
    out->held = first->state == QUEUE_WAITING ? (slice){0} : slice_sub(first->reason, 0, 512);
    if (m->drop && !job_find(r, m->mail_id)) { /* one that is being tried ends by itself */
        struct queue_op drop = {.type = QUEUE_DROP, .id = m->mail_id};
        if (queue_write(r->queue, &drop, 1) == OK)
            schedule_put(r->schedule, m->mail_id, INT64_MAX);
    }
}

void look_answer(struct relay *r, struct role_peer *peer, uint64_t id, const struct relay_look *m)
{
    struct relay_seen seen = {0};
    struct arena a;
    struct look l = {.relay = r, .arena = &a, .seen = &seen};
    if (peer->role != ROLE_DOCTOR) /* nobody else may take messages out, or learn of them */
        return;
    arena_init(&a, "look", LOOK_ARENA);
    seen.messages = schedule_count(r->schedule) + r->n_jobs;
    seen.err = (uint32_t)queue_each(r->queue, 0, look_entry, &l);
    look_unstored(&l);
    if (m->mail_id)
        look_message(r, m, &a, &seen);
    IGNORE_RESULT(chan_reply(peer->chan, id, X_RELAY_SEEN, &seen, NULL, 0),
                  "doctor asks again within the hour");
    arena_done(&a);
}
