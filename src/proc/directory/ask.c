/* ask: who is this recipient, and may this account send as that address. */
#include "proc/directory/directory.h"

/* What an SMTP client is told; it names nothing that the client did not say itself (THREATS 32). */
static const char *ask_rcpt_text(enum err e)
{
    switch (e) {
    case ERR_NOT_FOUND:
        return "there is no such mailbox here";
    case ERR_DENIED:
        return "this server takes mail for its own domains only; log in to send elsewhere";
    case ERR_SUSPENDED:
        return "this mailbox is closed for now";
    case ERR_QUOTA:
        return "this mailbox is full; try again later";
    case ERR_SYNTAX:
        return "that is no mail address";
    case ERR_LIMIT:
        return "this address leads to more places than allowed";
    default:
        return "the directory cannot answer now; try again later";
    }
}

/* The answer in the scratch arena. */
static enum err ask_targets(struct house_keeper *k, const struct directory_target *found, size_t n,
                            struct rcpt_target **out)
{
    static const uint8_t robots[] = {[DIRECTORY_NO_ROBOT] = RCPT_LOCAL,
                                     [DIRECTORY_ROBOT_REPORTS] = RCPT_REPORT,
                                     [DIRECTORY_ROBOT_PROBE] = RCPT_PROBE};
    struct rcpt_target *targets = ARENA_ARRAY(&k->scratch, n, struct rcpt_target);
    enum err e = OK;
    if (!targets)
        return ERR_LIMIT;
    for (size_t i = 0; i < n && e == OK; i++) {
        targets[i] = (struct rcpt_target){.kind = found[i].remote ? RCPT_REMOTE : robots[found[i].robot],
                                          .account = found[i].account,
                                          .address = found[i].address,
                                          .detail = slice_sub(found[i].detail, 0, 64)};
        if (targets[i].kind == RCPT_LOCAL)
            e = keeper_ticket(k, found[i].account, TICKET_DELIVER, TICKET_DELIVER_MS, &targets[i].ticket);
    }
    if (e == OK)
        *out = targets;
    return e;
}

void ask_rcpt(struct house_keeper *k, struct chan *c, uint64_t id, const struct rcpt_ask *m)
{
    struct directory_target *found = NULL;
    struct rcpt_target *targets = NULL;
    struct rcpt_answer answer = {0};
    size_t n = 0;
    enum err e =
        directory_resolve(k->store, m->address, m->sender_account != 0, m->bytes, &k->scratch, &found, &n);
    if (e == OK)
        e = ask_targets(k, found, n, &targets);
    answer.err = (uint32_t)e;
    if (e == OK) {
        answer.targets = targets;
        answer.n_targets = n;
    } else {
        answer.text = slice_str(ask_rcpt_text(e));
    }
    IGNORE_RESULT(chan_reply(c, id, X_DIRECTORY_RCPT_ANSWER, &answer, NULL, 0), "the asker is gone");
}

void ask_sender(struct house_keeper *k, struct chan *c, uint64_t id, const struct sender_ask *m)
{
    struct sender_answer answer = {0};
    struct arena a;
    arena_init(&a, "sender", 256 * 1024);
    for (size_t i = 0; i < m->n_addresses && answer.err == OK; i++) {
        enum err e = directory_owns(k->store, m->account, m->addresses[i].address, &a);
        arena_reset(&a);
        if (e == OK)
            continue;
        answer.err = (uint32_t)e;
        answer.address = m->addresses[i].address;
        answer.text = slice_str(e == ERR_DENIED
                                    ? "this address is not yours; send as your own, or ask for an alias to it"
                                    : "the directory cannot answer now; try again later");
    }
    arena_done(&a);
    IGNORE_RESULT(chan_reply(c, id, X_DIRECTORY_SENDER_ANSWER, &answer, NULL, 0), "the asker is gone");
}
