/* The real accounts process, asked directly as a taken-over edge would: only a fresh ticket of directory's,
 * for that account and that purpose, opens anything; forged, replayed, expired, foreign ones and those of an
 * earlier run open nothing. */
#include "jail/roles.h"
#include "lib/test.h"

#include "ipc/accounts_account.h"
#include "ipc/accounts_mother.h"
#include "ipc/directory_accounts.h"
#include "ipc/ticket.h"
#include "ipc/x_accounts.h"
#include "sys/body.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <string.h>

struct scene {
    struct played accounts;
    int directory, mother, edge;
    struct ticket_key key;
    uint64_t epoch, nonce, next_id;
};

static void scene_open(struct scene *s)
{
    struct arena a;
    arena_init(&a, "scene", 1 << 20);
    *s = (struct scene){.next_id = 1};
    assert_int_equal(
        ticket_key_parse(SLICE("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), &s->key),
        OK);
    played_start(&s->accounts, ROLE_ACCOUNTS);
    s->directory = played_channel(&s->accounts, ROLE_DIRECTORY, &directory_accounts_channel, true);
    s->mother = played_channel(&s->accounts, ROLE_ACCOUNT, &accounts_mother_channel, true);
    s->edge = played_channel(&s->accounts, ROLE_EDGE, &x_accounts_channel, false);
    played_ready(&s->accounts);
    s->epoch = ((const struct broker_epoch *)played_read(s->directory, &directory_accounts_channel, IPC_B, &a,
                                                         DIRECTORY_ACCOUNTS_EPOCH, NULL, NULL))
                   ->epoch;
    arena_done(&a);
}

static void scene_close(struct scene *s)
{
    fd_done(&s->directory);
    fd_done(&s->mother);
    fd_done(&s->edge);
    played_end(&s->accounts);
}

static struct ticket good_ticket(struct scene *s, enum ticket_scope scope)
{
    return (struct ticket){.account = 7,
                           .scope = scope,
                           .expires_mono = clock_mono() + 60000,
                           .epoch = s->epoch,
                           .issuer = 99,
                           .nonce = ++s->nonce};
}

static void open_with(struct scene *s, const uint8_t *ticket, size_t n)
{
    struct session_open m = {.ticket = slice_of(ticket, n),
                             .account = 7,
                             .service = SERVICE_IMAP,
                             .address = SLICE("a@b.test"),
                             .tag = SLICE("a1")};
    assert_int_equal(
        chan_write_wait(s->edge, &x_accounts_channel, X_ACCOUNTS_OPEN, s->next_id++, &m, NULL, 0), OK);
}

/* What the broker answers: an error at once, and nothing was asked of directory or mother. */
static enum err refused(struct scene *s, const struct ticket *t, const struct ticket_key *key)
{
    uint8_t bytes[TICKET_SIZE];
    struct arena a;
    const struct session_opened *m;
    enum err e;
    arena_init(&a, "scene", 1 << 20);
    ticket_encode(t, key, bytes);
    open_with(s, bytes, sizeof bytes);
    m = played_read(s->edge, &x_accounts_channel, IPC_A, &a, X_ACCOUNTS_OPENED, NULL, NULL);
    e = err_from_wire(m->err);
    assert_int_not_equal(e, OK);
    arena_done(&a);
    return e;
}

static void forged_expired_and_foreign_tickets_open_nothing(void **state)
{
    struct scene s;
    struct ticket t;
    struct ticket_key other = {{1}};
    (void)state;
    scene_open(&s);
    t = good_ticket(&s, TICKET_IMAP);
    assert_int_equal(refused(&s, &t, &other), ERR_DENIED);
    t = good_ticket(&s, TICKET_IMAP);
    t.expires_mono = clock_mono() - 1;
    assert_int_equal(refused(&s, &t, &s.key), ERR_EXPIRED);
    t = good_ticket(&s, TICKET_IMAP);
    t.account = 8; /* a ticket for somebody else */
    assert_int_equal(refused(&s, &t, &s.key), ERR_DENIED);
    t = good_ticket(&s, TICKET_DELIVER); /* delivering is not reading */
    assert_int_equal(refused(&s, &t, &s.key), ERR_DENIED);
    t = good_ticket(&s, TICKET_IMAP);
    t.epoch++; /* of an earlier run */
    assert_int_equal(refused(&s, &t, &s.key), ERR_EXPIRED);
    scene_close(&s);
}

static void any_changed_bit_makes_a_forgery(void **state)
{
    struct scene s;
    struct arena a;
    (void)state;
    scene_open(&s);
    arena_init(&a, "scene", 1 << 20);
    for (size_t bit = 0; bit < TICKET_SIZE * 8; bit += 13) {
        uint8_t bytes[TICKET_SIZE];
        struct ticket t = good_ticket(&s, TICKET_IMAP);
        const struct session_opened *m;
        ticket_encode(&t, &s.key, bytes);
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ (1 << bit % 8));
        open_with(&s, bytes, sizeof bytes);
        m = played_read(s.edge, &x_accounts_channel, IPC_A, &a, X_ACCOUNTS_OPENED, NULL, NULL);
        assert_int_not_equal(m->err, OK);
        arena_reset(&a);
    }
    open_with(&s, (const uint8_t *)"", 0);
    assert_int_not_equal(((const struct session_opened *)played_read(s.edge, &x_accounts_channel, IPC_A, &a,
                                                                     X_ACCOUNTS_OPENED, NULL, NULL))
                             ->err,
                         OK);
    arena_done(&a);
    scene_close(&s);
}

/* We play directory and the account's process for the one good ticket. */
static int serve_one_session(struct scene *s)
{
    struct arena a;
    uint64_t id;
    struct account_info info = {OK, SLICE("a@b.test"), 0};
    struct mother_spawned spawned = {OK, 1};
    struct session_opened opened = {OK, {0}};
    int account = -1;
    arena_init(&a, "scene", 1 << 20);
    (void)played_read(s->directory, &directory_accounts_channel, IPC_B, &a, DIRECTORY_ACCOUNTS_INFO_ASK, &id,
                      NULL);
    assert_int_equal(chan_write_wait(s->directory, &directory_accounts_channel, DIRECTORY_ACCOUNTS_INFO, id,
                                     &info, NULL, 0),
                     OK);
    (void)played_read(s->mother, &accounts_mother_channel, IPC_B, &a, ACCOUNTS_MOTHER_SPAWN, &id, &account);
    assert_int_equal(
        chan_write_wait(s->mother, &accounts_mother_channel, ACCOUNTS_MOTHER_SPAWNED, id, &spawned, NULL, 0),
        OK);
    (void)played_read(account, &accounts_account_channel, IPC_B, &a, ACCOUNTS_ACCOUNT_SESSION, &id, NULL);
    assert_int_equal(chan_write_wait(account, &accounts_account_channel, ACCOUNTS_ACCOUNT_SESSION_OPENED, id,
                                     &opened, NULL, 0),
                     OK);
    arena_done(&a);
    return account;
}

static void a_ticket_opens_once(void **state)
{
    struct scene s;
    struct ticket t;
    struct arena a;
    uint8_t bytes[TICKET_SIZE];
    int account, stream = -1;
    const struct session_opened *m;
    (void)state;
    scene_open(&s);
    arena_init(&a, "scene", 1 << 20);
    t = good_ticket(&s, TICKET_IMAP);
    ticket_encode(&t, &s.key, bytes);
    open_with(&s, bytes, sizeof bytes);
    account = serve_one_session(&s);
    m = played_read(s.edge, &x_accounts_channel, IPC_A, &a, X_ACCOUNTS_OPENED, NULL, &stream);
    assert_int_equal(m->err, OK);
    assert_true(stream >= 0);
    assert_int_equal(refused(&s, &t, &s.key), ERR_REPLAYED);
    fd_done(&stream);
    fd_done(&account);
    arena_done(&a);
    scene_close(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_expired_and_foreign_tickets_open_nothing),
        cmocka_unit_test(any_changed_bit_makes_a_forgery),
        cmocka_unit_test(a_ticket_opens_once),
    };
    played_build = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
