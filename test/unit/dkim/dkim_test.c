/* DKIM verification: the examples of RFC 6376 §A and RFC 8463 §A, the rules for each tag and each record,
 * what is asked of the DNS, and our stricter rules (THREATS 3, 22): each result with its reason. */
#include "dkim_kit.h"
#include "lib/dns_kit.h"

#include <stdio.h>

static struct dkim_kit kit;

#define MESSAGE                                                                                              \
    "From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\nA  body \r\n\r\nof "    \
    "text\r\n\r\n\r\n"
#define H "; h=from:to:subject"

static struct dkim_form form_of(const char *tags)
{
    return (struct dkim_form){
        .ed25519 = true, .header = DKIM_RELAXED, .body = DKIM_RELAXED, .tags = tags, .h = "from:to:subject"};
}

#define ED "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=e" H

static void sign_usual(struct buf *m)
{
    struct dkim_form form = form_of(ED);
    buf_init(m, 100000);
    dkim_kit_sign(&kit, &form, SLICE(MESSAGE), SIZE_MAX, m);
}

static void assert_result(const struct dkim_result *r, enum auth_result want, const char *reason)
{
    if (r->result != want || slice_find(r->reason, slice_str(reason)) == r->reason.n + (reason[0] == 0))
        fail_msg("%.*s, not %.*s: \"%.*s\", not \"%s\"", SLICE_FMT(auth_result_word(r->result)),
                 SLICE_FMT(auth_result_word(want)), SLICE_FMT(r->reason), reason);
}

static void test_forms(void **state)
{
    static const char *canon[] = {"simple", "relaxed"};
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct buf m CLEANUP(buf_done), tags CLEANUP(buf_done);
        struct dkim_form form = {.ed25519 = i & 1,
                                 .header = (enum dkim_canon)(i >> 1 & 1),
                                 .body = (enum dkim_canon)(i >> 2 & 1),
                                 .h = "from:to:subject"};
        buf_init(&m, 10000);
        buf_init(&tags, 1000);
        assert_int_equal(buf_print(&tags, "v=1; a=%s; c=%s/%s; d=example.org; s=%s" H,
                                   form.ed25519 ? "ed25519-sha256" : "rsa-sha256", canon[form.header],
                                   canon[form.body], form.ed25519 ? "e" : "r"),
                         OK);
        assert_int_equal(buf_byte(&tags, 0), OK);
        form.tags = (const char *)tags.p;
        dkim_kit_sign(&kit, &form, SLICE(MESSAGE), SIZE_MAX, &m);
        for (size_t split = 0; split < 40; split++) {
            dkim_kit_verify(&kit, buf_view(&m), split, KIT_NOW);
            assert_int_equal(kit.n, 1);
            assert_result(kit.results, AUTH_PASS, "");
        }
        assert_slice(kit.results->domain, "example.org");
        assert_slice(kit.results->selector, form.ed25519 ? "e" : "r");
        assert_int_equal(kit.results->key_bits, form.ed25519 ? 256 : 2048);
        assert_int_equal(kit.results->b.n, 8);
        assert_int_equal(kit.questions, 1);
    }
}

static void test_tags(void **state)
{
#define BEGIN "v=1; a=ed25519-sha256; c=relaxed/relaxed; "
    static const struct {
        const char *tags;
        enum auth_result result;
        const char *reason;
    } table[] = {
        {ED, AUTH_PASS, ""},
        {BEGIN "d=EXAMPLE.org; s=E; q=dns/txt:other; z=From:x|To:y; unknown=1" H, AUTH_PASS, ""},
        {BEGIN "d=example.org; s=e; i=@example.org" H, AUTH_PASS, ""},
        {BEGIN "d=example.org; s=e; i=a=40b@Sub.Example.Org" H, AUTH_PASS, ""},
        {BEGIN "d=example.org; s=e; t=1699999999; x=1700000001" H, AUTH_PASS, ""},
        {BEGIN "d=example.org; s=e; h=from : to :\r\n\tsubject", AUTH_PASS, ""},
        {"v=2; a=ed25519-sha256; d=example.org; s=e" H, AUTH_NEUTRAL, "version"},
        {"v=1.0; a=ed25519-sha256; d=example.org; s=e" H, AUTH_NEUTRAL, "version"},
        {"a=ed25519-sha256; d=example.org; s=e" H, AUTH_PERMERROR, "version"},
        {"v=1; a=rsa-sha1; d=example.org; s=e" H, AUTH_POLICY, "SHA-1"},
        {"v=1; a=rsa-sha512; d=example.org; s=e" H, AUTH_NEUTRAL, "algorithm"},
        {"v=1; d=example.org; s=e" H, AUTH_PERMERROR, "a="},
        {"v=1; a=ed25519-sha256; c=nofws; d=example.org; s=e" H, AUTH_NEUTRAL, "c="},
        {"v=1; a=ed25519-sha256; c=relaxed/; d=example.org; s=e" H, AUTH_NEUTRAL, "c="},
        {BEGIN "d=example.org; s=e; q=http/file" H, AUTH_NEUTRAL, "q="},
        {BEGIN "s=e" H, AUTH_PERMERROR, "d="},
        {BEGIN "d=org; s=e" H, AUTH_PERMERROR, "d="},
        {BEGIN "d=example.org.; s=e" H, AUTH_PERMERROR, "d="},
        {BEGIN "d=example.org'a.attack.example; s=e" H, AUTH_PERMERROR, "d="},
        {BEGIN "d=example.org(.attack.example; s=e" H, AUTH_PERMERROR, "d="},
        {BEGIN "d=-example.org; s=e" H, AUTH_PERMERROR, "d="},
        {BEGIN "d=example..org; s=e" H, AUTH_PERMERROR, "d="},
        {BEGIN "d=example.org" H, AUTH_PERMERROR, "s="},
        {BEGIN "d=example.org; s=" H, AUTH_PERMERROR, "s="},
        {BEGIN "d=example.org; s=e x" H, AUTH_PERMERROR, "s="},
        {BEGIN "d=example.org; s=e/x" H, AUTH_PERMERROR, "s="},
        {BEGIN "d=example.org; s=e; i=@example.net" H, AUTH_PERMERROR, "i="},
        {BEGIN "d=example.org; s=e; i=@badexample.org" H, AUTH_PERMERROR, "i="},
        {BEGIN "d=example.org; s=e; i=@org" H, AUTH_PERMERROR, "i="},
        {BEGIN "d=example.org; s=e; i=example.org" H, AUTH_PERMERROR, "i="},
        {BEGIN "d=example.org; s=e; x=1700000000" H, AUTH_FAIL, "expired"},
        {BEGIN "d=example.org; s=e; x=1" H, AUTH_FAIL, "expired"},
        {BEGIN "d=example.org; s=e; t=1700000001; x=1700000001" H, AUTH_PERMERROR, "x="},
        {BEGIN "d=example.org; s=e; x=0" H, AUTH_PERMERROR, "x="}, /* not: for ever */
        {BEGIN "d=example.org; s=e; t=0; x=0" H, AUTH_PERMERROR, "x="},
        {BEGIN "d=example.org; s=e; t=1800000000" H, AUTH_PASS, ""}, /* a clock that runs ahead */
        {BEGIN "d=example.org; s=e; t=soon" H, AUTH_PERMERROR, "time"},
        {BEGIN "d=example.org; s=e; x=-1" H, AUTH_PERMERROR, "time"},
        {BEGIN "d=example.org; s=e; l=5" H, AUTH_NONE, "l= is not accepted"},
        {BEGIN "d=example.org; s=e; l=" H, AUTH_NONE, "l= is not accepted"},
        {BEGIN "d=example.org; s=e", AUTH_PERMERROR, "h="},
        {BEGIN "d=example.org; s=e; h=", AUTH_PERMERROR, "h="},
        {BEGIN "d=example.org; s=e; h=to:subject", AUTH_PERMERROR, "From field is not signed"},
        {BEGIN "d=example.org; s=e; h=from::to", AUTH_PERMERROR, "h="},
        {BEGIN "d=example.org; s=e; h=from:", AUTH_PERMERROR, "h="},
        {BEGIN "d=example.org; s=e; h=from:to x", AUTH_PERMERROR, "h="},
        {BEGIN "d=example.org; s=e; d=example.org" H, AUTH_PERMERROR, "twice"},
        {BEGIN "d=example.org; s=e; x" H, AUTH_PERMERROR, "list of tags"},
        {BEGIN "d=example.org; s=none" H, AUTH_PERMERROR, "no key record at none._domainkey.example.org"},
        /* RFC 8616 §4 */
        {BEGIN "d=b\xc3\xbc"
               "cher.example; s=e" H,
         AUTH_PERMERROR, "e._domainkey.xn--bcher-kva.example"},
        {BEGIN "d=example.org; s=e; i=j\xc3\xb6rg@example.org" H, AUTH_PASS, ""},
        {BEGIN "d=example.org; s=e; t=999999999999" H, AUTH_PASS, ""},
        {BEGIN "d=example.org; s=e; t=9999999999999" H, AUTH_PERMERROR, "time"},
        {"v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=e" H, AUTH_PERMERROR, "Ed25519 key"},
        {BEGIN "d=example.org; s=r" H, AUTH_PERMERROR, "RSA key"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct buf m CLEANUP(buf_done);
        struct dkim_form form = form_of(table[i].tags);
        buf_init(&m, 10000);
        dkim_kit_sign(&kit, &form, SLICE(MESSAGE), SIZE_MAX, &m);
        const struct dkim_result *r = dkim_kit_one(&kit, buf_view(&m));
        if (r->result != table[i].result ||
            slice_find(r->reason, slice_str(table[i].reason)) == r->reason.n + !table[i].reason[0])
            print_error("%s\n", table[i].tags);
        assert_result(r, table[i].result, table[i].reason);
    }
}

/* THREATS 3: no question for half a name. */
static void test_names(void **state)
{
    static const slice fields[] = {
        SLICE_INIT("DKIM-Signature: v=1; a=rsa-sha256; d=example.org\0.attack.example; s=e; h=from; bh="
                   "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\nFrom: x\r\n\r\n"),
        SLICE_INIT("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=e\0x; h=from; bh="
                   "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\nFrom: x\r\n\r\n"),
        SLICE_INIT("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=e\xff; h=from; bh="
                   "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\nFrom: x\r\n\r\n"),
        SLICE_INIT("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=e\\000; h=from; bh="
                   "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\nFrom: x\r\n\r\n"),
        SLICE_INIT(
            "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; h=from; bh="
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD; s="
            "a123456789012345678901234567890123456789012345678901234567890.a123456789012345678901234567"
            "890123456789012345678901234567890.a123456789012345678901234567890123456789012345678901234567"
            "890.a12345678901234567890123456789012345678901234567890\r\nFrom: x\r\n\r\n"),
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        assert_int_equal(dkim_kit_one(&kit, fields[i])->result, AUTH_PERMERROR);
        assert_int_equal(kit.questions, 0);
    }
}

static void test_records(void **state)
{
    static const struct {
        const char *zone; /* %s is the key */
        enum auth_result result;
        const char *reason;
    } table[] = {
        {"TXT \"v=DKIM1; k=ed25519; p=%.*s\"", AUTH_PASS, ""},
        {"TXT \"k=ed25519; p=%.*s\"", AUTH_PASS, ""},
        {"TXT \"v=DKIM1; k=ed25519; h=sha1:sha256; s=email; t=s; n=note; p=%.*s;\"", AUTH_PASS, ""},
        {"TXT \"v=DKIM1; k=ed25519; s=tlsrpt : * ; g=x; p=%.*s\"", AUTH_PASS, ""},
        {"TXT \"v=DKIM1; k=ed2\" \"5519; p=%.*s\"", AUTH_PASS, ""},
        {"TXT \"v=DKIM1; p=%.*s\"", AUTH_PERMERROR, "RSA key"},
        {"TXT \"v=DKIM2; k=ed25519; p=%.*s\"", AUTH_PERMERROR, "v="},
        {"TXT \"k=ed25519; v=DKIM1; p=%.*s\"", AUTH_PERMERROR, "first"},
        {"TXT \"v=DKIM1; k=dsa; p=%.*s\"", AUTH_PERMERROR, "k="},
        {"TXT \"v=DKIM1; k=ed25519; h=sha1; p=%.*s\"", AUTH_PERMERROR, "h="},
        {"TXT \"v=DKIM1; k=ed25519; s=tlsrpt; p=%.*s\"", AUTH_PERMERROR, "s="},
        {"TXT \"v=DKIM1; k=ed25519; p=\"", AUTH_PERMERROR, "the key of selector e at example.org is revoked"},
        {"TXT \"v=DKIM1; k=ed25519\"", AUTH_PERMERROR, "p="},
        {"TXT \"v=DKIM1; k=ed25519; p=AAAA%.*s\"", AUTH_PERMERROR, "no key of its kind"},
        {"TXT \"v=DKIM1; k=ed25519; p=%.*s!\"", AUTH_PERMERROR, "no key of its kind"},
        {"TXT \"v=spf1 -all\"", AUTH_PERMERROR, "no DKIM key"},
        {"TXT \"\"", AUTH_PERMERROR, "list of tags"},
        {"A 192.0.2.1", AUTH_PERMERROR, "no key record at e._domainkey.example.org"},
        {"SERVFAIL", AUTH_TEMPERROR, "the DNS gave no answer"},
        {"TIMEOUT", AUTH_TEMPERROR, "in time"},
        {"BOGUS", AUTH_TEMPERROR, "DNSSEC"},
    };
    struct buf m CLEANUP(buf_done);
    (void)state;
    sign_usual(&m);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char line[2000];
        slice key = buf_view(&kit.ed25519_text), before = slice_str(table[i].zone), after;
        size_t at = slice_find(before, SLICE("%.*s"));
        after = slice_from(before, at + 4);
        if (at == before.n)
            key = slice_of(NULL, 0);
        snprintf(line, sizeof(line), "%.*s%.*s%.*s", SLICE_FMT(slice_sub(before, 0, at)), SLICE_FMT(key),
                 SLICE_FMT(after));
        dkim_kit_zone(&kit, "e._domainkey.example.org %s\n", line);
        assert_result(dkim_kit_one(&kit, buf_view(&m)), table[i].result, table[i].reason);
    }
    dkim_kit_zone_usual(&kit);
}

/* Several records: the first that fits is taken. t=y and t=s. */
static void test_records_more(void **state)
{
    struct buf m CLEANUP(buf_done);
    struct dkim_form below =
        form_of("v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=e; i=@sub.example.org" H);
    slice e = buf_view(&kit.ed25519_text), r = buf_view(&kit.rsa_text);
    (void)state;
    sign_usual(&m);
    dkim_kit_zone(&kit,
                  "e._domainkey.example.org TXT \"junk\"\ne._domainkey.example.org TXT \"k=rsa; p=%.*s\"\n"
                  "e._domainkey.example.org TXT \"k=ed25519; t=x:y; p=%.*s\"\n",
                  SLICE_FMT(r), SLICE_FMT(e));
    const struct dkim_result *result = dkim_kit_one(&kit, buf_view(&m));
    assert_result(result, AUTH_PASS, "");
    assert_true(result->testing);
    dkim_kit_zone(&kit, "e._domainkey.example.org TXT \"k=ed25519; t=s; p=%.*s\"\n", SLICE_FMT(e));
    result = dkim_kit_one(&kit, buf_view(&m));
    assert_result(result, AUTH_PASS, "");
    assert_false(result->testing);
    dkim_kit_sign(&kit, &below, SLICE(MESSAGE), SIZE_MAX, &m);
    assert_result(dkim_kit_one(&kit, buf_view(&m)), AUTH_PERMERROR, "t=s");
    dkim_kit_zone_usual(&kit);
    result = dkim_kit_one(&kit, buf_view(&m));
    assert_result(result, AUTH_PASS, "");
    assert_slice(result->identity, "@sub.example.org");
}

/* A key of 768 bits, RFC 8301 §3.2; made once with openssl, thrown away. */
static void test_short_key(void **state)
{
    struct buf m CLEANUP(buf_done);
    struct dkim_form form = {.header = DKIM_RELAXED,
                             .body = DKIM_RELAXED,
                             .tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=short" H,
                             .h = "from:to:subject"};
    (void)state;
    buf_init(&m, 10000);
    dkim_kit_sign(&kit, &form, SLICE(MESSAGE), SIZE_MAX, &m);
    dkim_kit_zone(
        &kit,
        "short._domainkey.example.org TXT \"p=MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAMEwerAaB4sBbIjY76ltDdJ7En"
        "aReJ5ML04zBj7iydfECtKxhgTiHaHJbSMAuZ+/RErUSQXlhKVCerxRvaXtkd5emt4BSGKyw/BYYV1wl9Oe5eDLlRH5G4"
        "U2EAfNv7YTVwIDAQAB\"\n");
    const struct dkim_result *r = dkim_kit_one(&kit, buf_view(&m));
    assert_result(r, AUTH_POLICY, "768 bits");
    assert_int_equal(r->key_bits, 768);
    dkim_kit_zone_usual(&kit);
}

static void assert_changed(slice message, enum auth_result result, const char *reason)
{
    dkim_kit_verify(&kit, message, 0, KIT_NOW);
    assert_true(kit.n >= 1);
    for (size_t i = 0; i < kit.n; i++)
        assert_result(&kit.results[i], result, reason);
}

/* What somebody on the way may try (THREATS 22). */
static void test_changes(void **state)
{
    struct buf m CLEANUP(buf_done), c CLEANUP(buf_done);
    (void)state;
    sign_usual(&m);
    buf_init(&c, 10000);
    static const struct {
        const char *before, *after; /* put around the message */
        enum auth_result result;
        const char *reason;
    } table[] = {
        {"", "", AUTH_PASS, ""},
        {"", "\r\n\r\n", AUTH_PASS, ""},
        {"", " \t\r\n", AUTH_PASS, ""},
        {"X-Seen: yes\r\nReceived: by x\r\n", "", AUTH_PASS, ""},
        {"", "more", AUTH_FAIL, "the body was changed after signing"},
        {"From: mallory@example.com\r\n", "", AUTH_POLICY, "From field that is not signed"},
        {"Subject: other\r\n", "", AUTH_POLICY, "Subject field that is not signed"},
        {"To: other@example.com\r\n", "", AUTH_PASS, ""},
        {"junk\r\n", "", AUTH_PERMERROR, "junk in header"},
        {"From mbox Thu Jan 1\r\n", "", AUTH_PERMERROR, "junk in header"},
        {" continued\r\n", "", AUTH_PERMERROR, "junk in header"},
        {"X: a\rb\r\n", "", AUTH_PERMERROR, "junk in header"},
        {"X: a\nFrom: b\r\n", "", AUTH_PERMERROR, "junk in header"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        buf_clear(&c);
        assert_int_equal(buf_str(&c, table[i].before), OK);
        assert_int_equal(buf_append(&c, buf_view(&m)), OK);
        assert_int_equal(buf_str(&c, table[i].after), OK);
        assert_changed(buf_view(&c), table[i].result, table[i].reason);
    }
    /* a junk line as the last one of the header block */
    size_t at = slice_find(buf_view(&m), SLICE("\r\n\r\n"));
    buf_clear(&c);
    assert_int_equal(buf_append(&c, slice_sub(buf_view(&m), 0, at)) | buf_str(&c, "\r\nno field here") |
                         buf_append(&c, slice_from(buf_view(&m), at)),
                     OK);
    assert_changed(buf_view(&c), AUTH_PERMERROR, "junk in header");
}

/* l=: a signature that is right for the first octets only, with and without more behind them. */
static void test_l(void **state)
{
    struct buf m CLEANUP(buf_done);
    struct dkim_form form = form_of("v=1; a=ed25519-sha256; c=relaxed/simple; d=example.org; s=e; l=6" H);
    (void)state;
    buf_init(&m, 10000);
    form.body = DKIM_SIMPLE;
    dkim_kit_sign(&kit, &form, SLICE("From: a@example.org\r\nTo: b\r\nSubject: c\r\n\r\nabcd\r\n"), 6, &m);
    assert_changed(buf_view(&m), AUTH_NONE, "l= is not accepted");
    assert_int_equal(kit.questions, 0);
    assert_int_equal(buf_str(&m, "buy this\r\n"), OK);
    assert_changed(buf_view(&m), AUTH_NONE, "l= is not accepted");
}

/* Ten signatures over a header of megabytes: a few of them are looked at. */
static void test_long_header(void **state)
{
    struct buf m CLEANUP(buf_done), text CLEANUP(buf_done), all CLEANUP(buf_done);
    struct dkim_form form = form_of("v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=e" H);
    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&m, 1 << 20);
    buf_init(&all, 1 << 20);
    form.header = form.body = DKIM_RELAXED;
    assert_int_equal(buf_str(&text, "From: a@example.org\r\nTo: b\r\nSubject:"), OK);
    while (text.n < DKIM_HASHED_MAX / 4)
        assert_int_equal(buf_str(&text, " a word and a word and a word\r\n"), OK);
    assert_int_equal(buf_str(&text, "\r\nbody\r\n"), OK);
    dkim_kit_sign(&kit, &form, buf_view(&text), SIZE_MAX, &m);
    size_t end = slice_find(buf_view(&m), SLICE("From:"));
    for (int i = 0; i < 9; i++)
        assert_int_equal(buf_append(&all, slice_sub(buf_view(&m), 0, end)), OK);
    assert_int_equal(buf_append(&all, buf_view(&m)), OK);
    dkim_kit_verify(&kit, buf_view(&all), 0, KIT_NOW);
    assert_int_equal(kit.n, DKIM_SIGNATURES_MAX);
    for (size_t i = 0; i < kit.n; i++) {
        assert_int_equal(kit.results[i].result, i < 3 ? AUTH_PASS : AUTH_POLICY);
        if (i >= 3)
            assert_slice(kit.results[i].reason, "it signs more of the header than is looked at");
    }
}

/* RFC 6376 §3.5: h= may name DKIM-Signature, and means those of others. */
static void test_signs_signatures(void **state)
{
    struct buf one CLEANUP(buf_done), two CLEANUP(buf_done);
    struct dkim_form form = form_of("v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=e; "
                                    "h=from:to:subject:dkim-signature");
    (void)state;
    buf_init(&one, 10000);
    buf_init(&two, 10000);
    form.h = "from:to:subject:dkim-signature";
    dkim_kit_sign(&kit, &form, SLICE(MESSAGE), SIZE_MAX, &one); /* says: there is none but mine */
    assert_result(dkim_kit_one(&kit, buf_view(&one)), AUTH_PASS, "");
    form.tags = "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=e; "
                "h=from:to:subject:dkim-signature:dkim-signature";
    form.h = "from:to:subject:dkim-signature:dkim-signature";
    dkim_kit_sign(&kit, &form, buf_view(&one), SIZE_MAX, &two); /* that one, and no further one */
    dkim_kit_verify(&kit, buf_view(&two), 0, KIT_NOW);
    assert_int_equal(kit.n, 2);
    assert_result(&kit.results[0], AUTH_PASS, "");
    assert_result(&kit.results[1], AUTH_FAIL, "a field was added");
}

/* Names as long as lines, all but alike: what is looked for has a bound (THREATS 6), and what is longer can
 * be neither signed nor taken for another. */
static void test_long_names(void **state)
{
    (void)state;
    for (size_t n = DKIM_NAME_MAX - 1; n <= DKIM_NAME_MAX + 1; n++) {
        struct buf m CLEANUP(buf_done), text CLEANUP(buf_done), tags CLEANUP(buf_done), h CLEANUP(buf_done);
        struct dkim_form form = form_of(NULL);
        buf_init(&m, 100000);
        buf_init(&text, 100000);
        buf_init(&tags, 10000);
        buf_init(&h, 10000);
        buf_str(&h, "from:");
        for (size_t i = 0; i < n; i++)
            buf_byte(&h, 'x');
        buf_print(&tags, "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=e; h=%.*s%c",
                  SLICE_FMT(buf_view(&h)), 0);
        buf_byte(&h, 0);
        buf_print(&text, "%s: 1\r\n" MESSAGE, (const char *)h.p + 5);
        form.tags = (const char *)tags.p;
        form.h = (const char *)h.p;
        dkim_kit_sign(&kit, &form, buf_view(&text), SIZE_MAX, &m);
        assert_result(dkim_kit_one(&kit, buf_view(&m)), AUTH_PASS, "");
        m.p[slice_find(buf_view(&m), SLICE("x: 1")) + 3] = '2';
        if (n <= DKIM_NAME_MAX)
            assert_result(dkim_kit_one(&kit, buf_view(&m)), AUTH_FAIL, "changed");
        else
            assert_result(dkim_kit_one(&kit, buf_view(&m)), AUTH_PASS, "");
    }
}

/* An empty line that is LF alone ends the header here; where it does not, what follows is header too. */
static void test_bare_end_of_header(void **state)
{
    struct buf m CLEANUP(buf_done), bare CLEANUP(buf_done);
    (void)state;
    sign_usual(&m);
    buf_init(&bare, 100000);
    size_t end = slice_find(buf_view(&m), SLICE("\r\n\r\n")) + 2;
    buf_append(&bare, slice_sub(buf_view(&m), 0, end));
    buf_append(&bare, slice_from(buf_view(&m), end + 1));
    assert_result(dkim_kit_one(&kit, buf_view(&m)), AUTH_PASS, "");
    assert_result(dkim_kit_one(&kit, buf_view(&bare)), AUTH_PERMERROR, "LF alone");
}

static void test_many(void **state)
{
    struct buf m CLEANUP(buf_done), all CLEANUP(buf_done);
    (void)state;
    sign_usual(&m);
    buf_init(&all, 100000);
    size_t end = slice_find(buf_view(&m), SLICE("From:"));
    for (int i = 0; i < DKIM_SIGNATURES_MAX + 5; i++) {
        assert_int_equal(buf_append(&all, slice_sub(buf_view(&m), 0, end)), OK);
        if (i == 1) /* one that is not like the others */
            all.p[slice_rindex(buf_view(&all), ';') + 10] ^= 1;
    }
    assert_int_equal(buf_append(&all, slice_from(buf_view(&m), end)), OK);
    dkim_kit_verify(&kit, buf_view(&all), 0, KIT_NOW);
    assert_int_equal(kit.n, DKIM_SIGNATURES_MAX);
    assert_int_equal(kit.questions, 1);
    for (size_t i = 0; i < kit.n; i++)
        assert_true((kit.results[i].result == AUTH_PASS) == (i != 1));
    assert_true(kit.results[0].fingerprint == kit.results[2].fingerprint);
    assert_true(kit.results[0].fingerprint != kit.results[1].fingerprint);
    dkim_kit_verify(&kit, SLICE(MESSAGE), 0, KIT_NOW);
    assert_int_equal(kit.n, 0);
}

/* All questions at once, none twice; a decision is the same when asked for again. */
static void test_waits(void **state)
{
    static const char *text = "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=one; h=from; bh="
                              "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\n"
                              "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=two; h=from; bh="
                              "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\nFrom: x\r\n\r\n";
    static const struct dns_answer nothing = {.status = DNS_ANSWER_NXDOMAIN};
    struct arena a CLEANUP(arena_done);
    struct dns_table table;
    const struct dkim_result *results, *again;
    size_t n, question;
    slice name;
    uint16_t type;
    (void)state;
    arena_init(&a, "message", 1 << 20);
    assert_true(dns_table_init(&table, &a, 20));
    struct dkim_verify *v = dkim_verify_begin(slice_str(text), &a);
    dkim_verify_want(v, &table);
    dkim_verify_want(v, &table);
    assert_true(dns_table_next(&table, &question, &name, &type));
    assert_slice(name, "one._domainkey.example.org");
    assert_true(dns_table_next(&table, &question, &name, &type));
    assert_slice(name, "two._domainkey.example.org");
    assert_false(dns_table_next(&table, &question, &name, &type));
    dkim_verify_body_end(v);
    assert_int_equal(dkim_verify_finish(v, &table, KIT_NOW, NULL, &results, &n), AUTH_WAIT);
    dns_table_put(&table, 1, &nothing);
    assert_int_equal(dkim_verify_finish(v, &table, KIT_NOW, NULL, &results, &n), AUTH_WAIT);
    dns_table_put(&table, 0, &nothing);
    assert_int_equal(dkim_verify_finish(v, &table, KIT_NOW, NULL, &results, &n), AUTH_DONE);
    assert_int_equal(n, 2);
    assert_int_equal(dkim_verify_finish(v, &table, KIT_NOW, NULL, &again, &n), AUTH_DONE);
    assert_ptr_equal(results, again);
}

/* At every cap of the arena: no crash, and no pass that is not one. */
static void test_caps(void **state)
{
    struct buf m CLEANUP(buf_done);
    bool done = false;
    (void)state;
    sign_usual(&m);
    size_t end = header_end(buf_view(&m));
    for (size_t cap = 0; cap < 40000 && !done; cap += 64) {
        struct arena a CLEANUP(arena_done), b CLEANUP(arena_done);
        struct dns_table table;
        const struct dkim_result *results;
        size_t n;
        arena_init(&a, "small", cap);
        arena_init(&b, "table", 1 << 20);
        assert_true(dns_table_init(&table, &b, 20));
        struct dkim_verify *v = dkim_verify_begin(slice_sub(buf_view(&m), 0, end), &a);
        if (!v)
            continue;
        dkim_verify_want(v, &table);
        dkim_verify_body(v, slice_from(buf_view(&m), end));
        dkim_verify_body_end(v);
        (void)dns_kit_answer_from(&kit.zone, &table, &b); /* none, when the cap left no question */
        enum auth_step step = dkim_verify_finish(v, &table, KIT_NOW, kit.cache, &results, &n);
        assert_true(step == AUTH_DONE || step == AUTH_NO_MEMORY);
        done = step == AUTH_DONE;
        if (done)
            assert_result(results, AUTH_PASS, "");
    }
    assert_true(done);
}

/* With and without a cache, and with one of four places for twelve keys. */
static void test_cache(void **state)
{
    struct buf m CLEANUP(buf_done);
    struct dkim_keys_cache *was = kit.cache, *small = dkim_keys_cache_new(1);
    (void)state;
    sign_usual(&m);
    kit.cache = NULL;
    assert_changed(buf_view(&m), AUTH_PASS, "");
    kit.cache = small;
    for (int i = 0; i < 12; i++) {
        /* the same key, written with white space in twelve places */
        dkim_kit_zone(&kit, "e._domainkey.example.org TXT \"k=ed25519; p=%.*s %.*s\"\n",
                      SLICE_FMT(slice_sub(buf_view(&kit.ed25519_text), 0, (size_t)i + 1)),
                      SLICE_FMT(slice_from(buf_view(&kit.ed25519_text), (size_t)i + 1)));
        assert_changed(buf_view(&m), AUTH_PASS, "");
        assert_changed(buf_view(&m), AUTH_PASS, "");
    }
    dkim_keys_cache_free(&small);
    kit.cache = was;
    dkim_kit_zone_usual(&kit);
}

/* RFC 8463 §A.3, and the message of RFC 6376 §A.2 as RFC 8463 signs it with RSA. */
static void test_rfc8463(void **state)
{
    static const char *text = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                              " d=football.example.com; i=@football.example.com;\r\n"
                              " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
                              " subject : date : message-id : from : subject : date;\r\n"
                              " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                              " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
                              " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
                              "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
                              " d=football.example.com; i=@football.example.com;\r\n"
                              " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
                              " date : message-id : from : subject : date;\r\n"
                              " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                              " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
                              " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
                              " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
                              "From: Joe SixPack <joe@football.example.com>\r\n"
                              "To: Suzie Q <suzie@shopping.example.net>\r\n"
                              "Subject: Is dinner ready?\r\n"
                              "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
                              "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
                              "\r\n"
                              "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
    (void)state;
    dkim_kit_zone(
        &kit,
        "brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; "
        "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
        "test._domainkey.football.example.com TXT \"v=DKIM1; k=rsa; "
        "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/"
        "J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
        "Ip3G+2kryOTIKT+l/K4w3QIDAQAB\"\n");
    dkim_kit_verify(&kit, slice_str(text), 0, KIT_NOW);
    assert_int_equal(kit.n, 2);
    assert_result(&kit.results[0], AUTH_PASS, "");
    assert_result(&kit.results[1], AUTH_PASS, "");
    assert_slice(kit.results[0].b, "/gCrinpc");
    assert_slice(kit.results[0].identity, "@football.example.com");
    assert_true(kit.results[1].signed_at == (time_ms)1528637909000);
    dkim_kit_zone_usual(&kit);
}

/* RFC 6376 §A: the message, its simple/simple signature and key. */
static void test_rfc6376(void **state)
{
    static const char *text = "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r\n"
                              "      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n"
                              "      h=Received : From : To : Subject : Date : Message-ID;\r\n"
                              "      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                              "      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n"
                              "      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\r\n"
                              "      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\r\n"
                              "      4bmp/YzhwvcubU4=;\r\n"
                              "Received: from client1.football.example.com  [192.0.2.1]\r\n"
                              "      by submitserver.example.com with SUBMISSION;\r\n"
                              "      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n"
                              "From: Joe SixPack <joe@football.example.com>\r\n"
                              "To: Suzie Q <suzie@shopping.example.net>\r\n"
                              "Subject: Is dinner ready?\r\n"
                              "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
                              "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
                              "\r\n"
                              "Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n";
    (void)state;
    dkim_kit_zone(
        &kit, "brisbane._domainkey.example.com TXT \"v=DKIM1; "
              "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3"
              "/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto"
              "/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB\"\n");
    assert_result(dkim_kit_one(&kit, slice_str(text)), AUTH_PASS, "");
    dkim_kit_zone_usual(&kit);
}

static int setup(void **state)
{
    (void)state;
    dkim_kit_init(&kit);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dkim_kit_done(&kit);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_tags),
                                       cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_records),
                                       cmocka_unit_test(test_records_more),
                                       cmocka_unit_test(test_short_key),
                                       cmocka_unit_test(test_changes),
                                       cmocka_unit_test(test_l),
                                       cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_long_header),
                                       cmocka_unit_test(test_signs_signatures),
                                       cmocka_unit_test(test_long_names),
                                       cmocka_unit_test(test_bare_end_of_header),
                                       cmocka_unit_test(test_waits),
                                       cmocka_unit_test(test_caps),
                                       cmocka_unit_test(test_cache),
                                       cmocka_unit_test(test_rfc8463),
                                       cmocka_unit_test(test_rfc6376)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
