/* Deliveries of an account process: the messages of the channel come in at one end, answers and journal
 * events are what a sender and an operator would see. The channel and the loop are real, the disk is the
 * shim's. */
#include "lib/test.h"

#include "proc/account/child.h"
#include "store/shim.h"
#include "sys/body.h"
#include "sys/clock.h"

#include <stdio.h>
#include <unistd.h>

#define T0 ((time_ms)1790000000000)

static struct account_child child;
static struct chan *broker; /* its end */
static struct {
    unsigned n;
    enum err err[300];
    uint32_t uid[300];
    char mailbox[300][16];
} answers;
static char told[20000];

void account_child_tell(struct account_child *c, struct journal_event e)
{
    size_t n = strlen(told);
    (void)c;
    (void)snprintf(told + n, sizeof told - n, "%s %llu %.*s %llu %.*s\n", journal_kind_name(e.kind),
                   (unsigned long long)e.mail, SLICE_FMT(e.name), (unsigned long long)e.number,
                   SLICE_FMT(e.text));
}

void account_child_touch(struct account_child *c)
{
    (void)c;
}

static void on_child_message(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                             int *fds, size_t n_fds)
{
    (void)arg, (void)c, (void)n_fds;
    assert_int_equal(type, ACCOUNTS_ACCOUNT_DELIVER);
    account_deliver(&child, id, message, fds[0]);
}

static void on_broker_message(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                              int *fds, size_t n_fds)
{
    (void)arg, (void)c, (void)type, (void)id, (void)message, (void)fds, (void)n_fds;
    fail();
}

static void on_closed(void *arg, struct chan *c, enum err e)
{
    (void)arg, (void)c, (void)e;
    fail();
}

static void on_answer(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    size_t i = (size_t)(uintptr_t)arg;
    const struct delivered *m = message;
    (void)fds, (void)n_fds;
    assert_int_equal(e, OK);
    answers.n++;
    answers.err[i] = err_from_wire(m->err);
    answers.uid[i] = m->uid;
    (void)snprintf(answers.mailbox[i], sizeof answers.mailbox[i], "%.*s", SLICE_FMT(m->mailbox));
    assert_true((m->err == OK) == (m->text.n == 0));
}

static int start(void **state)
{
    int fds[2];
    (void)state;
    shim_reset(1);
    memset(&answers, 0, sizeof answers);
    told[0] = '\0';
    child = (struct account_child){.loop = loop_new()};
    child.setting.address = SLICE("bob@demo.test");
    assert_int_equal(account_db_open(&(struct account_options){.path = "a.db", .vfs = SHIM_VFS, .now = T0},
                                     &child.db, NULL),
                     OK);
    assert_int_equal(chan_pair(fds), OK);
    broker =
        chan_new(child.loop, fds[0], &accounts_account_channel, IPC_A, on_broker_message, on_closed, NULL);
    child.broker =
        chan_new(child.loop, fds[1], &accounts_account_channel, IPC_B, on_child_message, on_closed, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    chan_free(broker);
    chan_free(child.broker);
    account_db_close(&child.db);
    loop_free(child.loop);
    return 0;
}

static int sealed(slice text)
{
    struct body_writer w;
    int fd = -1;
    uint64_t bytes;
    body_writer_init(&w, 1 << 20);
    assert_int_equal(body_append(&w, text), OK);
    assert_int_equal(body_seal(&w, &fd, &bytes), OK);
    return fd;
}

static void ask(size_t i, uint64_t mail_id, slice text, struct deliver m)
{
    int fd = sealed(text);
    m.mail_id = mail_id;
    m.received_at = T0;
    if (!m.recipient.n)
        m.recipient = SLICE("bob@demo.test");
    m.prefix = SLICE("Return-Path: <a@b.c>\r\nDelivered-To: bob@demo.test\r\n");
    assert_int_equal(chan_call(broker, ACCOUNTS_ACCOUNT_DELIVER, &m, &fd, 1, clock_mono() + 60000, on_answer,
                               (void *)(uintptr_t)i),
                     OK);
    (void)close(fd); /* ours */
}

static void wait_for(unsigned n)
{
    while (answers.n < n)
        loop_turn(child.loop, true);
    assert_int_equal(answers.n, n);
    assert_int_equal(child.deliveries, 0);
}

static uint32_t messages_in(const char *mailbox)
{
    struct account_store *s = account_store_new(child.db, ACCOUNT_READ);
    const struct mailbox_info *m = account_mailbox_find(s, slice_str(mailbox));
    uint32_t n = m ? m->messages : 0;
    account_store_free(&s);
    return n;
}

static const slice text = SLICE_INIT("From: a@b.c\r\nSubject: x\r\n\r\nhi\r\n");

static void kept_told_and_prefixed(void **state)
{
    (void)state;
    ask(0, 7, text, (struct deliver){0});
    wait_for(1);
    assert_int_equal(answers.err[0], OK);
    assert_int_equal(answers.uid[0], 1);
    assert_slice(slice_str(answers.mailbox[0]), "INBOX");
    assert_slice(slice_str(told), "delivered 7 INBOX 1 \n");
    struct account_store *s = account_store_new(child.db, ACCOUNT_READ);
    struct account_body *b = NULL;
    slice whole;
    assert_int_equal(account_body_open(s, 1, &b), OK);
    assert_int_equal(account_body_read(b, 0, 10000, &whole), OK);
    assert_slice(
        whole,
        "Return-Path: <a@b.c>\r\nDelivered-To: bob@demo.test\r\nFrom: a@b.c\r\nSubject: x\r\n\r\nhi\r\n");
    account_body_close(&b);
    account_store_free(&s);
}

static void those_that_come_together_share_a_sync(void **state)
{
    (void)state;
    shim_count_from();
    for (size_t i = 0; i < 20; i++)
        ask(i, i + 1, text, (struct deliver){0});
    wait_for(20);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(answers.err[i], OK);
    assert_int_equal(messages_in("INBOX"), 20);
    assert_true(shim_count(SHIM_SYNC) <= 4); /* the log's first use takes one more */
}

static void a_repeat_is_a_success_that_adds_nothing(void **state)
{
    (void)state;
    ask(0, 7, text, (struct deliver){0});
    ask(1, 7, text, (struct deliver){0});
    wait_for(2);
    ask(2, 7, text, (struct deliver){0});
    wait_for(3);
    for (size_t i = 0; i < 3; i++)
        assert_true(answers.err[i] == OK && answers.uid[i] == 1);
    assert_int_equal(messages_in("INBOX"), 1);
}

static void one_that_does_not_fit_harms_no_other(void **state)
{
    static char big[20001];
    (void)state;
    memset(big, 'x', 20000);
    account_db_set_quota(child.db, 10000, 0);
    ask(0, 1, text, (struct deliver){0});
    ask(1, 2, slice_str(big), (struct deliver){0});
    ask(2, 3, text, (struct deliver){0});
    wait_for(3);
    assert_int_equal(answers.err[0], OK);
    assert_int_equal(answers.err[1], ERR_QUOTA);
    assert_int_equal(answers.err[2], OK);
    assert_int_equal(messages_in("INBOX"), 2);
    assert_non_null(strstr(told, "delivery_failed 2 "));
    account_db_set_quota(child.db, 0, 0);
    child.setting.message_bytes = 15000;
    ask(3, 4, slice_str(big), (struct deliver){0});
    wait_for(4);
    assert_int_equal(answers.err[3], ERR_TOO_LARGE);
    child.setting.message_bytes = 0;
}

static void circles_are_broken(void **state)
{
    (void)state;
    slice circle = SLICE("Subject: x\r\nDelivered-To: Bob@Demo.Test\r\n\r\nhi\r\n");
    slice other = SLICE("Delivered-To: alice@demo.test\r\n\r\nDelivered-To: bob@demo.test\r\n");
    ask(0, 1, circle, (struct deliver){0});
    ask(1, 2, other, (struct deliver){0});
    ask(2, 3, circle, (struct deliver){.recipient = SLICE("bob+list@demo.test")});
    wait_for(3);
    assert_int_equal(answers.err[0], ERR_LOOP);
    assert_int_equal(answers.err[1], OK);
    assert_int_equal(answers.err[2], OK);
}

static void junk_and_named_mailboxes(void **state)
{
    (void)state;
    ask(0, 1, text, (struct deliver){.junk = true});
    ask(1, 2, text, (struct deliver){.mailbox = SLICE("Archive")});
    ask(2, 3, text, (struct deliver){.mailbox = SLICE("not there")});
    wait_for(3);
    assert_slice(slice_str(answers.mailbox[0]), "Junk");
    assert_slice(slice_str(answers.mailbox[1]), "Archive");
    assert_slice(slice_str(answers.mailbox[2]), "INBOX");
}

static void a_full_disk_is_said_and_passes(void **state)
{
    (void)state;
    ask(0, 1, text, (struct deliver){0});
    wait_for(1);
    shim_arm(SHIM_FULL, SHIM_WRITE, 1);
    ask(1, 2, text, (struct deliver){0});
    ask(2, 3, text, (struct deliver){0});
    wait_for(3);
    assert_int_equal(answers.err[1], ERR_DISK_FULL);
    assert_int_equal(answers.err[2], ERR_DISK_FULL);
    assert_int_equal(messages_in("INBOX"), 1);
    shim_disarm();
    ask(3, 2, text, (struct deliver){0});
    wait_for(4);
    assert_int_equal(answers.err[3], OK);
    assert_int_equal(messages_in("INBOX"), 2);
}

static void an_unsealed_body_is_refused(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct deliver m = {.mail_id = 1, .recipient = SLICE("bob@demo.test"), .received_at = T0};
    assert_int_equal(
        chan_call(broker, ACCOUNTS_ACCOUNT_DELIVER, &m, &fds[0], 1, clock_mono() + 60000, on_answer, NULL),
        OK);
    wait_for(1);
    assert_int_not_equal(answers.err[0], OK);
    (void)close(fds[0]); /* ours */
    (void)close(fds[1]);
}

static void more_than_fit_into_one_transaction(void **state)
{
    (void)state;
    for (size_t i = 0; i < 300; i++)
        ask(i, i + 1, text, (struct deliver){0});
    wait_for(300);
    assert_int_equal(messages_in("INBOX"), 300);
}

int main(void)
{
    shim_install();
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        T(kept_told_and_prefixed),
        T(those_that_come_together_share_a_sync),
        T(a_repeat_is_a_success_that_adds_nothing),
        T(one_that_does_not_fit_harms_no_other),
        T(circles_are_broken),
        T(junk_and_named_mailboxes),
        T(a_full_disk_is_said_and_passes),
        T(an_unsealed_body_is_refused),
        T(more_than_fit_into_one_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
