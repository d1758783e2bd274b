/* THREATS 53 to 56, 58, 60, 61: the account database on a disk that fails. Ten scenarios; in each the k-th
 * write, sync, open or allocation fails, or the power goes, for every k; then the database is opened again.
 * What was acknowledged is there exactly once, what was not is there whole or not at all, (mailbox,
 * UIDVALIDITY, UID) never names two contents, counters and quota are exact. And bytes of the file are
 * flipped: all other messages stay readable. */
#include "account_testing.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGES  12  /* different ones, made once */
#define FLIPPED_N 150 /* in the file whose bytes are flipped */

static slice texts[MESSAGES];

/* What a scenario knows: every step says before that it begins and after that it was acknowledged. A state is
 * a hash of all mailboxes with their names, UIDs, flags and contents; after a fault it must be the state
 * before the step in hand or the one after it. */
struct run_of {
    struct account_db *db;
    struct account_store *s;
    enum err err; /* of the step that failed */
    int steps;    /* acknowledged */
};

typedef enum err step_fn(struct run_of *r, int step);

struct scenario {
    const char *name;
    int steps;
    step_fn *step;
};

static uint64_t id_of(struct run_of *r, const char *name)
{
    const struct mailbox_info *m = account_mailbox_find(r->s, slice_str(name));
    return m ? m->id : 0;
}

static enum err put_n(struct run_of *r, uint64_t mailbox, int first, int n)
{
    struct account_batch *b CLEANUP(account_batch_drop) = NULL;
    struct account_added added;
    enum err e = account_batch_begin(r->s, &b);
    for (int i = first; i < first + n && e == OK; i++) {
        const struct account_message m = {.mailbox = mailbox,
                                          .pieces = &texts[i % MESSAGES],
                                          .pieces_n = 1,
                                          .internal_at = T0,
                                          .mail_id = (uint64_t)i + 1,
                                          .recipient = SLICE("bob@demo.test")};
        e = account_batch_add(b, &m, &added);
    }
    return e == OK ? account_batch_commit(&b) : e;
}

static enum err flag_all(struct run_of *r, uint64_t mailbox, enum flag_op op, flag_set flags)
{
    struct uid_range all = {1, UINT32_MAX};
    struct flag_change c = {op, flags, UINT64_MAX};
    uint64_t modseq;
    return account_flags(r->s, mailbox, (struct uid_set){&all, 1}, &c, &modseq, NULL);
}

static enum err move_some(struct run_of *r, uint64_t from, uint64_t to, uint32_t first, uint32_t last,
                          bool move)
{
    struct arena a CLEANUP(arena_done);
    struct account_copied c;
    struct uid_range some = {first, last};
    arena_init(&a, "test", 1 << 20);
    return account_copy(r->s, from, (struct uid_set){&some, 1}, to, move, T0, &a, &c);
}

static enum err expunge_some(struct run_of *r, uint64_t mailbox, uint32_t first, uint32_t last)
{
    struct uid_range some = {first, last};
    size_t n;
    return account_expunge(r->s, mailbox, (struct uid_set){&some, 1}, false, T0, &n);
}

static enum err deliver_singly(struct run_of *r, int step)
{
    return put_n(r, account_inbox(r->s), step, 1);
}

static enum err deliver_in_groups(struct run_of *r, int step)
{
    return put_n(r, account_inbox(r->s), step * 5, 5);
}

static enum err deliver_and_expunge(struct run_of *r, int step)
{
    return step % 2 ? expunge_some(r, account_inbox(r->s), (uint32_t)step, (uint32_t)step + 1)
                    : put_n(r, account_inbox(r->s), step * 3, 3);
}

static enum err flags(struct run_of *r, int step)
{
    if (step == 0)
        return put_n(r, account_inbox(r->s), 0, 6);
    return flag_all(r, account_inbox(r->s), step % 2 ? FLAGS_ADD : FLAGS_REMOVE, 1u << step % 5);
}

static enum err copies(struct run_of *r, int step)
{
    if (step == 0)
        return put_n(r, account_inbox(r->s), 0, 6);
    return move_some(r, account_inbox(r->s), id_of(r, "Archive"), 1, (uint32_t)step, false);
}

static enum err moves(struct run_of *r, int step)
{
    if (step == 0)
        return put_n(r, account_inbox(r->s), 0, 8);
    uint64_t a = account_inbox(r->s), b = id_of(r, "Trash");
    return step % 2 ? move_some(r, a, b, 1, 4 + (uint32_t)step, true)
                    : move_some(r, b, a, 2, UINT32_MAX, true);
}

static enum err make_and_delete(struct run_of *r, int step)
{
    uint64_t id = 0;
    switch (step % 3) {
    case 0:
        return account_mailbox_create(r->s, SLICE("x/y"), 0, T0, &id);
    case 1:
        return put_n(r, id_of(r, "x/y"), step, 2);
    default:
        return account_mailbox_delete(r->s, id_of(r, "x/y"), T0);
    }
}

static enum err renames(struct run_of *r, int step)
{
    uint64_t id = 0;
    switch (step) {
    case 0:
        return put_n(r, account_inbox(r->s), 0, 3);
    case 1:
        return account_mailbox_create(r->s, SLICE("a/b"), 0, T0, &id);
    case 2:
        return account_mailbox_rename(r->s, account_inbox(r->s), SLICE("a/old"), T0);
    case 3:
        return account_mailbox_rename(r->s, id_of(r, "a"), SLICE("c/d"), T0);
    default:
        return put_n(r, account_inbox(r->s), 5, 2);
    }
}

static enum err large_messages(struct run_of *r, int step)
{
    slice text = message_new((unsigned)step, 150000);
    struct account_added added;
    enum err e = put(r->s, account_inbox(r->s), text, 0, &added);
    message_free(text);
    return e;
}

static enum err upkeep(struct run_of *r, int step)
{
    bool more;
    if (step == 0)
        return put_n(r, account_inbox(r->s), 0, 8);
    if (step == 1)
        return expunge_some(r, account_inbox(r->s), 2, 6);
    if (step % 2 == 0)
        return put_n(r, account_inbox(r->s), 20 + step, 1);
    return account_db_idle(r->db, T0 + ACCOUNT_KEEP_MS + step * MS_DAY, true, &more);
}

static const struct scenario scenarios[] = {
    {"deliver singly", 6, deliver_singly},
    {"deliver in groups", 3, deliver_in_groups},
    {"deliver, expunge", 6, deliver_and_expunge},
    {"flags", 5, flags},
    {"copies", 4, copies},
    {"moves", 5, moves},
    {"make, fill, delete", 6, make_and_delete},
    {"renames", 5, renames},
    {"large messages", 2, large_messages},
    {"upkeep", 7, upkeep},
};

/* --- state */

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    struct hash_key key = {h, 5};
    return hash_slice(&key, slice_of(p, n));
}

static uint64_t content_hash(struct account_store *s, uint64_t message, uint32_t bytes)
{
    struct account_body *b = NULL;
    uint64_t h = bytes;
    slice piece;
    assert_int_equal(account_body_open(s, message, &b), OK);
    for (uint64_t at = 0; at < bytes; at += piece.n) {
        assert_int_equal(account_body_read(b, at, SIZE_MAX, &piece), OK);
        assert_true(piece.n > 0);
        h = mix(h, piece.p, piece.n);
    }
    account_body_close(&b);
    return h;
}

static uint64_t state_of(struct account_store *s)
{
    uint64_t h = 1;
    const struct mailbox_info *m;
    for (size_t i = 0; (m = account_mailbox_at(s, i)); i++) {
        struct mailbox_view *v = NULL;
        h = mix(h, m->name.p, m->name.n);
        assert_int_equal(account_view_open(s, m->id, &v), OK);
        h = mix(h, v->uid, v->n * sizeof *v->uid);
        h = mix(h, v->flags, v->n * sizeof *v->flags);
        for (size_t k = 0; k < v->n; k++) {
            uint64_t c = content_hash(s, v->message[k], v->bytes[k]);
            h = mix(h, &c, sizeof c);
        }
        account_view_close(s, &v);
    }
    return h;
}

static void begin(struct run_of *r)
{
    *r = (struct run_of){.db = open_account()};
    r->s = account_store_new(r->db, ACCOUNT_OWNER | ACCOUNT_DELIVER);
}

static void end(struct run_of *r)
{
    account_store_free(&r->s);
    account_db_close(&r->db);
}

/* Steps from r->steps on, until one fails. states (may be NULL): what each left behind. */
static void go(const struct scenario *c, struct run_of *r, uint64_t *states)
{
    for (; r->steps < c->steps; r->steps++) {
        r->err = c->step(r, r->steps);
        if (r->err != OK)
            return;
        if (states)
            states[r->steps + 1] = state_of(r->s);
    }
}

/* --- every k */

static void check(const struct scenario *c, uint64_t k, const struct run_of *failed, uint64_t now,
                  const uint64_t *states)
{
    bool before = now == states[failed->steps];
    bool after = failed->steps < c->steps && now == states[failed->steps + 1];
    if (before || (after && (failed->err == ERR_IO || failed->err == OK)))
        return;
    print_error("%s, k=%llu: %d of %d steps acknowledged, then %s: the state is neither (%s)\n", c->name,
                (unsigned long long)k, failed->steps, c->steps, err_name(failed->err),
                after ? "next" : "other");
    fail();
}

static void every_k(const struct scenario *c, enum shim_fault fault, unsigned ops, uint64_t stride)
{
    uint64_t states[16];
    struct run_of r;
    shim_reset(1);
    begin(&r);
    states[0] = state_of(r.s);
    go(c, &r, states);
    assert_int_equal(r.steps, c->steps);
    end(&r);
    bool fired = true;
    for (uint64_t k = 1; fired; k += stride) {
        struct oracle *o = oracle_new();
        shim_reset(k);
        begin(&r);
        shim_arm(fault, ops, k);
        go(c, &r, NULL);
        fired = shim_fired();
        if (!account_db_broken(r.db) && fault != SHIM_CRASH) { /* it goes on, in the same process */
            shim_disarm();
            oracle_check(o, r.s);
            check(c, k, &r, state_of(r.s), states);
        }
        end(&r);
        shim_disarm();
        if (fault == SHIM_CRASH)
            shim_power_cycle();
        struct run_of again;
        begin(&again);
        oracle_check(o, again.s);
        uint64_t now = state_of(again.s);
        check(c, k, &r, now, states);
        /* and it takes up where it was: the rest succeeds and comes to the same end */
        again.steps = r.steps < c->steps && now == states[r.steps + 1] && now != states[r.steps] ? r.steps + 1
                                                                                                 : r.steps;
        go(c, &again, NULL);
        assert_int_equal(again.steps, c->steps);
        oracle_check(o, again.s);
        assert_true(state_of(again.s) == states[c->steps]);
        end(&again);
        oracle_free(o);
    }
}

static void all(enum shim_fault fault, unsigned ops, uint64_t stride)
{
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        every_k(&scenarios[i], fault, ops, stride);
}

static void failing_writes_and_syncs(void **state)
{
    (void)state;
    all(SHIM_IO, SHIM_WRITE | SHIM_SYNC | SHIM_OPEN, 1);
}
static void full_disk(void **state)
{
    (void)state;
    all(SHIM_FULL, SHIM_WRITE, 1);
}
static void power_cuts(void **state)
{
    (void)state;
    all(SHIM_CRASH, SHIM_WRITE | SHIM_SYNC | SHIM_OPEN, 1);
}
static void no_memory(void **state)
{
    (void)state;
    /* thousands of them: every one by `POSTHORN_THOROUGH=1`, else every eleventh */
    all(SHIM_NOMEM, SHIM_ALLOC, getenv("POSTHORN_THOROUGH") ? 1 : 11);
}
static void failing_reads(void **state)
{
    (void)state;
    all(SHIM_IO, SHIM_READ, 1);
}

/* THREATS 55 across crashes: UIDs given to messages that were lost may be given again only to others if
 * nobody was ever told of them; those told of are never given again. */
static void acknowledged_uids_are_never_given_twice(void **state)
{
    (void)state;
    struct oracle *o = oracle_new();
    struct run_of r;
    shim_reset(77);
    for (int round = 0; round < 60; round++) {
        begin(&r);
        oracle_check(o, r.s);
        shim_arm(SHIM_CRASH, SHIM_WRITE | SHIM_SYNC, (uint64_t)round % 23 + 5);
        for (int i = 0; i < 4; i++) {
            slice text = message_new((unsigned)(round * 4 + i), 300);
            struct account_added added;
            if (put(r.s, account_inbox(r.s), text, 0, &added) == OK && round % 3 == 0)
                (void)expunge_some(&r, account_inbox(r.s), added.uid,
                                   added.uid); /* may fail: the power goes */
            message_free(text);
        }
        end(&r);
        shim_disarm();
        shim_power_cycle();
    }
    begin(&r);
    oracle_check(o, r.s);
    end(&r);
    oracle_free(o);
}

/* THREATS 60: any byte of the file may be wrong. The account opens or says that it cannot; what is read is
 * right or ERR_CORRUPT; and one byte never costs more than the messages of a page or a run. */
static void flipped_bytes_harm_few_messages(void **state)
{
    (void)state;
    struct run_of r;
    shim_reset(5);
    begin(&r);
    for (int i = 0; i < FLIPPED_N / 10; i++)
        assert_int_equal(put_n(&r, account_inbox(r.s), i * 10, 10), OK);
    end(&r);
    slice file = shim_file("account.db");
    uint8_t *good = malloc(file.n);
    must(good != NULL);
    memcpy(good, file.p, file.n);
    size_t n = file.n, unreadable = 0, worst = 0, rounds = 1000;
    uint32_t x = 1;
    for (size_t i = 0; i < rounds; i++) {
        x = x * 1664525u + 1013904223u;
        size_t at = ((size_t)x * n) >> 32;
        struct account_db *db = NULL;
        size_t damaged = 0;
        shim_reset(i);
        good[at] ^= (uint8_t)(1u << i % 8);
        shim_put("account.db", slice_of(good, n));
        good[at] ^= (uint8_t)(1u << i % 8);
        if (account_db_open(&(struct account_options){.path = "account.db", .vfs = SHIM_VFS, .now = T0}, &db,
                            NULL)) {
            unreadable++;
            continue;
        }
        struct account_store *s = account_store_new(db, ACCOUNT_READ);
        size_t lost = FLIPPED_N - size_min(FLIPPED_N, read_all(s, &damaged));
        worst = size_max(worst, lost);
        unreadable += lost == FLIPPED_N;
        account_store_free(&s);
        account_db_close(&db);
    }
    free(good);
    print_message("1000 flips: %zu made all unreadable, the worst other lost %zu of %d\n", unreadable, worst,
                  FLIPPED_N);
    assert_true(unreadable < rounds / 20);
}

int main(void)
{
    shim_install();
    for (unsigned i = 0; i < MESSAGES; i++)
        texts[i] = message_new(i, 200 + 400 * i);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_writes_and_syncs),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(power_cuts),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(failing_reads),
        cmocka_unit_test(acknowledged_uids_are_never_given_twice),
        cmocka_unit_test(flipped_bytes_harm_few_messages),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (unsigned i = 0; i < MESSAGES; i++)
        message_free(texts[i]);
    return failed;
}
