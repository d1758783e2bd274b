/* queue: what was written is there after opening again, also when the disk fails or the power goes at any
 * operation; hostile octets stay data; damaged records are put aside and the rest moves on (THREATS 1, 53,
 * 60, 62). */
#include "lib/test.h"

#include "store/db.h"
#include "store/queue.h"
#include "store/shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH "queue.db"

static struct queue *open_queue(void)
{
    struct queue *q = NULL;
    struct err_detail detail = {""};
    if (queue_open(PATH, SHIM_VFS, &q, &detail))
        print_error("%s\n", detail.text);
    assert_non_null(q);
    return q;
}

struct sample {
    struct queue_rcpt rcpts[3];
    struct queue_message m;
};

static void sample_init(struct sample *s, uint64_t id, size_t n, slice body)
{
    *s = (struct sample){.m = {.id = id,
                               .connection = 7,
                               .account = 9,
                               .arrived = 1000,
                               .sender = SLICE("a@us.test"),
                               .envid = SLICE("QQ"),
                               .ret = 2,
                               .eight_bit = true,
                               .message_id = SLICE("x@us.test"),
                               .prefix = SLICE("Received: x\r\n"),
                               .body_bytes = body.n}};
    for (size_t i = 0; i < n; i++)
        s->rcpts[i] = (struct queue_rcpt){.n = (uint32_t)i,
                                          .address = SLICE("b@them.test"),
                                          .notify = 4,
                                          .state = QUEUE_WAITING,
                                          .due = 2000 + (time_ms)i};
    s->m.rcpts = s->rcpts;
    s->m.n_rcpts = n;
}

static enum err add(struct queue *q, uint64_t id, size_t n, slice body)
{
    struct sample s;
    struct queue_op op;
    sample_init(&s, id, n, body);
    op = (struct queue_op){.type = QUEUE_ADD, .id = id, .message = &s.m, .body = body};
    return queue_write(q, &op, 1);
}

static bool count_row(void *arg, const struct queue_entry *row)
{
    (void)row;
    ++*(size_t *)arg;
    return true;
}

static size_t count(struct queue *q)
{
    size_t n = 0;
    assert_int_equal(queue_each(q, 0, count_row, &n), OK);
    return n;
}

static void a_message_is_the_same_after_opening_again(void **state)
{
    static const size_t sizes[] = {
        0, 1, 5000, QUEUE_CHUNK - 1, QUEUE_CHUNK, QUEUE_CHUNK + 1, 3 * QUEUE_CHUNK};
    static uint8_t bytes[3 * QUEUE_CHUNK];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 ^ i >> 9);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct queue *q;
        struct arena a;
        struct queue_message m;
        struct buf body;
        shim_reset(1);
        q = open_queue();
        assert_int_equal(add(q, 5, 3, slice_of(bytes, sizes[i])), OK);
        queue_close(&q);
        q = open_queue();
        arena_init(&a, "test", 100000);
        buf_init(&body, sizeof bytes);
        assert_int_equal(queue_load(q, 5, &a, &m), OK);
        assert_int_equal(m.n_rcpts, 3);
        assert_slice(m.sender, "a@us.test");
        assert_slice(m.prefix, "Received: x\r\n");
        assert_slice(m.rcpts[2].address, "b@them.test");
        assert_int_equal(m.rcpts[2].due, 2002);
        assert_int_equal(m.body_bytes, sizes[i]);
        assert_int_equal(queue_body(q, 5, &body), OK);
        assert_slices(buf_view(&body), slice_of(bytes, sizes[i]));
        buf_done(&body);
        arena_done(&a);
        queue_close(&q);
    }
}

static void adding_twice_is_adding_once(void **state)
{
    struct queue *q;
    struct arena a;
    struct queue_message m;
    (void)state;
    shim_reset(1);
    q = open_queue();
    assert_int_equal(add(q, 5, 2, SLICE("one")), OK);
    assert_int_equal(add(q, 5, 3, SLICE("another")), OK);
    arena_init(&a, "test", 100000);
    assert_int_equal(queue_load(q, 5, &a, &m), OK);
    assert_int_equal(m.n_rcpts, 2);
    assert_int_equal(count(q), 1);
    arena_done(&a);
    queue_close(&q);
}

static void recipients_move_and_the_last_takes_the_message_along(void **state)
{
    struct queue *q;
    struct arena a;
    struct queue_message m;
    struct queue_op op = {.type = QUEUE_RCPT, .id = 5};
    (void)state;
    shim_reset(1);
    q = open_queue();
    assert_int_equal(add(q, 5, 2, SLICE("body")), OK);
    arena_init(&a, "test", 100000);
    assert_int_equal(queue_load(q, 5, &a, &m), OK);
    op.rcpt = m.rcpts[1];
    op.rcpt.state = QUEUE_HELD;
    op.rcpt.attempts = 3;
    op.rcpt.code = 451;
    op.rcpt.reply = SLICE("451-4.7.1 wait\n451 type: mda\0\r\n\x1b[1m");
    op.rcpt.reason = SLICE("why");
    assert_int_equal(queue_write(q, &op, 1), OK);
    op = (struct queue_op){.type = QUEUE_RCPT_DONE, .id = 5, .rcpt = {.n = 0}};
    assert_int_equal(queue_write(q, &op, 1), OK);
    arena_reset(&a);
    assert_int_equal(queue_load(q, 5, &a, &m), OK);
    assert_int_equal(m.n_rcpts, 1);
    assert_int_equal(m.rcpts[0].n, 1);
    assert_int_equal(m.rcpts[0].state, QUEUE_HELD);
    assert_int_equal(m.rcpts[0].code, 451);
    assert_slices(m.rcpts[0].reply, SLICE("451-4.7.1 wait\n451 type: mda\0\r\n\x1b[1m"));
    op = (struct queue_op){.type = QUEUE_RCPT_DONE, .id = 5, .rcpt = {.n = 1}, .last = true};
    assert_int_equal(queue_write(q, &op, 1), OK);
    arena_reset(&a);
    assert_int_equal(queue_load(q, 5, &a, &m), ERR_NOT_FOUND);
    assert_int_equal(count(q), 0);
    assert_int_equal(queue_write(q, &op, 1), OK); /* again: nothing there is no error */
    arena_done(&a);
    queue_close(&q);
}

static void a_list_is_written_whole_or_not_at_all(void **state)
{
    struct queue *q;
    struct sample s[2];
    struct queue_op ops[2];
    (void)state;
    shim_reset(1);
    q = open_queue();
    for (size_t i = 0; i < 2; i++) {
        sample_init(&s[i], 10 + i, 1, SLICE("body"));
        ops[i] =
            (struct queue_op){.type = QUEUE_ADD, .id = 10 + i, .message = &s[i].m, .body = SLICE("body")};
    }
    s[1].rcpts[0].address = (slice){0}; /* our bug: no address */
    assert_int_equal(queue_write(q, ops, 2), ERR_LIMIT);
    assert_int_equal(count(q), 0);
    s[1].rcpts[0].address = SLICE("c@them.test");
    assert_int_equal(queue_write(q, ops, 2), OK);
    assert_int_equal(count(q), 2);
    queue_close(&q);
}

/* Adds, moves and drops; remembers which messages were answered for. */
struct scenario {
    bool acked[8], dropped[8];
};

static void scenario_run(struct queue *q, struct scenario *s)
{
    for (uint64_t id = 1; id <= 6; id++) {
        struct queue_op op = {.type = QUEUE_DROP, .id = id - 2};
        s->acked[id] = add(q, id, 2, SLICE("some body\r\n")) == OK;
        if (id > 2 && id % 2)
            s->dropped[id - 2] = queue_write(q, &op, 1) == OK || s->dropped[id - 2];
    }
}

static void scenario_check(struct queue *q, const struct scenario *s)
{
    for (uint64_t id = 1; id <= 6; id++) {
        struct arena a;
        struct queue_message m;
        struct buf body;
        enum err e;
        arena_init(&a, "test", 100000);
        buf_init(&body, 1000);
        e = queue_load(q, id, &a, &m);
        if (s->acked[id] && id != 1 && id != 3)
            assert_int_equal(e, OK);
        if (s->dropped[id])
            assert_int_equal(e, ERR_NOT_FOUND);
        if (e == OK) { /* whole or not there */
            assert_int_equal(m.n_rcpts, 2);
            assert_int_equal(queue_body(q, id, &body), OK);
            assert_slice(buf_view(&body), "some body\r\n");
        } else {
            assert_int_equal(e, ERR_NOT_FOUND);
        }
        buf_done(&body);
        arena_done(&a);
    }
}

static void nothing_acknowledged_is_lost_when_the_disk_fails(void **state)
{
    static const enum shim_fault faults[] = {SHIM_IO, SHIM_FULL, SHIM_CRASH};
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(faults); f++)
        for (uint64_t k = 1, fired = 1; fired; k++) {
            struct scenario s = {0};
            struct queue *q;
            shim_reset(k);
            q = open_queue();
            shim_arm(faults[f], SHIM_WRITE | SHIM_SYNC, k);
            scenario_run(q, &s);
            fired = shim_fired();
            shim_disarm();
            if (faults[f] == SHIM_CRASH) {
                queue_close(&q);
                shim_power_cycle();
                q = open_queue();
            }
            scenario_check(q, &s); /* works on in the same process when the disk is well again */
            assert_int_equal(add(q, 7, 1, SLICE("later")), OK);
            queue_close(&q);
            q = open_queue();
            scenario_check(q, &s);
            queue_close(&q);
            assert_true(k < 1000);
        }
}

struct tried {
    struct queue *q;
    size_t good, bad, aside;
};

static bool try_row(void *arg, const struct queue_entry *row)
{
    struct tried *t = arg;
    t->aside += row->quarantine.n > 0;
    return true;
}

/* Octets of records and bodies flipped behind SQLite's back: the damaged are put aside with a reason, all
 * others load, and each flip costs one message at most. */
static void flipped_octets_put_one_message_aside(void **state)
{
    enum { MESSAGES = 40 };
    static uint8_t copy[4 << 20];
    uint64_t random = 88172645463325252u;
    size_t n, hits = 0;
    struct queue *q;
    (void)state;
    shim_reset(1);
    q = open_queue();
    for (uint64_t id = 1; id <= MESSAGES; id++)
        assert_int_equal(add(q, id, 2,
                             SLICE("a body that is long enough to be hit now and then, 0123456789 "
                                   "0123456789 0123456789 0123456789 0123456789 0123456789\r\n")),
                         OK);
    queue_close(&q);
    n = shim_file(PATH).n;
    assert_true(n <= sizeof copy);
    memcpy(copy, shim_file(PATH).p, n);
    for (int round = 0; round < 300; round++) {
        struct tried t = {0};
        size_t at, spot;
        slice bait = round % 2 ? SLICE("0123456789") : SLICE("them.test");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        /* somewhere in a record or a body, so that SQLite's own structure stays whole */
        at = (size_t)(random % n);
        spot = at + slice_find(slice_from(slice_of(copy, n), at), bait);
        if (spot >= n)
            continue;
        copy[spot] ^= 1;
        shim_reset(1);
        shim_put(PATH, slice_of(copy, n));
        copy[spot] ^= 1;
        q = open_queue();
        for (uint64_t id = 1; id <= MESSAGES; id++) {
            struct arena a;
            struct queue_message m;
            struct buf body;
            enum err e;
            arena_init(&a, "test", 100000);
            buf_init(&body, 1000);
            e = queue_load(q, id, &a, &m);
            if (e == OK)
                e = queue_body(q, id, &body);
            assert_true(e == OK || e == ERR_CORRUPT);
            if (e)
                t.bad++;
            else
                t.good++;
            buf_done(&body);
            arena_done(&a);
        }
        assert_true(t.bad <= 1);
        hits += t.bad;
        assert_int_equal(queue_each(q, 0, try_row, &t), OK);
        assert_int_equal(t.aside, t.bad);
        assert_int_equal(add(q, MESSAGES + 1, 1, SLICE("new")), OK);
        queue_close(&q);
    }
    assert_true(hits > 200);
}

/* Octets flipped anywhere in a real file, SQLite's own pages included: the queue always opens, takes new mail
 * and gives all that it says it has; at least the messages of undamaged pages are there. */
static void flips_anywhere_stop_nothing(void **state)
{
    enum { MESSAGES = 60, ROUNDS = 60, FLIPS = 8 };
    char folder[] = "/tmp/posthorn-queue-XXXXXX", path[64], command[128];
    uint64_t random = 1181783497276652981u;
    size_t saved = 0;
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/queue.db", folder);
    for (int round = 0; round < ROUNDS; round++) {
        struct queue *q = NULL;
        struct err_detail detail = {""};
        struct stat st;
        size_t there = 0;
        int fd;
        assert_int_equal(queue_open(path, NULL, &q, &detail), OK);
        for (uint64_t id = 1; id <= MESSAGES; id++)
            assert_int_equal(add(q, id, 2, SLICE("a body\r\n")), OK);
        queue_close(&q);
        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_int_equal(fstat(fd, &st), 0);
        for (int i = 0; i < FLIPS; i++) {
            uint8_t c;
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            assert_int_equal(pread(fd, &c, 1, (off_t)(random % (uint64_t)st.st_size)), 1);
            c ^= (uint8_t)(1u << (random >> 61));
            assert_int_equal(pwrite(fd, &c, 1, (off_t)(random % (uint64_t)st.st_size)), 1);
        }
        close(fd);
        assert_int_equal(queue_open(path, NULL, &q, &detail), OK);
        assert_int_equal(add(q, 1000, 1, SLICE("new")), OK);
        for (uint64_t id = 1; id <= MESSAGES; id++) {
            struct arena a;
            struct queue_message m;
            struct buf body;
            enum err e;
            arena_init(&a, "test", 100000);
            buf_init(&body, 1000);
            e = queue_load(q, id, &a, &m);
            if (e == OK)
                e = queue_body(q, id, &body);
            if (e == OK) {
                assert_slice(buf_view(&body), "a body\r\n"); /* never something else */
                there++;
            }
            buf_done(&body);
            arena_done(&a);
        }
        saved += there;
        assert_int_equal(queue_each(q, 0, count_row, &there), OK);
        queue_close(&q);
        (void)snprintf(command, sizeof command, "%s-wal", path);
        (void)unlink(command);
        (void)unlink(path);
        for (unsigned n = 1; n < 4; n++) {
            (void)snprintf(command, sizeof command, "%s.damaged-%u", path, n);
            (void)unlink(command);
            (void)snprintf(command, sizeof command, "%s.damaged-%u-wal", path, n);
            (void)unlink(command);
        }
    }
    assert_int_equal(rmdir(folder), 0);
    assert_true(saved > (size_t)MESSAGES * ROUNDS / 2);
}

static void records_refuse_every_flip_and_every_cut(void **state)
{
    struct sample s;
    struct buf b;
    (void)state;
    sample_init(&s, 1, 1, SLICE("body"));
    s.rcpts[0].reply = SLICE("550 no");
    for (int which = 0; which < 2; which++) {
        struct queue_message m = {.id = 1};
        struct queue_rcpt r = {.n = 1};
        buf_init(&b, 10000);
        assert_int_equal(which ? queue_message_encode(&s.m, &b) : queue_rcpt_encode(&s.rcpts[0], &b), OK);
        for (size_t n = 0; n < b.n; n++) {
            slice g = guard_copy(slice_sub(buf_view(&b), 0, n));
            assert_int_equal(which ? queue_message_decode(g, &m) : queue_rcpt_decode(g, &r), ERR_CORRUPT);
            guard_free(g);
            for (unsigned bit = 0; bit < 8; bit++) {
                b.p[n] ^= (uint8_t)(1u << bit);
                assert_int_equal(which ? queue_message_decode(buf_view(&b), &m)
                                       : queue_rcpt_decode(buf_view(&b), &r),
                                 ERR_CORRUPT);
                b.p[n] ^= (uint8_t)(1u << bit);
            }
        }
        assert_int_equal(which ? queue_message_decode(buf_view(&b), &m) : queue_rcpt_decode(buf_view(&b), &r),
                         OK);
        buf_done(&b);
    }
}

/* A queue written by the version before holds records without the junk mark: they are read. */
static void records_of_the_first_format_are_read(void **state)
{
    struct sample s;
    struct queue_message m = {.junk = true};
    struct buf now, first;
    slice bytes;
    (void)state;
    buf_init(&now, 4096);
    buf_init(&first, 4096);
    sample_init(&s, 1, 1, SLICE("body"));
    s.m.junk = true;
    assert_int_equal(queue_message_encode(&s.m, &now), OK);
    assert_int_equal(queue_message_decode(buf_view(&now), &m), OK);
    assert_true(m.junk);
    bytes = slice_sub(buf_view(&now), 1, now.n - 8 - 1);
    assert_int_equal(buf_byte(&first, 1), OK);
    assert_int_equal(buf_append(&first, bytes), OK);
    assert_int_equal(buf_be64(&first, queue_sum(buf_view(&first))), OK);
    assert_int_equal(queue_message_decode(buf_view(&first), &m), OK);
    assert_false(m.junk);
    assert_slice(m.sender, "a@us.test");
    assert_int_equal(m.body_bytes, 4);
    buf_done(&now);
    buf_done(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_the_same_after_opening_again),
        cmocka_unit_test(records_of_the_first_format_are_read),
        cmocka_unit_test(adding_twice_is_adding_once),
        cmocka_unit_test(recipients_move_and_the_last_takes_the_message_along),
        cmocka_unit_test(a_list_is_written_whole_or_not_at_all),
        cmocka_unit_test(nothing_acknowledged_is_lost_when_the_disk_fails),
        cmocka_unit_test(flipped_octets_put_one_message_aside),
        cmocka_unit_test(flips_anywhere_stop_nothing),
        cmocka_unit_test(records_refuse_every_flip_and_every_cut),
    };
    shim_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
