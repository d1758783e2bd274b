/* doctor: the shell: calls that are answered in rows, clocks, peers. */
#include "proc/doctor/doctor.h"

#include "ipc/directory_doctor.h"
#include "proc/doctor/age.h"
#include "proc/doctor/check.h"
#include "sys/fd.h"

#include <stdlib.h>
#include <string.h>

/* Each part adds its row here. */
static const struct doctor_part *const doctor_parts[] = {
    &doctor_check_part, &doctor_probe_part, &doctor_dns_part, &doctor_rotation_part,
    &doctor_zone_part,  &doctor_push_part,  &doctor_age_part,
};

/* A part's clock. */
struct doctor_clock {
    struct doctor *doctor;
    const struct doctor_part *part;
    struct loop_timer timer;
};
static struct doctor_clock doctor_clocks[ARRAY_LEN(doctor_parts)];

/* ---- calls */

struct doctor_json {
    struct list link;
    slice json;
};

struct doctor_call {
    struct list link;
    struct doctor *doctor;
    struct role_peer *peer;
    uint32_t number;  /* names the call in more */
    uint64_t waiting; /* the request to answer next; 0: the asker has not asked for more yet */
    struct arena arena;
    slice *args;
    size_t n_args;
    int fd; /* that came with it, or -1 */
    struct list rows;
    size_t n_rows;
    bool ended, gone; /* gone: nobody waits for the answer any more */
    enum err err;
    slice text;
    void (*on_gone)(void *arg);
    void *on_gone_arg;
};

slice doctor_arg(const struct doctor_call *call, size_t n)
{
    return n < call->n_args ? call->args[n] : (slice){0};
}

size_t doctor_args(const struct doctor_call *call)
{
    return call->n_args;
}

int doctor_take_fd(struct doctor_call *call)
{
    return fd_take(&call->fd);
}

static void call_free(struct doctor_call *c)
{
    fd_done(&c->fd);
    list_remove(&c->link);
    c->doctor->n_calls--;
    LIST_EACH_SAFE(it, &c->rows)
    free(LIST_OF(it, struct doctor_json, link));
    arena_done(&c->arena);
    free(c);
}

static void call_reply(struct role_peer *peer, uint64_t id, const struct words_row *row)
{
    if (peer->chan)
        IGNORE_RESULT(chan_reply(peer->chan, id, DIRECTORY_DOCTOR_ROW, row, NULL, 0), "the asker is gone");
}

/* Answers what waits, with a row or the end. Frees the call at the end. */
static void call_go_on(struct doctor_call *c)
{
    struct words_row row = {0};
    uint64_t id = c->waiting;
    if (c->gone && c->ended) {
        call_free(c);
        return;
    }
    if (!id || (list_empty(&c->rows) && !c->ended))
        return;
    c->waiting = 0;
    if (list_empty(&c->rows)) {
        row.err = (uint32_t)c->err;
        row.text = c->text;
        call_reply(c->peer, id, &row);
        call_free(c);
        return;
    }
    struct doctor_json *j = LIST_OF(c->rows.next, struct doctor_json, link);
    row.json = j->json;
    row.next = c->number;
    call_reply(c->peer, id, &row);
    list_remove(&j->link);
    c->n_rows--;
    free(j);
}

void doctor_row(struct doctor_call *call, slice json)
{
    struct doctor_json *j;
    if (call->gone || call->err)
        return;
    if (json.n > ADMIN_WORDS_JSON_MAX || call->n_rows >= DOCTOR_ROWS_MAX) {
        call->err = ERR_LIMIT;
        return;
    }
    j = malloc(sizeof *j + json.n);
    must(j);
    if (json.n)
        memcpy(j + 1, json.p, json.n);
    j->json = slice_of(j + 1, json.n);
    list_append(&call->rows, &j->link);
    call->n_rows++;
    call_go_on(call);
}

void doctor_end(struct doctor_call *call, enum err e, slice text)
{
    must(!call->ended);
    call->ended = true;
    call->on_gone = NULL;
    if (call->err)
        text = SLICE("the answer is longer than one call can carry; ask for less");
    else
        call->err = e;
    if (call->err && !text.n)
        text = slice_str(err_text(call->err));
    if (!arena_dup(&call->arena, slice_sub(text, 0, TEXT_MAX), &call->text))
        call->text = (slice){0};
    call_go_on(call);
}

void doctor_on_gone(struct doctor_call *call, void (*fn)(void *arg), void *arg)
{
    call->on_gone = fn;
    call->on_gone_arg = arg;
}

static void call_gone(struct doctor_call *c)
{
    if (c->on_gone)
        c->on_gone(c->on_gone_arg);
    else if (!c->ended) { /* its part still works on it: it ends unheard */
        c->gone = true;
        c->waiting = 0;
        return;
    }
    call_free(c);
}

static const struct doctor_verb *verb_find(slice name)
{
    for (size_t p = 0; p < ARRAY_LEN(doctor_parts); p++)
        for (size_t v = 0; v < doctor_parts[p]->n_verbs; v++)
            if (slice_eq(name, slice_str(doctor_parts[p]->verbs[v].name)))
                return &doctor_parts[p]->verbs[v];
    return NULL;
}

void doctor_changed(struct doctor *d, const struct doctor_part *by)
{
    for (size_t p = 0; p < ARRAY_LEN(doctor_parts); p++)
        if (doctor_parts[p]->changed && doctor_parts[p] != by)
            doctor_parts[p]->changed(d);
}

static enum err call_begin(struct doctor *d, struct role_peer *peer, const struct words_call *m,
                           struct doctor_call **out)
{
    struct doctor_call *c;
    if (d->role->draining || d->n_calls >= DOCTOR_CALLS_MAX)
        return ERR_BUSY;
    c = calloc(1, sizeof *c);
    must(c);
    *c = (struct doctor_call){.doctor = d, .peer = peer, .number = ++d->last_call, .fd = -1};
    if (c->number == 0)
        c->number = ++d->last_call;
    list_init(&c->rows);
    arena_init(&c->arena, "doctor call", 65536);
    list_append(&d->calls, &c->link);
    d->n_calls++;
    c->args = ARENA_ARRAY(&c->arena, m->n_args, slice);
    must(c->args); /* the channel's limits are far below the arena's */
    for (size_t i = 0; i < m->n_args; i++)
        must(arena_dup(&c->arena, m->args[i].text, &c->args[i]));
    c->n_args = m->n_args;
    *out = c;
    return OK;
}

static void doctor_called(struct doctor *d, struct role_peer *peer, uint64_t id, const struct words_call *m,
                          int *fds, size_t n_fds)
{
    const struct doctor_verb *v = verb_find(m->verb);
    struct words_row no = {.err = OK};
    struct doctor_call *c;
    enum err e = OK;
    if (slice_eq(m->verb, SLICE("domains-changed"))) {
        doctor_changed(d, NULL);
        call_reply(peer, id, &no);
        return;
    }
    if (!v) {
        e = ERR_UNSUPPORTED;
        no.text = SLICE("doctor does not know that command");
    } else if (m->n_args < v->args_min || m->n_args > v->args_max) {
        e = ERR_USAGE;
        no.text = SLICE("that is the wrong number of arguments");
    } else if ((e = call_begin(d, peer, m, &c)) != OK) {
        no.text = SLICE("doctor has too much to do; try again in a minute");
    }
    if (e) {
        no.err = (uint32_t)e;
        call_reply(peer, id, &no);
        return;
    }
    c->waiting = id;
    if (n_fds)
        c->fd = fd_take(&fds[0]);
    v->run(d, c);
}

static void doctor_more(struct doctor *d, struct role_peer *peer, uint64_t id, const struct words_more *m)
{
    const struct words_row gone = {.err = ERR_NOT_FOUND, .text = SLICE("that answer has ended")};
    LIST_EACH(it, &d->calls)
    {
        struct doctor_call *c = LIST_OF(it, struct doctor_call, link);
        if (c->number != m->next || c->peer != peer || c->waiting)
            continue;
        c->waiting = id;
        call_go_on(c);
        return;
    }
    call_reply(peer, id, &gone);
}

/* ---- the role */

static void doctor_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                           const void *message, int *fds, size_t n_fds)
{
    struct doctor *d = r->state;
    if (peer->def == &directory_doctor_channel) {
        if (type == DIRECTORY_DOCTOR_CALL)
            doctor_called(d, peer, id, message, fds, n_fds);
        else if (type == DIRECTORY_DOCTOR_MORE)
            doctor_more(d, peer, id, message);
        return;
    }
    for (size_t p = 0; p < ARRAY_LEN(doctor_parts); p++)
        if (doctor_parts[p]->message && doctor_parts[p]->message(d, peer, type, id, message, fds, n_fds))
            return;
}

static void doctor_peer(struct role_self *r, struct role_peer *peer)
{
    struct doctor *d = r->state;
    if (!d)
        return; /* before the start */
    for (size_t p = 0; p < ARRAY_LEN(doctor_parts); p++)
        if (doctor_parts[p]->peer)
            doctor_parts[p]->peer(d, peer);
    if (peer->chan || peer->def != &directory_doctor_channel)
        return;
    LIST_EACH_SAFE(it, &d->calls)
    {
        struct doctor_call *c = LIST_OF(it, struct doctor_call, link);
        if (c->peer == peer && !c->gone)
            call_gone(c);
    }
}

static void clock_rings(void *arg)
{
    struct doctor_clock *c = arg;
    if (c->doctor->role->draining)
        return;
    if (c->part->every_ms)
        loop_timer_after(&c->timer, c->part->every_ms);
    c->part->run(c->doctor);
}

void doctor_run_soon(struct doctor *d, const struct doctor_part *part)
{
    (void)d;
    for (size_t p = 0; p < ARRAY_LEN(doctor_parts); p++)
        if (doctor_parts[p] == part && part->run)
            loop_timer_after(&doctor_clocks[p].timer, 0);
}

static enum err doctor_start(struct role_self *r, struct err_detail *detail)
{
    struct doctor *d = calloc(1, sizeof *d);
    (void)detail;
    must(d);
    d->role = r;
    r->state = d;
    d->hostname = role_setting(r, "hostname", 0);
    d->ids.process = DOCTOR_ID_PROCESS;
    list_init(&d->calls);
    for (size_t p = 0; p < ARRAY_LEN(doctor_parts); p++) {
        doctor_clocks[p] = (struct doctor_clock){.doctor = d, .part = doctor_parts[p]};
        loop_timer_init(r->loop, &doctor_clocks[p].timer, clock_rings, &doctor_clocks[p]);
        if (doctor_parts[p]->start)
            doctor_parts[p]->start(d);
        if (doctor_parts[p]->run && doctor_parts[p]->first_ms)
            loop_timer_after(&doctor_clocks[p].timer, doctor_parts[p]->first_ms);
    }
    return OK;
}

static void doctor_status(struct role_self *r)
{
    struct doctor *d = r->state;
    for (size_t p = 0; p < ARRAY_LEN(doctor_parts); p++)
        if (doctor_parts[p]->status)
            doctor_parts[p]->status(d);
}

const struct role_spec doctor_spec = {
    .role = ROLE_DOCTOR,
    .rights = &doctor_rights,
    .prepare = check_prepare,
    .start = doctor_start,
    .on_message = doctor_message,
    .on_peer = doctor_peer,
    .on_status = doctor_status,
};
