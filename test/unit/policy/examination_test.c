/* examination: what a hostile message makes of the whole of the checks: whom DMARC is asked about when From
 * is odd (THREATS 20), a table of questions that is to be filled up, and what it all costs (THREATS 6). */
#include "lib/test.h"

#include "core/mail/header.h"
#include "core/mail/limits.h"
#include "policy/examination.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The zone: names that end so have this record. What is not here does not exist. */
static const struct {
    const char *ends;
    uint16_t type;
    const char *text;
} zone[] = {
    {"_dmarc.bank.example", DNS_TXT, "v=DMARC1; p=reject"},
    {"_dmarc.xn--bcher-kva.example", DNS_TXT, "v=DMARC1; p=reject"},
    {"_dmarc.strict.example", DNS_TXT, "v=DMARC1; p=reject"},
    {"_domainkey.evil.example", DNS_TXT,
     "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
    {"spf.evil.example", DNS_TXT,
     "v=spf1 mx:a.mx.evil.example mx:b.mx.evil.example mx:c.mx.evil.example mx:d.mx.evil.example "
     "mx:e.mx.evil.example mx:f.mx.evil.example mx:g.mx.evil.example mx:h.mx.evil.example "
     "mx:i.mx.evil.example mx:j.mx.evil.example -all"},
};

static void txt(const char *text, struct buf *out)
{
    for (slice s = slice_str(text); s.n;) {
        slice part = slice_sub(s, 0, 255);
        buf_byte(out, (uint8_t)part.n);
        buf_append(out, part);
        s = slice_from(s, part.n);
    }
}

static void answer(struct dns_table *dns, size_t question, slice name, uint16_t type)
{
    struct buf rdata[10] = {0};
    slice views[10];
    struct dns_answer a = {.status = DNS_ANSWER_NXDOMAIN, .rdata = views};
    for (size_t i = 0; i < ARRAY_LEN(rdata); i++)
        buf_init(&rdata[i], 4096);
    for (size_t i = 0; i < ARRAY_LEN(zone) && a.n == 0; i++)
        if (zone[i].type == type && slice_ends_nocase(name, slice_str(zone[i].ends)))
            txt(zone[i].text, &rdata[a.n++]);
    if (type == DNS_MX && slice_ends_nocase(name, SLICE(".mx.evil.example")))
        for (uint8_t i = 0; i < 10; i++, a.n++) { /* ten hosts each, all different */
            uint8_t host[] = {0,   10,  2,   name.p[0], (uint8_t)('a' + i),
                              4,   'h', 'o', 's',       't',
                              4,   'e', 'v', 'i',       'l',
                              7,   'e', 'x', 'a',       'm',
                              'p', 'l', 'e', 0};
            buf_append(&rdata[i], slice_of(host, sizeof host));
        }
    if (a.n)
        a.status = DNS_ANSWER_OK;
    for (size_t i = 0; i < a.n; i++)
        views[i] = buf_view(&rdata[i]);
    dns_table_put(dns, question, &a);
    for (size_t i = 0; i < ARRAY_LEN(rdata); i++)
        buf_done(&rdata[i]);
}

/* Everything there is to find out, as judge does it. */
static struct examination *examine(slice message, slice reverse_path, struct arena *a)
{
    struct examination_ask ask = {.header = slice_sub(message, 0, header_end(message)),
                                  .helo = SLICE("mail.evil.example"),
                                  .reverse_path = reverse_path,
                                  .hostname = SLICE("mx.example.org"),
                                  .now = 1700000000000};
    struct dns_table dns;
    struct examination *x;
    enum auth_step s;
    assert_int_equal(ip_parse(SLICE("192.0.2.66"), &ask.client), OK);
    x = examination_begin(&ask, &mail_limits_default, a);
    assert_non_null(x);
    assert_true(dns_table_init(&dns, a, EXAMINATION_QUESTIONS));
    examination_want(x, &dns);
    examination_body(x, slice_from(message, ask.header.n));
    examination_body_end(x);
    for (unsigned i = 0; (s = examination_step(x, &dns, NULL)) == AUTH_WAIT; i++) {
        size_t question, asked = 0;
        slice name;
        uint16_t type;
        for (; dns_table_next(&dns, &question, &name, &type); asked++)
            answer(&dns, question, name, type);
        assert_true(asked > 0 && i < 300);
    }
    assert_int_equal(s, AUTH_DONE);
    return x;
}

/* evil.example hands over a message with this From. The bank asks for p=reject. */
static void whoever_could_be_shown_is_asked_about(void **state)
{
    static const struct {
        const char *from;
        enum auth_result dmarc;
        bool odd;
    } rows[] = {
        {"a@bank.example", AUTH_FAIL, false},
        {"a@BANK.Example.", AUTH_FAIL, false},
        {"\r\n a@\r\n bank.example", AUTH_FAIL, false},
        {"(x) a@bank(y).example(z)", AUTH_FAIL, false},
        {"friends: b@evil.example, a@bank.example;", AUTH_FAIL, false},
        {"b@evil.example, a@bank.example", AUTH_FAIL, false},
        {"a@bank.example, b@evil..example", AUTH_FAIL, true},
        {"b@[192.0.2.66], a@bank.example", AUTH_FAIL, true},
        {"a@bank.example, root", AUTH_FAIL, true},
        {"\"x\" <>, a@bank.example", AUTH_FAIL, false},
        {"a@b\xc3\xbc"
         "cher.example",
         AUTH_FAIL, false},
        {"a@xn--bcher-kva.example", AUTH_FAIL, false},
        {"<@evil.example:a@bank.example>", AUTH_FAIL, false},
        {"a@bank..example", AUTH_PERMERROR, true},
        {"a@bank.example@evil_.example", AUTH_PERMERROR, true},
        {"a@[192.0.2.66]", AUTH_PERMERROR, true},
        {"b@evil.example", AUTH_NONE, false},
        {"\"a@bank.example\" <b@evil.example>", AUTH_NONE, false},
        {"=?utf-8?q?a=40bank.example?=@evil.example", AUTH_NONE, false},
        {"root", AUTH_PERMERROR, false},
        {"", AUTH_PERMERROR, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        struct buf m CLEANUP(buf_done);
        struct examination *x;
        const struct auth_results *r;
        buf_init(&m, 4096);
        buf_print(&m, "From: %s\r\nSubject: x\r\n\r\nbody\r\n", rows[i].from);
        arena_init(&a, "examination", (size_t)8 << 20);
        x = examine(buf_view(&m), SLICE("b@evil.example"), &a);
        r = examination_results(x);
        if (r->dmarc.result != rows[i].dmarc || examination_odd_author(x) != rows[i].odd)
            fail_msg("From: %s: %.*s%s, not %.*s%s", rows[i].from,
                     SLICE_FMT(auth_result_word(r->dmarc.result)), examination_odd_author(x) ? " odd" : "",
                     SLICE_FMT(auth_result_word(rows[i].dmarc)), rows[i].odd ? " odd" : "");
        if (r->dmarc.result == AUTH_FAIL)
            assert_int_equal(r->dmarc.asked, DMARC_POLICY_REJECT);
        arena_done(&a);
    }
}

/* More domains than are looked at: those in front are judged, and the message is odd wherever the bank is. */
static void a_crowd_of_authors(void **state)
{
    (void)state;
    for (unsigned bank = 0; bank < 40; bank++) {
        struct arena a;
        struct buf m CLEANUP(buf_done);
        struct examination *x;
        buf_init(&m, 1 << 16);
        buf_str(&m, "From: ");
        for (unsigned i = 0; i < 40; i++)
            if (i == bank)
                buf_str(&m, "a@bank.example,\r\n ");
            else
                buf_print(&m, "x@d%u.example,\r\n ", i);
        buf_str(&m, "y@evil.example\r\n\r\n");
        arena_init(&a, "examination", (size_t)8 << 20);
        x = examine(buf_view(&m), SLICE("b@evil.example"), &a);
        assert_true(examination_odd_author(x));
        assert_int_equal(examination_results(x)->dmarc.result,
                         bank < DMARC_AUTHORS_MAX ? AUTH_FAIL : AUTH_PERMERROR);
        arena_done(&a);
    }
}

static void signatures(struct buf *m, unsigned n, unsigned names)
{
    for (unsigned s = 0; s < n; s++) {
        buf_print(m,
                  "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed; d=evil.example; s=s%u;\r\n"
                  " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n h=From",
                  s);
        for (unsigned i = 0; i < names; i++)
            buf_str(m, i % 20 ? ":X" : "\r\n :X");
        buf_str(m, ";\r\n b=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"
                   " AAAAAAAAAAAAAA==\r\n");
    }
}

/* Authors with the longest walks, ten signatures, an SPF record that asks for all it may: the bank, last, is
 * asked about all the same, and "no answer" is not what comes out. */
static void the_table_cannot_be_filled_up(void **state)
{
    struct arena a;
    struct buf m CLEANUP(buf_done);
    const struct auth_results *r;
    (void)state;
    buf_init(&m, 1 << 20);
    signatures(&m, 10, 10);
    buf_str(&m, "From: ");
    for (unsigned i = 0; i < DMARC_AUTHORS_MAX - 1; i++)
        buf_print(&m, "x@a%u.b%u.c%u.d%u.e%u.f%u.g%u.h%u,\r\n ", i, i, i, i, i, i, i, i);
    buf_str(&m, "a@bank.example\r\n\r\n");
    arena_init(&a, "examination", (size_t)8 << 20);
    r = examination_results(examine(buf_view(&m), SLICE("b@spf.evil.example"), &a));
    assert_int_equal(r->dmarc.result, AUTH_FAIL);
    assert_slice(r->dmarc.author, "bank.example");
    assert_int_equal(r->dmarc.asked, DMARC_POLICY_REJECT);
    assert_int_equal(r->spf.result, AUTH_FAIL);
    assert_int_equal(r->n_dkim, 10);
    arena_done(&a);
}

/* ---- work */

static int counter_open(void)
{
    struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE,
                                .size = sizeof a,
                                .config = PERF_COUNT_HW_INSTRUCTIONS,
                                .disabled = 1,
                                .exclude_kernel = 1,
                                .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t cost(int counter, slice message, size_t *out_memory)
{
    struct arena a;
    uint64_t n = 0;
    arena_init(&a, "examination", (size_t)32 << 20);
    if (counter >= 0)
        assert_int_equal(ioctl(counter, PERF_EVENT_IOC_RESET, 0) | ioctl(counter, PERF_EVENT_IOC_ENABLE, 0),
                         0);
    (void)examine(message, SLICE("b@evil.example"), &a);
    if (counter >= 0)
        assert_int_equal(ioctl(counter, PERF_EVENT_IOC_DISABLE, 0), 0);
    if (counter >= 0)
        assert_int_equal(read(counter, &n, sizeof n), sizeof n);
    *out_memory = a.used;
    arena_done(&a);
    return n;
}

enum bomb { FIELDS, LONG_FIELDS, NAMES, SIGNATURES, SEALS, TAGS, RESULTS, AUTHORS, BOMBS };

static void bomb(enum bomb which, unsigned n, struct buf *m)
{
    static const char *const words[] = {"X: y\r\n", " 0123456789", ":X",   "",
                                        "",         ";a",          ";a=b", "x@evil.example, "};
    buf_clear(m);
    signatures(m, which == SIGNATURES ? n : 10, which == NAMES ? n : 200);
    if (which == SEALS)
        for (unsigned i = n; i > 0; i--)
            buf_print(
                m,
                "ARC-Seal: i=%u; a=ed25519-sha256; cv=%s; d=evil.example; s=s; b=AAAA\r\n"
                "ARC-Message-Signature: i=%u; a=ed25519-sha256; c=relaxed; d=evil.example; s=s; h=From;\r\n"
                " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
                "ARC-Authentication-Results: i=%u; evil.example; dmarc=pass\r\n",
                i, i == 1 ? "none" : "pass", i, i);
    buf_str(m, which == LONG_FIELDS ? "X:"
               : which == TAGS      ? "DKIM-Signature: v=1"
               : which == RESULTS   ? "ARC-Authentication-Results: i=1; x"
               : which == AUTHORS   ? "From: "
                                    : "");
    for (unsigned i = 0; i < n && which != NAMES && which != SIGNATURES && which != SEALS; i++) {
        buf_str(m, words[which]);
        if (which == LONG_FIELDS && i % 60 == 59)
            buf_str(m, "\r\n");
    }
    buf_str(m, which == AUTHORS ? "b@evil.example\r\n\r\n" : "\r\nFrom: b@evil.example\r\n\r\n");
}

static void work_is_linear_in_the_header(void **state)
{
    static const unsigned sizes[BOMBS] = {
        [FIELDS] = 450, [LONG_FIELDS] = 20000, [NAMES] = 110,     [SIGNATURES] = 400,
        [SEALS] = 25,   [TAGS] = 20000,        [RESULTS] = 20000, [AUTHORS] = 10000};
    int counter = counter_open();
    struct buf m CLEANUP(buf_done);
    (void)state;
    buf_init(&m, 4u << 20);
    if (counter < 0)
        print_message("no instruction counter here: memory only\n");
    for (enum bomb which = FIELDS; which < BOMBS; which++) {
        size_t one_memory, two_memory;
        uint64_t one, two;
        bomb(which, sizes[which], &m);
        assert_false(buf_failed(&m));
        one = cost(counter, buf_view(&m), &one_memory);
        bomb(which, 2 * sizes[which], &m);
        assert_false(buf_failed(&m));
        two = cost(counter, buf_view(&m), &two_memory);
        if (two > one * 5 / 2 + 100000 || two_memory > one_memory * 5 / 2 + 10000)
            fail_msg("bomb %d: instructions %llu %llu, memory %zu %zu", which, (unsigned long long)one,
                     (unsigned long long)two, one_memory, two_memory);
    }
    if (counter >= 0)
        (void)close(counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_could_be_shown_is_asked_about),
        cmocka_unit_test(a_crowd_of_authors),
        cmocka_unit_test(the_table_cannot_be_filled_up),
        cmocka_unit_test(work_is_linear_in_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
