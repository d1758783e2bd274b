/* One round of status: every role is asked for its facts, and directory, who asked, gets them all. */
#include "proc/supervisor/house__.h"

static void house_answer_status(struct house *h)
{
    struct control_role roles[HOUSE_MEMBERS];
    struct control_house m = {.roles = roles,
                              .n_roles = h->n_members,
                              .since = h->started_unix,
                              .version = slice_str(POSTHORN_VERSION),
                              .hostname = slice_str(h->ground->conf->hostname)};
    for (size_t i = 0; i < h->n_members; i++) {
        const struct member *k = &h->members[i];
        roles[i] = (struct control_role){.role = (uint8_t)k->role,
                                         .index = (uint8_t)k->index,
                                         .pid = (uint32_t)k->pid,
                                         .restarts = k->restarts,
                                         .since = k->started_unix,
                                         .ready = k->state == MEMBER_READY,
                                         .facts = k->facts,
                                         .n_facts = k->n_facts};
    }
    if (h->asker.chan)
        IGNORE_RESULT(chan_reply(h->asker.chan, h->asker.id, CONTROL_HOUSE, &m, NULL, 0),
                      "the asker asks again");
    h->asker.chan = NULL;
    for (size_t i = 0; i < h->n_members; i++)
        h->members[i].facts = NULL, h->members[i].n_facts = 0;
    arena_reset(&h->status_arena);
}

static void house_facts(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct member *k = arg;
    const struct control_facts *m = message;
    struct house *h = k->house;
    (void)fds, (void)n_fds;
    k->asked = false;
    if (!e) {
        k->facts = ARENA_ARRAY(&h->status_arena, m->n_facts, struct control_fact);
        for (size_t i = 0; k->facts && i < m->n_facts; i++)
            if (arena_dup(&h->status_arena, m->facts[i].name, &k->facts[k->n_facts].name) &&
                arena_dup(&h->status_arena, m->facts[i].value, &k->facts[k->n_facts].value))
                k->n_facts++;
    }
    if (--h->status_pending == 0)
        house_answer_status(h);
}

void house__status_ask(struct house *h, struct chan *asker, uint64_t id)
{
    if (h->asker.chan || h->status_pending) {
        struct control_house busy = {0};
        IGNORE_RESULT(chan_reply(asker, id, CONTROL_HOUSE, &busy, NULL, 0), "directory asks again");
        return;
    }
    h->asker = (struct house_asker){asker, id};
    h->status_pending = 1;
    for (size_t i = 0; i < h->n_members; i++) {
        struct member *k = &h->members[i];
        if (k->state == MEMBER_READY && chan_call(k->control, CONTROL_STATUS, NULL, NULL, 0,
                                                  loop_now(h->loop) + 1000, house_facts, k) == OK) {
            h->status_pending++;
            k->asked = true;
        }
    }
    if (--h->status_pending == 0)
        house_answer_status(h);
}

void house__status_gone(struct member *k)
{
    if (k->asked)
        house_facts(k, ERR_CLOSED, NULL, NULL, 0);
}
