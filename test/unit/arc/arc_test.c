/* arc: chains that a small sealer here makes: whole ones of any length, and each of the ways in which one is
 * broken (RFC 8617 §5.2; THREATS 24). The public suite runs in test/vectors/arc_test.py. */
#include "lib/test.h"

#include <stdio.h>

#include "core/arc/arc.h"
#include "core/arc/arc_set.h"
#include "core/mail/header.h"
#include "crypto/private_key.h"
#include "text/base64.h"

#define NOW ((time_ms)1700000000000)

static const char body_text[] = "Hello  world \r\n\r\n";
static const char plain_header[] = "From: Ann <ann@author.example>\r\nTo: bob@example.org\r\nSubject: Hi\r\n";

/* One key for all sealers: dN.example publishes it as selector s. */
static struct private_key *key;
static char key_record[512];

static int make_key(void **state)
{
    struct buf b;
    (void)state;
    key = private_key_make(PRIVATE_KEY_ED25519);
    buf_init(&b, 400);
    assert_int_equal(private_key_public_text(key, &b), OK);
    (void)snprintf(key_record, sizeof key_record, "v=DKIM1; k=ed25519; p=%.*s", SLICE_FMT(buf_view(&b)));
    buf_done(&b);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    private_key_free(&key);
    return 0;
}

static void sign(struct dkim_header_hash *h, struct buf *out)
{
    uint8_t digest[DIGEST_SHA256_SIZE];
    struct buf signature;
    dkim_header_hash_end(h, digest);
    buf_init(&signature, PRIVATE_KEY_SIGNATURE);
    assert_int_equal(private_key_sign(key, digest, &signature), OK);
    assert_int_equal(base64_encode(buf_view(&signature), out), OK);
    buf_done(&signature);
}

/* What a test may have done differently in one set. */
struct set_ask {
    const char *cv;      /* NULL: as it should be */
    const char *results; /* of the AAR */
    const char *ams_tags, *seal_tags;
    const char *h;
    bool without_aar, without_ams, without_seal;
};

/* The chain so far: headers as one text each, oldest first. */
struct chain {
    struct buf fields[2 * ARC_SETS_MAX][3]; /* AAR, AMS, AS of each set */
    size_t n;
};

static void field_hash(struct dkim_header_hash *h, const struct buf *b)
{
    dkim_header_hash_field(h, buf_view(b));
}

/* Makes and appends one set as a sealer would. */
static void seal(struct chain *c, const struct set_ask *ask)
{
    size_t i = c->n + 1;
    struct buf *aar = &c->fields[c->n][0], *ams = &c->fields[c->n][1], *as = &c->fields[c->n][2];
    struct dkim_header_hash h = {0};
    struct dkim_body_hash body = {0};
    struct dkim_fields fields;
    struct arena a;
    uint8_t digest[DIGEST_SHA256_SIZE];
    const char *names = ask->h ? ask->h : "from:to:subject";
    for (int k = 0; k < 3; k++)
        buf_init(&c->fields[c->n][k], 65536);
    buf_print(aar, "ARC-Authentication-Results: i=%zu; d%zu.example; %s\r\n", i, i,
              ask->results ? ask->results : "dmarc=pass header.from=author.example");
    dkim_body_hash_begin(&body, DKIM_RELAXED);
    dkim_body_hash_feed(&body, slice_str(body_text));
    dkim_body_hash_end(&body, digest);
    dkim_body_hash_done(&body);
    buf_print(
        ams,
        "ARC-Message-Signature: i=%zu; a=ed25519-sha256; c=relaxed/relaxed; d=d%zu.example; s=s; %sh=%s; bh=",
        i, i, ask->ams_tags ? ask->ams_tags : "", names);
    assert_int_equal(base64_encode(slice_of(digest, sizeof digest), ams), OK);
    buf_str(ams, "; b=");
    arena_init(&a, "sign", 1u << 20);
    assert_true(dkim_fields_read(slice_str(plain_header), &a, &fields));
    dkim_header_hash_begin(&h, DKIM_RELAXED);
    assert_true(dkim_fields_hash(&fields, slice_str(names), &h));
    dkim_header_hash_signature(&h, buf_view(ams), (slice){0});
    sign(&h, ams);
    buf_str(ams, "\r\n");
    buf_print(as, "ARC-Seal: i=%zu; a=ed25519-sha256; cv=%s; d=d%zu.example; s=s; %st=1600000000; b=", i,
              ask->cv  ? ask->cv
              : i == 1 ? "none"
                       : "pass",
              i, ask->seal_tags ? ask->seal_tags : "");
    dkim_header_hash_begin(&h, DKIM_RELAXED);
    for (size_t k = 0; k < c->n; k++)
        for (int f = 0; f < 3; f++)
            field_hash(&h, &c->fields[k][f]);
    field_hash(&h, aar);
    field_hash(&h, ams);
    dkim_header_hash_signature(&h, buf_view(as), (slice){0});
    sign(&h, as);
    buf_str(as, "\r\n");
    dkim_header_hash_done(&h);
    arena_done(&a);
    if (ask->without_aar)
        buf_clear(aar);
    if (ask->without_ams)
        buf_clear(ams);
    if (ask->without_seal)
        buf_clear(as);
    c->n++;
}

static void sets(struct chain *c, size_t n)
{
    static const struct set_ask usual = {0};
    *c = (struct chain){.n = 0};
    while (n--)
        seal(c, &usual);
}

static void chain_done(struct chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        for (int f = 0; f < 3; f++)
            buf_done(&c->fields[i][f]);
}

/* The header block: newest set on top. */
static void header_of(const struct chain *c, struct buf *out)
{
    buf_init(out, 4u << 20);
    for (size_t i = c->n; i > 0; i--)
        for (int f = 3; f > 0; f--)
            buf_append(out, buf_view(&c->fields[i - 1][f - 1]));
    buf_str(out, plain_header);
    buf_str(out, "\r\n");
}

struct check {
    struct arena a;
    struct arc_result r;
    size_t questions, rounds;
};

static void answer(struct dns_table *t, size_t q, slice name, const char *fails)
{
    uint8_t rdata[512];
    size_t n = strlen(key_record);
    slice one = {rdata, n + 1};
    struct dns_answer a = {.status = DNS_ANSWER_OK, .rdata = &one, .n = 1};
    rdata[0] = (uint8_t)n;
    memcpy(rdata + 1, key_record, n);
    if (fails && slice_find(name, slice_str(fails)) < name.n)
        a = (struct dns_answer){.status = DNS_ANSWER_TIMEOUT};
    dns_table_put(t, q, &a);
}

/* fails: questions for names that hold this text are not answered. */
static void verify(slice header, const char *body, const char *fails, struct check *out)
{
    struct dns_table table;
    struct arc_verify *v;
    enum auth_step step;
    *out = (struct check){.rounds = 0};
    arena_init(&out->a, "verify", 16u << 20);
    assert_true(dns_table_init(&table, &out->a, 200));
    v = arc_verify_begin(header, &out->a);
    assert_non_null(v);
    arc_verify_want(v, &table);
    arc_verify_body(v, slice_str(body));
    arc_verify_body_end(v);
    while ((step = arc_verify_finish(v, &table, NOW, NULL, &out->r)) == AUTH_WAIT) {
        size_t q;
        slice name;
        uint16_t type;
        out->rounds++;
        while (dns_table_next(&table, &q, &name, &type)) {
            out->questions++;
            answer(&table, q, name, fails);
        }
    }
    assert_int_equal(step, AUTH_DONE);
}

static void chain_is(struct chain *c, enum auth_result want, const char *why)
{
    struct buf header;
    struct check k;
    header_of(c, &header);
    slice guarded = guard_copy(buf_view(&header));
    verify(guarded, body_text, NULL, &k);
    if (k.r.result != want || (why && slice_find(k.r.reason, slice_str(why)) == k.r.reason.n))
        fail_msg("%.*s: %.*s, wanted %s", SLICE_FMT(auth_result_word(k.r.result)), SLICE_FMT(k.r.reason),
                 why);
    arena_done(&k.a);
    guard_free(guarded);
    buf_done(&header);
    chain_done(c);
}

static void whole_chains(void **state)
{
    static const size_t lengths[] = {0, 1, 2, 5, 6, 50};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        static struct chain c;
        size_t n = lengths[i];
        struct buf header;
        struct check k;
        char newest[32];
        sets(&c, n);
        header_of(&c, &header);
        verify(buf_view(&header), body_text, NULL, &k);
        assert_int_equal(k.r.result, n ? AUTH_PASS : AUTH_NONE);
        assert_int_equal(k.r.sets, n);
        if (n) {
            (void)snprintf(newest, sizeof newest, "d%zu.example", n);
            assert_slice(k.r.sealer, newest);
            assert_slice(k.r.sealers[0], "d1.example");
            assert_slice(k.r.sealers[n - 1], newest);
            assert_true(k.r.first_dmarc_pass);
            assert_slice(k.r.first_dmarc_from, "author.example");
            assert_slice(k.r.first_results, "dmarc=pass header.from=author.example");
            assert_int_equal(k.r.oldest_pass, n > ARC_AT_ONCE ? n : 0);
        }
        /* few: all keys at once; many: those of the newest set first */
        assert_int_equal(k.rounds, n == 0 ? 0 : n <= ARC_AT_ONCE ? 1 : 2);
        arena_done(&k.a);
        buf_done(&header);
        chain_done(&c);
    }
}

/* A made-up chain of fifty sealers costs one question, not fifty. */
static void a_long_lie_is_cheap(void **state)
{
    static struct chain c;
    struct buf header;
    struct check k;
    (void)state;
    sets(&c, 50);
    header_of(&c, &header);
    verify(buf_view(&header), "another body\r\n", NULL, &k);
    assert_int_equal(k.r.result, AUTH_FAIL);
    assert_int_equal(k.questions, 1);
    arena_done(&k.a);
    buf_done(&header);
    chain_done(&c);
}

static void more_than_fifty(void **state)
{
    static struct chain c;
    (void)state;
    sets(&c, 51);
    chain_is(&c, AUTH_FAIL, "no instance (i=) from 1 to 50");
}

static void broken_chains(void **state)
{
    static const struct {
        struct set_ask first, second;
        const char *why;
    } cases[] = {
        {{.cv = "pass"}, {0}, "says cv=pass"},
        {{0}, {.cv = "none"}, "says cv=none"},
        {{0}, {.cv = "fail"}, "found broken by d2.example (ARC set 2 says cv=fail)"},
        {{.cv = "fail"}, {0}, "found broken by d1.example"},
        {{0}, {.cv = "good"}, "cv= is none of"},
        {{.without_aar = true}, {0}, "ARC set 1 is incomplete"},
        {{.without_ams = true}, {0}, "ARC set 1 is incomplete"},
        {{.without_seal = true}, {0}, "ARC set 1 is incomplete"},
        {{0}, {.without_aar = true}, "ARC set 2 is incomplete"},
        {{0}, {.without_seal = true}, "ARC set 2 is incomplete"},
        {{0}, {.seal_tags = "h=from; "}, "has an h="},
        {{0}, {.ams_tags = "l=5; "}, "l= is not accepted"},
        {{0}, {.ams_tags = "x=1600000000; "}, "expired"},
        {{0}, {.ams_tags = "s=t; "}, "ARC-Message-Signature"},
        {{0}, {.h = "from:arc-seal:to"}, "h= names ARC-Seal"},
        {{0}, {.seal_tags = "i=3; "}, "ARC-Seal"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct chain c;
        c = (struct chain){.n = 0};
        seal(&c, &cases[i].first);
        seal(&c, &cases[i].second);
        chain_is(&c, AUTH_FAIL, cases[i].why);
    }
}

/* Each octet of the header fields that the chain covers, changed in turn: it fails. Others: it passes. */
static void every_octet(void **state)
{
    static struct chain c;
    struct buf header;
    (void)state;
    sets(&c, 2);
    header_of(&c, &header);
    for (size_t i = 0; i < header.n; i++) {
        uint8_t old = header.p[i];
        struct check k;
        if (old == '\r' || old == '\n' || old == ' ' || old == '\t')
            continue; /* white space is not signed as it is */
        header.p[i] = old == 'x' ? 'y' : 'x';
        verify(buf_view(&header), body_text, NULL, &k);
        if (k.r.result != AUTH_FAIL)
            fail_msg("octet %zu, %c, changed: %.*s", i, old, SLICE_FMT(k.r.reason));
        arena_done(&k.a);
        header.p[i] = old;
    }
    buf_done(&header);
    chain_done(&c);
}

static void doubled_fields(void **state)
{
    (void)state;
    for (int f = 0; f < 3; f++) {
        static struct chain c;
        struct buf header, twice;
        struct check k;
        sets(&c, 1);
        header_of(&c, &header);
        buf_init(&twice, 1u << 20);
        buf_append(&twice, buf_view(&c.fields[0][f]));
        buf_append(&twice, buf_view(&header));
        verify(buf_view(&twice), body_text, NULL, &k);
        assert_int_equal(k.r.result, AUTH_FAIL);
        assert_true(slice_find(k.r.reason, SLICE("twice")) < k.r.reason.n);
        arena_done(&k.a);
        buf_done(&twice);
        buf_done(&header);
        chain_done(&c);
    }
}

/* A key that cannot be had now: a failure for now. One that is not needed any more: no matter. */
static void keys_that_do_not_come(void **state)
{
    static struct chain c;
    struct buf header;
    struct check k;
    (void)state;
    sets(&c, 3);
    header_of(&c, &header);
    verify(buf_view(&header), body_text, "d2.example", &k);
    assert_int_equal(k.r.result, AUTH_FAIL);
    assert_true(k.r.temporary);
    arena_done(&k.a);
    verify(buf_view(&header), "changed\r\n", "d2.example", &k);
    assert_int_equal(k.r.result, AUTH_FAIL);
    assert_false(k.r.temporary);
    arena_done(&k.a);
    buf_done(&header);
    chain_done(&c);
}

static void what_the_first_sealer_saw(void **state)
{
    static const struct {
        const char *results;
        bool pass;
        const char *from;
    } cases[] = {
        {"dmarc=pass header.from=A.Example", true, "a.example"},
        {"dmarc=pass", true, ""},
        {"dmarc=PASS (p=none) header.from=a.example; spf=fail", true, "a.example"},
        {"spf=fail; dkim=pass header.d=a.example; dmarc=pass header.from=a.example", true, "a.example"},
        {"dmarc=fail header.from=a.example", false, "a.example"},
        {"dmarc=pass; dmarc=fail", false, ""},
        {"dmarc=fail; dmarc=pass", false, ""},
        {"none", false, ""},
        {"spf=pass (dmarc=pass)", false, ""},
        {"spf=pass reason=\"; dmarc=pass\"", false, ""},
        {"dmarc=pass header.from=\"a b\"", true, ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct chain c;
        struct buf header;
        struct check k;
        c = (struct chain){.n = 0};
        seal(&c, &(struct set_ask){.results = cases[i].results});
        header_of(&c, &header);
        verify(buf_view(&header), body_text, NULL, &k);
        assert_int_equal(k.r.result, AUTH_PASS);
        if (k.r.first_dmarc_pass != cases[i].pass)
            fail_msg("%s", cases[i].results);
        assert_true(k.r.from_signed);
        assert_slice(k.r.first_dmarc_from, cases[i].from);
        assert_slice(k.r.first_results, cases[i].results);
        arena_done(&k.a);
        buf_done(&header);
        chain_done(&c);
    }
}

/* A sealer need not sign From (RFC 8617 §4.1.2), but then its chain says nothing of who wrote the message. */
static void an_unsigned_from_is_told(void **state)
{
    static const struct {
        const char *first, *newest;
        bool from_signed;
    } cases[] = {
        {"from", "FROM", true},
        {"subject", "to : From:subject", true},
        {"from", "to:subject", false},
        {"from", "x-from:from-x", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct chain c;
        struct buf header;
        struct check k;
        c = (struct chain){.n = 0};
        seal(&c, &(struct set_ask){.h = cases[i].first});
        seal(&c, &(struct set_ask){.h = cases[i].newest});
        header_of(&c, &header);
        verify(buf_view(&header), body_text, NULL, &k);
        assert_int_equal(k.r.result, AUTH_PASS);
        assert_int_equal(k.r.from_signed, cases[i].from_signed);
        arena_done(&k.a);
        buf_done(&header);
        chain_done(&c);
    }
}

/* Names that hold a NUL or more than a name (THREATS 3, 21). */
static void odd_names(void **state)
{
    static const char *const seals[] = {
        "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=legitimate.com'a.attack.com; s=s; b=AA==\r\n",
        "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=com; s=s; b=AA==\r\n",
        "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.example; s=x y; b=AA==\r\n",
        "ARC-Seal: i=1; a=rsa-sha1; cv=none; d=a.example; s=s; b=AA==\r\n",
        "ARC-Seal: i=0; a=rsa-sha256; cv=none; d=a.example; s=s; b=AA==\r\n",
        "ARC-Seal: i=-1; a=rsa-sha256; cv=none; d=a.example; s=s; b=AA==\r\n",
        "ARC-Seal: i=4294967297; cv=none\r\n",
        "ARC-Seal:\r\n",
        "ARC-Authentication-Results: x; i=1\r\n",
        "ARC-Authentication-Results: i=1 x; y\r\n",
        "ARC-Message-Signature: i=1;;\r\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(seals); i++) {
        struct check k;
        slice s = guard_copy(slice_str(seals[i]));
        verify(s, body_text, NULL, &k);
        assert_int_equal(k.r.result, AUTH_FAIL);
        assert_int_equal(k.questions, 0);
        assert_true(k.r.sets >= 1);
        arena_done(&k.a);
        guard_free(s);
    }
}

/* An arena too small ends in "no memory" at every size, never in a crash. */
static void no_memory(void **state)
{
    static struct chain c;
    struct buf header;
    (void)state;
    sets(&c, 2);
    header_of(&c, &header);
    for (size_t cap = 0; cap < 200000; cap += 1 + cap / 16) {
        struct arena a, other;
        struct dns_table table;
        struct arc_verify *v;
        struct arc_result r;
        arena_init(&a, "small", cap);
        arena_init(&other, "dns", 1u << 20);
        assert_true(dns_table_init(&table, &other, 20));
        v = arc_verify_begin(buf_view(&header), &a);
        if (v) {
            enum auth_step step;
            size_t q;
            slice name;
            uint16_t type;
            arc_verify_body(v, slice_str(body_text));
            arc_verify_body_end(v);
            while ((step = arc_verify_finish(v, &table, NOW, NULL, &r)) == AUTH_WAIT)
                while (dns_table_next(&table, &q, &name, &type))
                    answer(&table, q, name, NULL);
            assert_true(step == AUTH_NO_MEMORY || r.result == AUTH_PASS);
        }
        arena_done(&a);
        arena_done(&other);
    }
    buf_done(&header);
    chain_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_chains),
        cmocka_unit_test(a_long_lie_is_cheap),
        cmocka_unit_test(more_than_fifty),
        cmocka_unit_test(broken_chains),
        cmocka_unit_test(every_octet),
        cmocka_unit_test(doubled_fields),
        cmocka_unit_test(keys_that_do_not_come),
        cmocka_unit_test(what_the_first_sealer_saw),
        cmocka_unit_test(an_unsigned_from_is_told),
        cmocka_unit_test(odd_names),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
