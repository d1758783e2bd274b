/* judge: a question with a sealed body in, a verdict out, over a real channel; a body without Bcc comes back
 * sealed, and what is no sealed body is deferred. */
#include "lib/test.h"

#include "ipc/x_judge.h"
#include "ipc/x_resolver.h"
#include "proc/judge/dns.h"
#include "proc/judge/judge.h"
#include "sys/body.h"
#include "sys/fd.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* The shell of roles, played: the judge asks for one setting. */
slice role_setting(const struct role_self *r, const char *name, size_t nth)
{
    (void)r, (void)nth;
    return slice_eq(slice_str(name), SLICE("hostname")) ? SLICE("mx.a.test") : (slice){0};
}

/* There are no other roles here: no directory, no keys; and a DNS that fails, after it was full a few times.
 */
static struct {
    unsigned busy, asked;
    bool takes; /* and says nothing, until told by the last one it took */
    chan_reply_fn fn;
    void *arg;
} resolver;

enum err role_call(struct role_self *r, enum role peer, uint16_t type, const void *message, const int *fds,
                   size_t n_fds, time_ms ms, chan_reply_fn fn, void *arg)
{
    (void)r, (void)peer, (void)type, (void)message, (void)fds, (void)n_fds, (void)ms;
    resolver.asked++;
    resolver.fn = fn;
    resolver.arg = arg;
    if (resolver.takes)
        return OK;
    if (resolver.busy == 0)
        return ERR_DNS;
    resolver.busy--;
    return ERR_BUSY;
}

void role_forget(struct role_self *r, void *arg)
{
    (void)r, (void)arg;
}

struct chan *role_chan(struct role_self *r, enum role peer, unsigned index)
{
    (void)r, (void)peer, (void)index;
    return NULL;
}

void role_tell(struct role_self *r, struct journal_event event)
{
    (void)r, (void)event;
}

void role_fact(struct role_self *r, const char *name, const char *format, ...)
{
    (void)r, (void)name, (void)format;
}

struct world {
    struct loop *loop;
    struct role_self role;
    struct role_peer peer;
    struct chan *asker;
    unsigned answers;
    uint8_t action;
    uint32_t code;
    char prefix[400], sender[100], body[200];
    size_t senders;
};

static void judge_gets(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                       size_t n_fds)
{
    struct world *w = arg;
    (void)c;
    judge_spec.on_message(&w->role, &w->peer, type, id, message, fds, n_fds);
}

static void closed(void *arg, struct chan *c, enum err e)
{
    (void)arg, (void)c;
    fail_msg("the channel closed: %s", err_name(e));
}

static void answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct world *w = arg;
    const struct judge_verdict *v = message;
    assert_int_equal(e, OK);
    w->answers++;
    w->action = v->action;
    w->code = v->code;
    assert_true(v->prefix.n < sizeof w->prefix);
    memcpy(w->prefix, v->prefix.p, v->prefix.n);
    w->senders = v->n_senders;
    if (v->n_senders)
        memcpy(w->sender, v->senders[0].address.p, v->senders[0].address.n);
    if (n_fds) {
        struct body b;
        assert_int_equal(body_map(fds[0], 1000, &b), OK);
        assert_true(b.n < sizeof w->body);
        memcpy(w->body, b.p, b.n);
        body_unmap(&b);
    }
}

static void ask(struct world *w, const char *text, bool outbound, bool sealed)
{
    struct judge_ask q = {
        .mail_id = 7, .outbound = outbound, .account_address = SLICE("alice@a.test"), .now = 0};
    unsigned before = w->answers;
    int fd;
    if (sealed) {
        struct body_writer b;
        uint64_t n;
        body_writer_init(&b, 10000);
        assert_int_equal(body_append(&b, slice_str(text)), OK);
        assert_int_equal(body_seal(&b, &fd, &n), OK);
        body_writer_done(&b);
    } else {
        fd = memfd_create("open", MFD_CLOEXEC);
        assert_int_equal(fd_write_all(fd, slice_str(text)), OK);
    }
    memset(w->prefix, 0, sizeof w->prefix);
    memset(w->sender, 0, sizeof w->sender);
    memset(w->body, 0, sizeof w->body);
    assert_int_equal(chan_call(w->asker, X_JUDGE_ASK, &q, &fd, 1, loop_now(w->loop) + 10000, answered, w),
                     OK);
    fd_done(&fd);
    while (w->answers == before)
        loop_turn(w->loop, true);
}

static void answers_questions(void **state)
{
    struct world w = {0};
    struct err_detail detail;
    int fds[2];
    (void)state;
    w.loop = loop_new();
    w.role.spec = &judge_spec;
    w.role.loop = w.loop;
    assert_int_equal(chan_pair(fds), OK);
    w.asker = chan_new(w.loop, fds[0], &x_judge_channel, IPC_A, judge_gets, closed, &w);
    w.peer = (struct role_peer){.role = ROLE_EDGE, .def = &x_judge_channel};
    w.peer.chan = chan_new(w.loop, fds[1], &x_judge_channel, IPC_B, judge_gets, closed, &w);
    assert_int_equal(judge_spec.start(&w.role, &detail), OK);

    ask(&w, "From: a@b\r\n\r\nhello\r\n", false, true);
    assert_int_equal(w.action, JUDGE_ACCEPT);
    assert_non_null(strstr(w.prefix, "Authentication-Results: mx.a.test;"));
    assert_non_null(strstr(w.prefix, "dmarc=temperror")); /* nobody answers for the DNS */
    assert_string_equal(w.body, "");

    ask(&w,
        "From: a@b\r\nAuthentication-Results: MX.A.TEST (really);\r\n dmarc=pass\r\nTo: c@d\r\n\r\nhello\r\n",
        false, true); /* THREATS 21 */
    assert_int_equal(w.action, JUDGE_ACCEPT);
    assert_string_equal(w.body, "From: a@b\r\nTo: c@d\r\n\r\nhello\r\n");

    ask(&w, "From: a@b\r\nFrom: c@d\r\n\r\nhello\r\n", false, true);
    assert_int_equal(w.action, JUDGE_REJECT);
    assert_int_equal(w.code, 550);

    ask(&w, "From: alice@a.test\r\nBcc: b@c\r\n\r\nhello\r\n", true, true);
    assert_int_equal(w.action, JUDGE_ACCEPT);
    assert_string_equal(w.sender, "alice@a.test");
    assert_int_equal(w.senders, 1);
    assert_string_equal(w.body, "From: alice@a.test\r\n\r\nhello\r\n");
    assert_string_equal(w.prefix,
                        "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <0000000000007@mx.a.test>\r\n");

    ask(&w, "From: a@b\r\n\r\n", false, false); /* anybody could still change it */
    assert_int_equal(w.action, JUDGE_DEFER);
    assert_int_equal(w.code, 451);

    judge_done(&w.role);
    chan_free(w.asker);
    chan_free(w.peer.chan);
    loop_free(w.loop);
}

static void came(void *arg)
{
    (*(unsigned *)arg)++;
}

/* A resolver that is full, which a stranger can bring about, is not one that is dead: the question is put
 * again, and meanwhile nobody takes silence for an answer. */
static void a_full_resolver_is_asked_again(void **state)
{
    struct role_self role = {.loop = loop_new()};
    struct judge_dns *dns = judge_dns_new(&role);
    struct arena a;
    struct dns_table table;
    struct judge_asker asker;
    const struct dns_answer *answer;
    unsigned called = 0;
    (void)state;
    for (unsigned busy = 0; busy < 3; busy++) {
        time_ms began = loop_now(role.loop);
        arena_init(&a, "test", 1u << 20);
        assert_true(dns_table_init(&table, &a, 10));
        judge_asker_init(&asker, &table, came, &called);
        resolver.busy = busy;
        resolver.asked = called = 0;
        asker.fresh = true;
        assert_null(dns_table_get(&table, SLICE("bank.example"), DNS_TXT));
        (void)judge_dns_ask(dns, &asker);
        assert_int_equal(judge_dns_works(dns, began), busy > 0);
        while (called == 0)
            loop_turn(role.loop, true);
        assert_int_equal(resolver.asked, busy + 1);
        answer = dns_table_get(&table, SLICE("bank.example"), DNS_TXT);
        assert_non_null(answer);
        assert_int_equal(answer->status, DNS_ANSWER_TEMPFAIL);
        judge_asker_done(&asker);
        arena_done(&a);
    }
    judge_dns_free(&dns);
    loop_free(role.loop);
}

/* Resolver is asked DNS_SENT_MAX things at a time; the next one when it has answered one. */
static void resolver_keeps_room_for_others(void **state)
{
    static const struct resolved nothing = {.err = ERR_NOT_FOUND};
    struct role_self role = {.loop = loop_new()};
    struct judge_dns *dns = judge_dns_new(&role);
    struct arena a;
    struct dns_table table;
    struct judge_asker asker;
    unsigned called = 0;
    (void)state;
    arena_init(&a, "test", 8u << 20);
    assert_true(dns_table_init(&table, &a, DNS_SENT_MAX + 10));
    judge_asker_init(&asker, &table, came, &called);
    resolver.takes = true;
    resolver.asked = 0;
    for (unsigned i = 0; i < DNS_SENT_MAX + 10; i++) {
        char name[40];
        int n = snprintf(name, sizeof name, "n%u.slow.example", i);
        assert_null(dns_table_get(&table, slice_of(name, (size_t)n), DNS_A));
    }
    assert_int_equal(judge_dns_ask(dns, &asker), 0);
    assert_int_equal(resolver.asked, DNS_SENT_MAX);
    assert_true(judge_dns_works(dns, loop_now(role.loop) - 1000)); /* silent, but not dead */
    for (unsigned i = 1; i <= 10; i++) {
        resolver.fn(resolver.arg, OK, &nothing, NULL, 0);
        assert_int_equal(called, i);
        while (resolver.asked < DNS_SENT_MAX + i)
            loop_turn(role.loop, true);
        assert_int_equal(resolver.asked, DNS_SENT_MAX + i);
    }
    judge_asker_done(&asker);
    judge_dns_free(&dns);
    resolver.takes = false;
    arena_done(&a);
    loop_free(role.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(resolver_keeps_room_for_others),
                                       cmocka_unit_test(answers_questions),
                                       cmocka_unit_test(a_full_resolver_is_asked_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
