/* dmarc: the cases of RFC 9989 (its examples in §4.10 and Appendix B, its rules in §4.7 and §4.10.1), several
 * authors (THREATS 20), answers that do not come, and how few rounds of questions it all takes. */
#include "lib/test.h"

#include <stdio.h>

#include "core/dmarc/dmarc.h"
#include "core/dmarc/dmarc_walk.h"
#include "core/dns/dns_zone_text.h"

#define QUESTIONS 200

/* One case: what From, SPF and DKIM say, a DNS, and what came out. */
struct run {
    struct arena a;
    struct dns_table table;
    struct dns_zone zone;
    struct dmarc_result out;
    unsigned rounds;  /* times that questions had to be asked */
    char asked[8192]; /* their names, each with a blank behind it */
    slice authors[40];
    size_t n_authors;
    struct spf_result spf;
    struct dkim_result dkim[4];
    size_t n_dkim;
};

static void dns_begin(struct run *r, const char *zone)
{
    struct err_detail detail = {{0}};
    arena_init(&r->a, "test", 4u << 20);
    if (dns_zone_text_read(slice_str(zone), &r->a, &r->zone, &detail))
        fail_msg("%s", detail.text);
    assert_true(dns_table_init(&r->table, &r->a, QUESTIONS));
    r->rounds = 0;
    r->asked[0] = 0;
}

/* Answers all that was noted. */
static void dns_serve(struct run *r)
{
    size_t q;
    slice name;
    uint16_t type;
    r->rounds++;
    assert_true(r->rounds < 10);
    while (dns_table_next(&r->table, &q, &name, &type)) {
        struct dns_answer answer;
        size_t n = strlen(r->asked);
        dns_zone_answer(&r->zone, name, type, &r->a, &answer);
        dns_table_put(&r->table, q, &answer);
        (void)snprintf(r->asked + n, sizeof r->asked - n, "%.*s ", SLICE_FMT(name));
    }
}

static void author(struct run *r, const char *domain)
{
    r->authors[r->n_authors++] = slice_str(domain);
}

static void spf(struct run *r, enum auth_result result, const char *domain)
{
    r->spf = (struct spf_result){.result = result, .domain = slice_str(domain)};
}

static void dkim(struct run *r, enum auth_result result, const char *domain)
{
    r->dkim[r->n_dkim++] = (struct dkim_result){.result = result, .domain = slice_str(domain)};
}

static struct dmarc_result *check(struct run *r, const char *zone)
{
    enum auth_step step;
    dns_begin(r, zone);
    while ((step = dmarc_check(r->authors, r->n_authors, &r->spf, r->dkim, r->n_dkim, &r->table, &r->a,
                               &r->out)) == AUTH_WAIT)
        dns_serve(r);
    assert_int_equal(step, AUTH_DONE);
    return &r->out;
}

/* From, an SPF pass for mail_from and a DKIM pass for signer (either may be NULL). */
static struct dmarc_result *simple(struct run *r, const char *zone, const char *from, const char *mail_from,
                                   const char *signer)
{
    *r = (struct run){.spf = {.result = AUTH_NONE}};
    author(r, from);
    if (mail_from)
        spf(r, AUTH_PASS, mail_from);
    if (signer)
        dkim(r, AUTH_PASS, signer);
    return check(r, zone);
}

static void done(struct run *r)
{
    arena_done(&r->a);
}

/* RFC 9989 Appendix B.1: the same, a parent or child, a stranger; under relaxed and under strict alignment.
 */
static void alignment_of_the_appendix(void **state)
{
    static const struct {
        const char *from, *other;
        bool relaxed, strict;
    } cases[] = {{"example.com", "example.com", true, true},
                 {"example.com", "child.example.com", true, false},
                 {"child.example.com", "example.com", true, false},
                 {"child.example.com", "example.net", false, false},
                 {"news.example.com", "foo.example.com", true, false},
                 {"example.com", "badexample.com", false, false},
                 {"example.com", "com", false, false}};
    struct run r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int strict = 0; strict < 2; strict++) {
            bool want = strict ? cases[i].strict : cases[i].relaxed;
            const char *zone = strict ? "_dmarc.example.com TXT \"v=DMARC1; p=reject; adkim=s; aspf=s\""
                                      : "_dmarc.example.com TXT \"v=DMARC1; p=reject\"";
            (void)simple(&r, zone, cases[i].from, cases[i].other, NULL);
            assert_int_equal(r.out.spf_aligned, want);
            assert_int_equal(r.out.result, want ? AUTH_PASS : AUTH_FAIL);
            assert_false(r.out.dkim_aligned);
            done(&r);
            (void)simple(&r, zone, cases[i].from, NULL, cases[i].other);
            assert_int_equal(r.out.dkim_aligned, want);
            assert_int_equal(r.out.result, want ? AUTH_PASS : AUTH_FAIL);
            assert_int_equal(r.out.asked, want ? DMARC_POLICY_NONE : DMARC_POLICY_REJECT);
            assert_int_equal(r.out.published, DMARC_POLICY_REJECT);
            done(&r);
        }
}

/* Appendix B.4: simple, deep, and below a public suffix domain. */
static void tree_walks_of_the_appendix(void **state)
{
    const char *simple_zone = "_dmarc.example.com TXT \"v=DMARC1; p=reject\"\n"
                              "_dmarc.signing.example.com TXT \"v=DMARC1; p=none\"";
    const char *bank = "_dmarc.bank.example TXT \"v=DMARC1; p=reject; psd=y\"\n"
                       "_dmarc.giant.bank.example TXT \"v=DMARC1; p=quarantine\"\n"
                       "_dmarc.example TXT \"v=DMARC1; p=none\"";
    struct run r;
    (void)state;
    (void)simple(&r, simple_zone, "example.com", "example.com", "signing.example.com");
    assert_int_equal(r.out.result, AUTH_PASS);
    assert_true(r.out.spf_aligned && r.out.dkim_aligned);
    assert_slice(r.out.policy_domain, "example.com");
    done(&r);
    (void)simple(&r, simple_zone, "a.b.c.d.e.f.g.h.i.j.k.example.com", "example.com", "signing.example.com");
    assert_true(r.out.spf_aligned && r.out.dkim_aligned);
    assert_slice(r.out.policy_domain, "example.com");
    assert_slice(r.out.organizational_domain, "example.com");
    assert_non_null(strstr(r.asked, "_dmarc.a.b.c.d.e.f.g.h.i.j.k.example.com "));
    assert_non_null(strstr(r.asked, "_dmarc.g.h.i.j.k.example.com "));
    assert_null(strstr(r.asked, "_dmarc.f.g.h.i.j.k.example.com "));
    done(&r);
    (void)simple(&r, bank, "giant.bank.example", "mail.giant.bank.example", "mail.mega.bank.example");
    assert_int_equal(r.out.result, AUTH_PASS);
    assert_true(r.out.spf_aligned && !r.out.dkim_aligned);
    assert_slice(r.out.policy_domain, "giant.bank.example");
    assert_slice(r.out.organizational_domain, "giant.bank.example");
    assert_int_equal(r.out.published, DMARC_POLICY_QUARANTINE);
    done(&r);
    /* mega has no record of its own: the public suffix domain speaks, and a sibling is a stranger */
    (void)simple(&r, bank, "mail.mega.bank.example", "giant.bank.example", "mega.bank.example");
    assert_int_equal(r.out.result, AUTH_PASS);
    assert_true(!r.out.spf_aligned && r.out.dkim_aligned);
    assert_slice(r.out.policy_domain, "bank.example");
    assert_slice(r.out.organizational_domain, "mega.bank.example");
    done(&r);
    /* the public suffix domain itself as an author is its own organization */
    (void)simple(&r, bank, "bank.example", "giant.bank.example", NULL);
    assert_int_equal(r.out.result, AUTH_FAIL);
    assert_int_equal(r.out.asked, DMARC_POLICY_REJECT);
    assert_slice(r.out.organizational_domain, "bank.example");
    done(&r);
}

static void walk(struct run *r, const char *zone, const char *domain, struct dmarc_walk *w)
{
    enum auth_step step;
    dns_begin(r, zone);
    while ((step = dmarc_walk(slice_str(domain), &r->table, &r->a, w)) == AUTH_WAIT)
        dns_serve(r);
    assert_int_equal(step, AUTH_DONE);
}

/* §4.10: the eight questions of a long name, in their order; §4.10.2: three examples of organizational
 * domains. */
static void walks(void **state)
{
    static const struct {
        const char *zone, *domain, *organizational;
    } cases[] = {
        {"_dmarc.mail.example.com TXT \"v=DMARC1;p=none\"\n_dmarc.example.com TXT \"v=DMARC1;p=none\"",
         "a.mail.example.com", "example.com"},
        {"_dmarc.mail.example.com TXT \"v=DMARC1;psd=n\"\n_dmarc.example.com TXT \"v=DMARC1;p=none\"",
         "a.mail.example.com", "mail.example.com"},
        {"_dmarc.com TXT \"v=DMARC1;psd=y\"", "a.mail.example.com", "example.com"},
        {"_dmarc.example.com TXT \"v=DMARC1;psd=y\"", "mail.example.com", "mail.example.com"},
        {"_dmarc.example.com TXT \"v=DMARC1;psd=y\"", "example.com", "example.com"},
        {"_dmarc.com TXT \"v=DMARC1;p=none\"", "a.mail.example.com",
         "com"}, /* a domain that forgot its psd=y */
        {"", "a.mail.example.com", "a.mail.example.com"},
        {"_dmarc.b.c.d.e.f.example.com TXT \"v=DMARC1;psd=y\"", "x.y.a.b.c.d.e.f.example.com",
         "a.b.c.d.e.f.example.com"},
        {"_dmarc.c.d.e.f.example.com TXT \"v=DMARC1;psd=y\"", "x.y.a.b.c.d.e.f.example.com",
         "b.c.d.e.f.example.com"},
        {"_dmarc.com TXT \"v=DMARC1;psd=y\"", "com", "com"},
    };
    struct run r = {0};
    struct dmarc_walk w;
    (void)state;
    walk(&r, "", "a.b.c.d.e.f.g.h.i.j.mail.example.com", &w);
    assert_string_equal(r.asked,
                        "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com _dmarc.g.h.i.j.mail.example.com "
                        "_dmarc.h.i.j.mail.example.com _dmarc.i.j.mail.example.com "
                        "_dmarc.j.mail.example.com _dmarc.mail.example.com _dmarc.example.com _dmarc.com ");
    assert_int_equal(r.rounds, 1);
    done(&r);
    walk(&r, "", "a.b.c.d.e.f.example.com", &w); /* eight labels: one at a time */
    assert_int_equal(w.n, 8);
    assert_slice(w.at[1].domain, "b.c.d.e.f.example.com");
    done(&r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        walk(&r, cases[i].zone, cases[i].domain, &w);
        assert_slice(w.organizational, cases[i].organizational);
        assert_int_equal(r.rounds, 1);
        done(&r);
    }
}

/* §4.10, step 2, and §4.5: which texts are a record, and several that are. */
static void which_records_count(void **state)
{
    static const struct {
        const char *zone;
        enum auth_result result;
    } cases[] = {
        {"_dmarc.example.com TXT \"v=DMARC1; p=reject\"\n_dmarc.example.com TXT \"v=DMARC1; p=none\"",
         AUTH_NONE},
        {"_dmarc.example.com TXT \"v=spf1 -all\"", AUTH_NONE},
        {"_dmarc.example.com TXT \"v=DMARC2; p=reject\"", AUTH_NONE},
        {"_dmarc.example.com TXT \"v=dmarc1; p=reject\"", AUTH_NONE},
        {"_dmarc.example.com TXT \"V=DMARC1; p=reject\"", AUTH_NONE},
        {"_dmarc.example.com TXT \" v=DMARC1; p=reject\"", AUTH_NONE},
        {"_dmarc.example.com TXT \"p=reject; v=DMARC1\"", AUTH_NONE},
        {"_dmarc.example.com TXT \"v=DMARC1.1; p=reject\"", AUTH_NONE},
        {"_dmarc.example.com TXT \"v=DMARC1 p=reject\"", AUTH_NONE},
        {"example.com TXT \"v=DMARC1; p=reject\"", AUTH_NONE},
        {"_dmarc.example.com TXT \"v=spf1 -all\"\n_dmarc.example.com TXT \"v=DMARC1; p=reject\"", AUTH_FAIL},
        {"_dmarc.example.com TXT \"v=DMA\" \"RC1; p=rej\" \"ect\"", AUTH_FAIL},
        {"_dmarc.example.com TXT \"v = DMARC1 ;p = reject;\"", AUTH_FAIL},
        {"_dmarc.example.com TXT \"v=DMARC1\" \";p=reject\"", AUTH_FAIL},
        {"_dmarc.example.com CNAME x.example.net\nx.example.net TXT \"v=DMARC1;p=reject\"", AUTH_FAIL},
        /* several at the author's name are none there, and the walk goes on */
        {"_dmarc.example.com TXT \"v=DMARC1;p=none\"\n_dmarc.example.com TXT \"v=DMARC1;p=none\"\n"
         "_dmarc.com TXT \"v=DMARC1;p=reject;psd=y\"",
         AUTH_FAIL},
    };
    struct run r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)simple(&r, cases[i].zone, "example.com", "example.net", NULL);
        if (r.out.result != cases[i].result)
            fail_msg("%s: %s", cases[i].zone, (const char *)auth_result_word(r.out.result).p);
        assert_int_equal(r.out.asked, cases[i].result == AUTH_FAIL ? DMARC_POLICY_REJECT : DMARC_POLICY_NONE);
        done(&r);
    }
}

/* §4.7 and §4.10.1: which of p, sp and np applies, what an invalid one does, and t. */
static void policies(void **state)
{
    static const struct {
        const char *record, *from;
        enum auth_result result;
        int published, asked;
        char tag;
    } cases[] = {
        {"p=reject; sp=quarantine", "example.com", AUTH_FAIL, 2, 2, 'p'},
        {"p=reject; sp=quarantine", "child.example.com", AUTH_FAIL, 1, 1, 's'},
        {"p=reject", "child.example.com", AUTH_FAIL, 2, 2, 'p'},
        {"p=none; np=reject", "gone.example.com", AUTH_FAIL, 2, 2, 'n'},
        {"p=none; sp=none; np=reject", "gone.example.com", AUTH_FAIL, 2, 2, 'n'},
        {"p=reject; sp=none", "gone.example.com", AUTH_FAIL, 0, 0, 's'},
        {"p=none; np=reject", "child.example.com", AUTH_FAIL, 0, 0, 'p'},
        {"p=none; sp=quarantine; np=reject", "child.example.com", AUTH_FAIL, 1, 1, 's'},
        {"p=none; np=reject", "example.com", AUTH_FAIL, 0, 0, 'p'},
        {"p=none; np=reject", "ent.example.com", AUTH_FAIL, 0, 0, 'p'},
        {"p=none; np=reject", "broken.example.com", AUTH_TEMPERROR, -1, 0, 0},
        {"p=Reject; sp=NONE", "child.example.com", AUTH_FAIL, 0, 0, 's'},
        {"rua=mailto:d@example.com", "example.com", AUTH_FAIL, 0, 0, 'p'},
        {"adkim=s", "example.com", AUTH_NONE, 0, 0, 0},
        {"p=bogus", "example.com", AUTH_NONE, 0, 0, 0},
        {"p=reject; sp=bogus", "example.com", AUTH_NONE, 0, 0, 0},
        {"p=reject; np=bogus", "example.com", AUTH_NONE, 0, 0, 0},
        {"p=reject; sp=bogus; rua=mailto:d@example.com", "example.com", AUTH_FAIL, 0, 0, 'p'},
        {"p=reject; sp=bogus; rua=mailto:d@example.com", "child.example.com", AUTH_FAIL, 0, 0, 'p'},
        {"p=reject; sp=bogus; rua=nonsense", "example.com", AUTH_NONE, 0, 0, 0},
        {"p=bogus; rua=https://example.com/reports", "example.com", AUTH_FAIL, 0, 0, 'p'},
        {"p=reject; t=y", "example.com", AUTH_FAIL, 2, 1, 'p'},
        {"p=quarantine; t=y", "example.com", AUTH_FAIL, 1, 0, 'p'},
        {"p=none; t=y", "example.com", AUTH_FAIL, 0, 0, 'p'},
        {"p=reject; t=x", "example.com", AUTH_FAIL, 2, 2, 'p'},
        {"p=reject; pct=0; rf=afrf; ri=3600; foo=bar", "example.com", AUTH_FAIL, 2, 2, 'p'},
        {"p=reject; aspf=x; adkim; ;; =", "example.com", AUTH_FAIL, 2, 2, 'p'},
        {"p=reject; p=none", "example.com", AUTH_FAIL, 2, 2, 'p'},
        {"t=n; aspf=r; p=quarantine", "example.com", AUTH_FAIL, 1, 1, 'p'},
    };
    struct run r;
    char zone[512];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(zone, sizeof zone,
                       "_dmarc.example.com TXT \"v=DMARC1; %s\"\nchild.example.com A 192.0.2.1\n"
                       "x.ent.example.com A 192.0.2.1\n_dmarc.broken.example.com SERVFAIL",
                       cases[i].record);
        (void)simple(&r, zone, cases[i].from, "example.net", NULL);
        if (r.out.result != cases[i].result || r.out.asked != (enum dmarc_policy)cases[i].asked ||
            r.out.policy_tag != cases[i].tag)
            fail_msg("%s from %s: %.*s, %.*s", cases[i].record, cases[i].from,
                     SLICE_FMT(auth_result_word(r.out.result)), SLICE_FMT(r.out.reason));
        if (cases[i].result == AUTH_FAIL)
            assert_int_equal(r.out.published, cases[i].published);
        done(&r);
    }
}

/* A domain whose A question fails exists, as far as anybody knows. */
static void no_answer_is_no_nxdomain(void **state)
{
    struct run r;
    (void)state;
    (void)simple(&r,
                 "_dmarc.example.com TXT \"v=DMARC1; p=none; np=reject\"\nslow.example.com TIMEOUT\n"
                 "_dmarc.slow.example.com TXT \"something else\"",
                 "slow.example.com", NULL, NULL);
    assert_int_equal(r.out.result, AUTH_FAIL);
    assert_int_equal(r.out.asked, DMARC_POLICY_NONE);
    assert_null(strstr(r.asked, " slow.example.com ")); /* _dmarc below it is there, so it is: no question */
    done(&r);
}

/* §5.3.6, and what it must not be used for. */
static void answers_that_do_not_come(void **state)
{
    const char *zone = "_dmarc.example.com TXT \"v=DMARC1; p=reject\"\n";
    char text[512];
    struct run r;
    (void)state;
    (void)simple(&r, "_dmarc.example.com SERVFAIL", "example.com", NULL, NULL);
    assert_int_equal(r.out.result, AUTH_TEMPERROR);
    assert_int_equal(r.out.asked, DMARC_POLICY_NONE);
    done(&r);
    (void)simple(&r, "_dmarc.example.com TIMEOUT", "sub.example.com", NULL, NULL);
    assert_int_equal(r.out.result, AUTH_TEMPERROR);
    done(&r);
    /* the top-level name fails as in many private zones: a record was found below it */
    (void)snprintf(text, sizeof text, "%s_dmarc.com SERVFAIL", zone);
    (void)simple(&r, text, "sub.example.com", "example.com", NULL);
    assert_int_equal(r.out.result, AUTH_PASS);
    done(&r);
    /* the key of an aligned signer could not be had */
    r = (struct run){.n_authors = 0};
    author(&r, "example.com");
    dkim(&r, AUTH_TEMPERROR, "mail.example.com");
    (void)check(&r, zone);
    assert_int_equal(r.out.result, AUTH_TEMPERROR);
    done(&r);
    /* that of a stranger changes nothing */
    r = (struct run){.n_authors = 0};
    author(&r, "example.com");
    dkim(&r, AUTH_TEMPERROR, "attack.example.net");
    spf(&r, AUTH_TEMPERROR, "attack.example.net");
    (void)check(&r, zone);
    assert_int_equal(r.out.result, AUTH_FAIL);
    assert_int_equal(r.out.asked, DMARC_POLICY_REJECT);
    done(&r);
    /* and with a pass beside it, it passes */
    r = (struct run){.n_authors = 0};
    author(&r, "example.com");
    dkim(&r, AUTH_TEMPERROR, "example.com");
    spf(&r, AUTH_PASS, "bounce.example.com");
    (void)check(&r, zone);
    assert_int_equal(r.out.result, AUTH_PASS);
    assert_true(r.out.spf_aligned && !r.out.dkim_aligned);
    done(&r);
    /* own record there, the name above it not: whether the signer above is aligned cannot be known */
    (void)simple(&r, "_dmarc.a.example.com TXT \"v=DMARC1;p=reject\"\n_dmarc.example.com SERVFAIL",
                 "a.example.com", NULL, "example.com");
    assert_int_equal(r.out.result, AUTH_TEMPERROR);
    done(&r);
    (void)simple(&r, "_dmarc.a.example.com TXT \"v=DMARC1;p=reject\"\n_dmarc.example.com SERVFAIL",
                 "a.example.com", NULL, "example.net");
    assert_int_equal(r.out.result, AUTH_FAIL);
    done(&r);
    (void)simple(&r, "_dmarc.a.example.com TXT \"v=DMARC1;p=reject\"\n_dmarc.example.com SERVFAIL",
                 "a.example.com", NULL, "a.example.com");
    assert_int_equal(r.out.result, AUTH_PASS);
    done(&r);
    /* above a psd= nobody asks */
    (void)simple(&r, "_dmarc.a.example.com TXT \"v=DMARC1;p=reject;psd=n\"\n_dmarc.example.com SERVFAIL",
                 "a.example.com", NULL, "example.com");
    assert_int_equal(r.out.result, AUTH_FAIL);
    done(&r);
}

/* §4.10.1: the policy could not be had. Waiting is better when somebody may have looked for a name whose
 * servers are silent; not when something speaks for the author, and not when it is our own DNS. */
static void policies_that_do_not_come(void **state)
{
#define LAME "_dmarc.lame.example.com SERVFAIL\n"
    static const struct {
        const char *zone, *from, *mail_from, *signer;
        bool try_again;
    } cases[] = {
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject\"", "lame.example.com", NULL, NULL, true},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=none; sp=quarantine\"", "lame.example.com", NULL, NULL,
         true},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=none; np=reject\"", "lame.example.com", NULL, NULL, true},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject\"", "x.lame.example.com", NULL, NULL, true},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject\"", "lame.example.com", "attack.com", "attack.com",
         true},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject\"", "lame.example.com", "lame.example.com", NULL,
         false},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject\"", "lame.example.com", NULL, "lame.example.com",
         false},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject\"", "lame.example.com", NULL, "example.com",
         false},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject; adkim=s\"", "lame.example.com", NULL,
         "example.com", true},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject; aspf=s\"", "lame.example.com", "example.com",
         NULL, true},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject; aspf=s\"", "lame.example.com", NULL,
         "example.com", false},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=none\"", "lame.example.com", NULL, NULL, false},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject; sp=none\"", "lame.example.com", NULL, NULL,
         false},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=quarantine; t=y\"", "lame.example.com", NULL, NULL,
         false},
        {LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject; t=y\"", "lame.example.com", NULL, NULL, true},
        {LAME "_dmarc.com TXT \"v=DMARC1; p=none; np=reject; psd=y\"", "lame.example.com", NULL, NULL, true},
        /* no record anywhere: a name that is silent, but not all of them */
        {"_dmarc.example.com TIMEOUT", "example.com", NULL, NULL, true},
        {"_dmarc.example.com BOGUS", "a.b.example.com", NULL, NULL, true},
        {"_dmarc.example.com TIMEOUT", "example.com", "example.com", NULL, false},
        {"_dmarc.example.com TIMEOUT", "example.com", NULL, "mail.example.com", true},
        {"_dmarc.com TIMEOUT", "example.com", NULL, NULL, false},
        {"_dmarc.com TIMEOUT\n_dmarc.example.com TIMEOUT", "example.com", NULL, NULL, true},
        {"_dmarc.com TIMEOUT\n_dmarc.example.com TIMEOUT", "example.com", "example.com", NULL, false},
    };
    struct run r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)simple(&r, cases[i].zone, cases[i].from, cases[i].mail_from, cases[i].signer);
        if (r.out.result != AUTH_TEMPERROR || r.out.try_again != cases[i].try_again)
            fail_msg("%zu: %s: %.*s: %.*s", i, cases[i].zone, SLICE_FMT(auth_result_word(r.out.result)),
                     SLICE_FMT(r.out.reason));
        assert_int_equal(r.out.silent, strstr(cases[i].zone, "_dmarc.com TIMEOUT\n") != NULL);
        assert_int_equal(r.out.policy_domain.n, 0); /* nobody is told, and nothing is done, in its name */
        assert_int_equal(r.out.published, DMARC_POLICY_NONE);
        done(&r);
    }
    /* beside an author whose silence is nobody's fault, in any order */
    for (size_t i = 0; i < 2; i++) {
        r = (struct run){.n_authors = 0};
        author(&r, i ? "lame.example.com" : "free.org");
        author(&r, i ? "free.org" : "lame.example.com");
        (void)check(&r, LAME "_dmarc.example.com TXT \"v=DMARC1; p=reject\"\n_dmarc.org SERVFAIL");
        assert_true(r.out.result == AUTH_TEMPERROR && r.out.try_again);
        assert_slice(r.out.author, "lame.example.com");
        done(&r);
    }
}

/* Whether np= or sp= is the policy hangs on an answer that does not come: the stricter one, and a temperror,
 * or who can keep us from asking (a full table) chooses the milder. */
static void existence_that_is_not_known(void **state)
{
    static const struct {
        const char *record;
        enum auth_result result;
        enum dmarc_policy published;
        char tag;
    } cases[] = {
        {"p=none; np=reject", AUTH_TEMPERROR, DMARC_POLICY_REJECT, 'n'},
        {"p=reject; sp=quarantine; np=none", AUTH_TEMPERROR, DMARC_POLICY_QUARANTINE, 's'},
        {"p=none; sp=reject; np=reject", AUTH_FAIL, DMARC_POLICY_REJECT,
         's'}, /* the same: nothing is asked */
        {"p=quarantine", AUTH_FAIL, DMARC_POLICY_QUARANTINE, 'p'},
    };
    char zone[300];
    struct run r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(zone, sizeof zone,
                       "_dmarc.example.com TXT \"v=DMARC1; %s\"\ngone.example.com SERVFAIL", cases[i].record);
        (void)simple(&r, zone, "gone.example.com", "attack.com", NULL);
        assert_int_equal(r.out.result, cases[i].result);
        assert_int_equal(r.out.published, cases[i].published);
        assert_int_equal(r.out.policy_tag, cases[i].tag);
        if (r.out.result == AUTH_TEMPERROR)
            assert_true(slice_find(r.out.reason, SLICE("whether gone.example.com exists")) < r.out.reason.n);
        done(&r);
        (void)simple(&r, zone, "gone.example.com", "example.com", NULL); /* what passes needs no policy */
        assert_int_equal(r.out.result, AUTH_PASS);
        done(&r);
    }
}

/* THREATS 20: for every address, and the worst wins, in any order. */
static void several_authors(void **state)
{
    const char *zone = "_dmarc.legitimate.com TXT \"v=DMARC1; p=reject\"\n"
                       "_dmarc.soft.com TXT \"v=DMARC1; p=quarantine\"\n"
                       "_dmarc.watch.com TXT \"v=DMARC1; p=none\"\n_dmarc.broken.com SERVFAIL";
    static const struct {
        const char *a, *b;
        enum auth_result result;
        const char *about;
    } cases[] = {
        {"attack.com", "legitimate.com", AUTH_FAIL, "legitimate.com"},
        {"legitimate.com", "soft.com", AUTH_FAIL, "legitimate.com"},
        {"soft.com", "broken.com", AUTH_FAIL, "soft.com"},
        {"watch.com", "broken.com", AUTH_TEMPERROR, "broken.com"},
        {"broken.com", "legitimate.com", AUTH_FAIL, "legitimate.com"},
        {"attack.com", "nodmarc.com", AUTH_NONE, "nodmarc.com"}, /* not: pass */
        {"watch.com", "[192.0.2.1]", AUTH_PERMERROR, ""},
        {"attack.com", "", AUTH_PERMERROR, ""},
        {"legitimate.com", "legit imate.com", AUTH_FAIL, "legitimate.com"},
        {"attack.com", "attack.com", AUTH_PASS, "attack.com"},
        {"attack.com", "ATTACK.com.", AUTH_PASS, "attack.com"},
    };
    char full[1024];
    struct run r;
    (void)state;
    (void)snprintf(full, sizeof full, "%s\n_dmarc.attack.com TXT \"v=DMARC1; p=none\"", zone);
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        size_t k = i / 2;
        r = (struct run){.n_authors = 0};
        author(&r, i % 2 ? cases[k].a : cases[k].b);
        author(&r, i % 2 ? cases[k].b : cases[k].a);
        dkim(&r, AUTH_PASS, "attack.com");
        spf(&r, AUTH_PASS, "attack.com");
        (void)check(&r, full);
        if (r.out.result != cases[k].result)
            fail_msg("%s, %s: %.*s", cases[k].a, cases[k].b, SLICE_FMT(auth_result_word(r.out.result)));
        assert_slice(r.out.author, cases[k].about);
        assert_int_equal(r.rounds, 1);
        done(&r);
    }
    r = (struct run){.n_authors = 0};
    (void)check(&r, zone);
    assert_int_equal(r.out.result, AUTH_PERMERROR);
    done(&r);
}

static void too_many_authors(void **state)
{
    static char names[DMARC_AUTHORS_MAX + 1][20];
    struct run r = {0};
    (void)state;
    for (size_t i = 0; i <= DMARC_AUTHORS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "d%zu.example.com", i);
        author(&r, names[i]);
    }
    dkim(&r, AUTH_PASS, "example.com");
    (void)check(&r, "_dmarc.example.com TXT \"v=DMARC1;p=none\"");
    assert_int_equal(r.out.result, AUTH_PERMERROR);
    done(&r);
    r.n_authors--;
    (void)check(&r, "_dmarc.example.com TXT \"v=DMARC1;p=none\"");
    assert_int_equal(r.out.result, AUTH_PASS);
    done(&r);
    /* a refusal among the first is not hidden behind the number */
    r.n_authors++;
    r.n_dkim = 0;
    (void)check(&r, "_dmarc.example.com TXT \"v=DMARC1;p=reject\"");
    assert_int_equal(r.out.result, AUTH_FAIL);
    done(&r);
}

/* Names that only look like domains align with nothing (THREATS 21). */
static void odd_identifiers(void **state)
{
    static const char *const odd[] = {
        "legitimate.com'a.attack.com",      "legitimate.com(.attack.com", ".legitimate.com",
        "legitimate.com\nx.legitimate.com", "-.legitimate.com",           "a..legitimate.com"};
    struct run r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        (void)simple(&r, "_dmarc.legitimate.com TXT \"v=DMARC1; p=reject\"", "legitimate.com", odd[i],
                     odd[i]);
        assert_int_equal(r.out.result, AUTH_FAIL);
        done(&r);
    }
}

/* What people read. */
static void reasons(void **state)
{
    const char *zone = "_dmarc.example.org TXT \"v=DMARC1; p=reject; sp=quarantine; t=y\"\n"
                       "_dmarc.example.net TXT \"v=DMARC1; p=reject\"";
    struct run r;
    (void)state;
    (void)simple(&r, zone, "example.net", "other.example", NULL);
    assert_slice(r.out.reason,
                 "neither SPF (other.example) nor DKIM (no signature) speaks for example.net, which asks "
                 "to reject such mail");
    done(&r);
    (void)simple(&r, zone, "news.example.org", NULL, "other.example");
    assert_slice(r.out.reason,
                 "neither SPF (none) nor DKIM (other.example) speaks for news.example.org, which asks to "
                 "treat such mail as suspicious but is only testing that (its policy is that of "
                 "example.org)");
    done(&r);
    (void)simple(&r, zone, "example.net", "bounce.example.net", "example.net");
    assert_slice(r.out.reason, "SPF (bounce.example.net) and DKIM (example.net) speak for example.net");
    done(&r);
    (void)simple(&r, zone, "example.com", NULL, NULL);
    assert_slice(r.out.reason, "example.com publishes no DMARC policy");
    done(&r);
}

/* One round for the author's walk, one more only for what nobody could foresee; and dmarc_want() saves the
 * first. */
static void rounds(void **state)
{
    const char *zone = "_dmarc.example.com TXT \"v=DMARC1; p=none; np=reject\"";
    struct run r;
    (void)state;
    (void)simple(&r, zone, "a.example.com", "x.b.example.com", "y.c.example.com");
    assert_int_equal(r.rounds, 2); /* the second: does a.example.com exist? */
    done(&r);
    r = (struct run){.n_authors = 0};
    author(&r, "example.com");
    dns_begin(&r, zone);
    dmarc_want(r.authors, 1, &r.table);
    dns_serve(&r);
    assert_int_equal(dmarc_check(r.authors, 1, &r.spf, NULL, 0, &r.table, &r.a, &r.out), AUTH_DONE);
    assert_int_equal(r.out.result, AUTH_FAIL);
    done(&r);
}

/* A record with bytes that are no text is shown without them. */
static void shown_records(void **state)
{
    struct run r;
    (void)state;
    (void)simple(
        &r, "_dmarc.example.com TXT \"v=DMARC1; p=reject; rua=mailto:a@b.example\\010x; x=\\000\\127\\200\"",
        "example.com", NULL, NULL);
    assert_slice(r.out.record, "v=DMARC1; p=reject; rua=mailto:a@b.example?x; x=???");
    assert_int_equal(r.out.rua.n, 0);
    assert_int_equal(r.out.result, AUTH_FAIL);
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignment_of_the_appendix),
        cmocka_unit_test(tree_walks_of_the_appendix),
        cmocka_unit_test(walks),
        cmocka_unit_test(which_records_count),
        cmocka_unit_test(policies),
        cmocka_unit_test(no_answer_is_no_nxdomain),
        cmocka_unit_test(answers_that_do_not_come),
        cmocka_unit_test(policies_that_do_not_come),
        cmocka_unit_test(existence_that_is_not_known),
        cmocka_unit_test(several_authors),
        cmocka_unit_test(too_many_authors),
        cmocka_unit_test(odd_identifiers),
        cmocka_unit_test(reasons),
        cmocka_unit_test(rounds),
        cmocka_unit_test(shown_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
