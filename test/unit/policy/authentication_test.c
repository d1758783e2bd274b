/* policy/authentication and policy/replay: what follows from the results, and the words for it. The results
 * are made by hand here; the evaluators have their own tests. */
#include "lib/test.h"

#include "policy/authentication.h"
#include "policy/replay.h"

static struct arena arena;
static struct verdict v;
static struct authentication_applied applied;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, "test", (size_t)1 << 20);
    v = (struct verdict){.action = VERDICT_ACCEPT};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* A message that failed DMARC, whose domain asks for this. */
static struct auth_results failed(enum dmarc_policy asks)
{
    return (struct auth_results){.client = SLICE("192.0.2.7"),
                                 .iprev = {.result = AUTH_PASS, .name = SLICE("out.lists.example")},
                                 .spf = {.result = AUTH_FAIL,
                                         .domain = SLICE("bank.example"),
                                         .reason = SLICE("192.0.2.7 is not allowed")},
                                 .dmarc = {.result = AUTH_FAIL,
                                           .author = SLICE("bank.example"),
                                           .policy_domain = SLICE("bank.example"),
                                           .published = asks,
                                           .asked = asks}};
}

static void decide(const struct auth_results *r, const struct authentication_policy *p)
{
    v = (struct verdict){.action = VERDICT_ACCEPT};
    assert_true(authentication_decide(r, p, &arena, &v, &applied));
}

static bool told(const char *words)
{
    for (size_t i = 0; i < v.n_reasons; i++)
        if (slice_find(v.reasons[i], slice_str(words)) < v.reasons[i].n)
            return true;
    return false;
}

static const struct authentication_policy nothing = {.rcpts_known = true};

static void test_policies(void **state)
{
    struct auth_results r = failed(DMARC_POLICY_REJECT);
    (void)state;
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_REJECT);
    assert_int_equal(v.code, 550);
    assert_slice(v.status, "5.7.1");
    assert_true(slice_find(v.text, SLICE("bank.example")) < v.text.n);
    assert_int_equal(applied.applied, DMARC_POLICY_REJECT);
    assert_true(told("DMARC fail for bank.example, whose policy is reject"));
    assert_true(told("SPF fail: 192.0.2.7 is not allowed"));
    r = failed(DMARC_POLICY_QUARANTINE);
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_JUNK);
    assert_int_equal(applied.applied, DMARC_POLICY_QUARANTINE);
    r = failed(DMARC_POLICY_NONE);
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_ACCEPT);
    r.dmarc.result = AUTH_PASS;
    r.dmarc.published = DMARC_POLICY_REJECT;
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_ACCEPT);
    assert_true(told("DMARC pass for bank.example"));
}

/* A refusal for the header's sake stays; what DMARC says is told beside it. */
static void test_earlier_refusal_stays(void **state)
{
    struct auth_results r = failed(DMARC_POLICY_REJECT);
    (void)state;
    verdict_reject(&v, 550, SLICE("5.6.0"), SLICE("two From fields"));
    assert_true(authentication_decide(&r, &nothing, &arena, &v, &applied));
    assert_slice(v.text, "two From fields");
}

static void test_dns_trouble(void **state)
{
    struct auth_results r = failed(DMARC_POLICY_NONE);
    (void)state;
    r.dmarc.result = AUTH_TEMPERROR;
    r.dmarc.policy_domain = (slice){0};
    decide(&r, &nothing); /* the policy is not known: mail is not stopped by dead name servers */
    assert_int_equal(v.action, VERDICT_ACCEPT);
    assert_true(told("DMARC temperror"));
    r.dmarc.try_again = true; /* but by those of a name that somebody looked for */
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_DEFER);
    assert_int_equal(v.code, 451);
    assert_int_equal(applied.applied, DMARC_POLICY_NONE);
    struct authentication_forwarder f;
    assert_int_equal(authentication_forwarder_parse(SLICE("192.0.2.7"), &f), OK);
    decide(&r, &(struct authentication_policy){.forwarders = &f, .n_forwarders = 1, .rcpts_known = true});
    assert_int_equal(v.action, VERDICT_ACCEPT);
    r.dmarc.silent = true; /* is it our own DNS? */
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_ACCEPT);
    decide(&r, &(struct authentication_policy){.rcpts_known = true, .dns_works = true});
    assert_int_equal(v.action, VERDICT_DEFER);
    r.dmarc.try_again = r.dmarc.silent = false;
    decide(&r, &(struct authentication_policy){.rcpts_known = true, .dns_works = true});
    assert_int_equal(v.action, VERDICT_ACCEPT);
    r.dmarc.published = DMARC_POLICY_REJECT;
    r.dmarc.policy_domain = SLICE("bank.example");
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_DEFER);
    assert_int_equal(v.code, 451);
    r.dmarc.published = DMARC_POLICY_QUARANTINE; /* a signature of a name that times out is no way in */
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_DEFER);
    r.dmarc.testing = true;
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_ACCEPT);
    r.dmarc.testing = false;
    r.dmarc.published = DMARC_POLICY_NONE;
    decide(&r, &nothing);
    assert_int_equal(v.action, VERDICT_ACCEPT);
}

static struct authentication_forwarder forwarder(const char *text)
{
    struct authentication_forwarder f;
    assert_int_equal(authentication_forwarder_parse(slice_str(text), &f), OK);
    return f;
}

static void test_forwarders(void **state)
{
    static const struct {
        const char *text;
        bool known;
    } cases[] = {
        {"192.0.2.0/24", true},   {"192.0.2.7", true},        {"192.0.2.8", false},
        {"192.0.3.0/24", false},  {"lists.example", true},    {"out.lists.example", true},
        {"example", true},        {"x.lists.example", false}, {"ists.example", false},
        {"2001:db8::/32", false},
    };
    struct auth_results r = failed(DMARC_POLICY_REJECT);
    struct authentication_forwarder f;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f = forwarder(cases[i].text);
        const struct authentication_policy p = {.forwarders = &f, .n_forwarders = 1, .rcpts_known = true};
        decide(&r, &p);
        if ((v.action == VERDICT_ACCEPT) != cases[i].known)
            fail_msg("forwarder %s", cases[i].text);
        assert_int_equal(applied.override,
                         cases[i].known ? AUTHENTICATION_FORWARDER : AUTHENTICATION_NO_OVERRIDE);
        assert_true(!cases[i].known || told("192.0.2.7 is a known forwarder"));
    }
    f = forwarder("lists.example"); /* a name counts only when it was confirmed */
    const struct authentication_policy p = {.forwarders = &f, .n_forwarders = 1, .rcpts_known = true};
    r.iprev.result = AUTH_FAIL;
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_REJECT);
}

/* A list's server is believed about mail of lists, and about nothing else. */
static void test_mailing_lists(void **state)
{
    struct auth_results r = failed(DMARC_POLICY_REJECT);
    struct authentication_forwarder f = forwarder("lists.example");
    struct authentication_policy p = {.forwarders = &f, .n_forwarders = 1, .rcpts_known = true};
    (void)state;
    f.lists = true;
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_REJECT);
    p.of_list = true;
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_ACCEPT);
    assert_int_equal(applied.override, AUTHENTICATION_MAILING_LIST);
    assert_true(told("192.0.2.7 is a known mailing list server (mailing-list lists.example)"));
    r.iprev.result = AUTH_FAIL;
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_REJECT);
}

static void test_forwarder_syntax(void **state)
{
    static const char *const bad[] = {"",    "192.0.2.0/33", "192.0.2.0/0", "::/129",
                                      "a b", "-x.org",       "x.org/8",     "1.2.3"};
    struct authentication_forwarder f;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (authentication_forwarder_parse(slice_str(bad[i]), &f) != ERR_SYNTAX)
            fail_msg("taken: %s", bad[i]);
}

/* THREATS 24: a perfect chain of somebody nobody knows does not help. */
static void test_arc(void **state)
{
    static const slice sealers[] = {SLICE_INIT("first.example"), SLICE_INIT("second.example")};
    static const slice both[] = {SLICE_INIT("first.example"), SLICE_INIT("second.example")};
    static const slice rcpts[] = {SLICE_INIT("other.example, First.example,second.example"),
                                  SLICE_INIT("second.example first.example")};
    static const slice one_does_not[] = {SLICE_INIT("first.example,second.example"),
                                         SLICE_INIT("first.example")};
    struct auth_results r = failed(DMARC_POLICY_REJECT);
    struct authentication_policy p = {0};
    (void)state;
    r.arc = (struct arc_result){.result = AUTH_PASS,
                                .sets = 2,
                                .sealer = SLICE("second.example"),
                                .sealers = sealers,
                                .from_signed = true,
                                .first_dmarc_pass = true};
    assert_true(authentication_wants_rcpts(&r, &p));
    p.rcpts_known = true;
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_REJECT);
    assert_true(told("nobody here trusts the sealer first.example"));
    p.sealers = both;
    p.n_sealers = 1; /* the first only */
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_REJECT);
    p.n_sealers = 2;
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_ACCEPT);
    assert_int_equal(applied.override, AUTHENTICATION_ARC);
    assert_true(told("DMARC asks for reject, not done"));
    r.arc.from_signed = false; /* whoever passed it on may have put the bank's name into From */
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_REJECT);
    r.arc.from_signed = true;
    p.rcpts_known = false;
    assert_false(authentication_wants_rcpts(&r, &p));
    p = (struct authentication_policy){.rcpts_known = true, .rcpt_sealers = rcpts, .n_rcpts = 2};
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_ACCEPT);
    p.rcpt_sealers = one_does_not;
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_REJECT);
    p.rcpt_sealers = rcpts;
    r.arc.first_dmarc_pass = false;
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_REJECT);
    r.arc.first_dmarc_pass = true;
    r.arc.result = AUTH_FAIL;
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_REJECT);
}

static void test_spf_alone_decides_nothing(void **state)
{
    struct auth_results r = failed(DMARC_POLICY_NONE);
    const struct authentication_policy p = {.rcpts_known = true, .sends_nothing = true};
    (void)state;
    r.dmarc = (struct dmarc_result){.result = AUTH_NONE, .author = SLICE("bank.example")};
    decide(&r, &p);
    assert_int_equal(v.action, VERDICT_ACCEPT);
    assert_true(told("bank.example says that it sends no mail at all"));
    assert_true(told("no DMARC record for bank.example"));
}

/* THREATS 23: one signed mail to 1,000 recipients from 50 addresses. */
static void test_replay(void **state)
{
    struct replay *t = replay_new();
    struct replay_seen s = {0};
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct ip ip = ip_from_v4((uint8_t[]){192, 0, 2, (uint8_t)(i % 50)});
        s = replay_count(t, 0x1234, &ip, 1, 1000 + i);
        assert_int_equal(s.times, i + 1);
        assert_int_equal(s.replayed, i + 1 > REPLAY_MANY);
    }
    assert_int_equal(s.clients, REPLAY_CLIENTS);
    struct ip one = ip_from_v4((uint8_t[]){192, 0, 2, 1});
    for (uint64_t i = 1; i < 100000; i++) { /* a flood of others: bounded, and each counted right */
        s = replay_count(t, i << 20, &one, 1, 3000);
        assert_int_equal(s.times, 1);
    }
    s = replay_count(t, 0x77, &one, 21, 4000); /* many recipients at once */
    assert_true(s.replayed);
    s = replay_count(t, 0x77, &one, 1, 4000 + REPLAY_LIFE_MS + 1);
    assert_int_equal(s.times, 1);
    replay_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_policies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_earlier_refusal_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dns_trouble, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forwarders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mailing_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forwarder_syntax, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arc, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spf_alone_decides_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replay, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
