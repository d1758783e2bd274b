#include "proc/relay/schedule.h"

#include "proc/relay/job.h"
#include "sys/clock.h"

#include <stdlib.h>

#define SCHEDULE_LOOK_MS (60 * MS_SECOND) /* the clock may be set: look at it at least so often */
#define SCHEDULE_BUSY_MS 200
#define SCHEDULE_A_TURN  64 /* messages started before other things have their chance */

struct schedule_item {
    uint64_t id;
    time_ms due;
    size_t at; /* in the heap */
};

/* A binary heap by due, and a map from id. */
struct schedule {
    struct relay *relay;
    struct schedule_item **heap;
    size_t n, room;
    struct map items;
    struct loop_timer timer;
};

static void schedule_fire(void *arg)
{
    schedule_go_on(arg);
}

struct schedule *schedule_new(struct relay *r)
{
    struct schedule *s = calloc(1, sizeof *s);
    must(s);
    s->relay = r;
    loop_timer_init(r->loop, &s->timer, schedule_fire, s);
    return s;
}

static void schedule_set(struct schedule *s, size_t at, struct schedule_item *it)
{
    s->heap[at] = it;
    it->at = at;
}

static void schedule_up(struct schedule *s, struct schedule_item *it)
{
    size_t at = it->at;
    while (at && s->heap[(at - 1) / 2]->due > it->due) {
        schedule_set(s, at, s->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    schedule_set(s, at, it);
}

static void schedule_down(struct schedule *s, struct schedule_item *it)
{
    size_t at = it->at;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < s->n && s->heap[child + 1]->due < s->heap[child]->due)
            child++;
        if (child >= s->n || s->heap[child]->due >= it->due)
            break;
        schedule_set(s, at, s->heap[child]);
        at = child;
    }
    schedule_set(s, at, it);
}

static void schedule_remove(struct schedule *s, struct schedule_item *it)
{
    struct schedule_item *last = s->heap[--s->n];
    if (last != it) {
        size_t at = it->at;
        schedule_set(s, at, last);
        schedule_up(s, last);
        schedule_down(s, last);
    }
    (void)map_remove(&s->items, it->id);
    free(it);
}

static void schedule_arm(struct schedule *s)
{
    time_ms left;
    if (s->n == 0) {
        loop_timer_clear(&s->timer);
        return;
    }
    left = s->heap[0]->due - clock_unix();
    loop_timer_after(&s->timer, left < SCHEDULE_LOOK_MS ? left : SCHEDULE_LOOK_MS);
}

void schedule_put(struct schedule *s, uint64_t id, time_ms due_unix)
{
    struct schedule_item *it = map_get(&s->items, id);
    if (it)
        schedule_remove(s, it);
    if (due_unix == INT64_MAX)
        return;
    it = calloc(1, sizeof *it);
    must(it);
    *it = (struct schedule_item){.id = id, .due = due_unix, .at = s->n};
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 256;
        s->heap = realloc(s->heap, s->room * sizeof(void *));
        must(s->heap);
    }
    s->heap[s->n++] = it;
    schedule_up(s, it);
    (void)map_put(&s->items, id, it); /* it was not there */
    if (s->heap[0] == it)
        schedule_arm(s);
}

void schedule_go_on(struct schedule *s)
{
    struct relay *r = s->relay;
    time_ms now = clock_unix();
    for (unsigned i = 0; i < SCHEDULE_A_TURN && s->n && s->heap[0]->due <= now && !r->role->draining; i++) {
        uint64_t id = s->heap[0]->id;
        struct job *j;
        if (r->n_jobs >= RELAY_JOBS_MAX || r->body_bytes >= RELAY_BODIES_MAX)
            return; /* relay_go_on() comes when there is room */
        schedule_remove(s, s->heap[0]);
        enum err e = job_load(r, id, &j);
        if (e == OK) {
            job_start(j);
            job_unref(&j);
        } else if (e == ERR_BUSY) {
            schedule_put(s, id, now + SCHEDULE_BUSY_MS); /* its last attempt is not written yet */
        } else if (e != ERR_NOT_FOUND && e != ERR_CORRUPT) {
            schedule_put(s, id, now + RELAY_SOON_MS); /* our disk: not the message's fault */
        }
    }
    schedule_arm(s);
}

size_t schedule_count(const struct schedule *s)
{
    return s->n;
}
