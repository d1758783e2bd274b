/* spf: three ways in, by the first octet. 0: one record or macro string, parsed, walked and expanded. 1: a
 * whole check whose DNS answers are cut from the input: each question takes a status and records of so many
 * octets. 2: the same for iprev and the lists (dnsbl). The result of a check may not depend on being run
 * again. */
#include "core/dnsbl/dnsbl.h"
#include "core/iprev/iprev.h"
#include "core/spf/macro.h"
#include "core/spf/record.h"
#include "core/spf/spf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ip clients[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}},
    {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
};

static void one_string(slice s)
{
    struct spf_macros m = {.local = SLICE("a-b+c%"),
                           .sender_domain = SLICE("sender.test"),
                           .domain = SLICE("a.b.c.d.test"),
                           .helo = s,
                           .client = clients[s.n % 2]};
    struct buf out CLEANUP(buf_done);
    struct spf_record r;
    struct spf_term t;
    slice bad;
    buf_init(&out, SPF_EXPANSION_MAX);
    if (spf_macro_is_explanation(s))
        IGNORE_RESULT(spf_macro_expand(s, &m, &out), "only the sanitizers judge");
    if (!spf_record_is(s))
        return;
    if (spf_record_parse(s, &r, &bad)) {
        must(bad.n > 0 && bad.p >= s.p && bad.p + bad.n <= s.p + s.n);
        return;
    }
    for (struct cursor rest = cursor_of(r.terms); spf_record_term(&rest, &t);) {
        buf_clear(&out);
        if (t.spec.n && spf_macro_expand(t.spec, &m, &out) == OK)
            must(out.n <= SPF_EXPANSION_MAX);
    }
}

/* Answers every open question from the input; when it is used up nothing exists. */
static void answer(struct dns_table *table, struct cursor *in)
{
    slice name, rdata[12];
    size_t question;
    uint16_t type;
    while (dns_table_next(table, &question, &name, &type)) {
        struct dns_answer a = {.status = DNS_ANSWER_NXDOMAIN, .rdata = rdata};
        uint8_t head, n;
        if (cursor_u8(in, &head)) {
            a.status = head >> 5 <= DNS_ANSWER_BOGUS ? (enum dns_answer_status)(head >> 5) : DNS_ANSWER_OK;
            for (; a.n < (head & 15u) && a.n < ARRAY_LEN(rdata) && cursor_u8(in, &n); a.n++)
                rdata[a.n] = slice_sub(in->rest, 0, n), cursor_skip(in, n);
        }
        dns_table_put(table, question, &a);
    }
}

static void whole_check(struct cursor in, struct arena *arena)
{
    struct spf_result r = {.result = AUTH_NONE}, again = {.result = AUTH_NONE};
    struct dns_table table;
    struct spf_ask ask = {.helo = SLICE("helo.test"),
                          .local = SLICE("a+b"),
                          .domain = SLICE("x.test"),
                          .receiver = SLICE("mx.test"),
                          .explain = true};
    uint8_t which = 0;
    unsigned rounds = 0;
    IGNORE_RESULT(cursor_u8(&in, &which), "an empty input is one too");
    ask.client = clients[which & 1];
    must(dns_table_init(&table, arena, 100));
    while (spf_check(&ask, &table, arena, &r) == AUTH_WAIT) {
        answer(&table, &in);
        must(++rounds < 50);
    }
    must(r.lookups <= SPF_LOOKUPS_MAX && r.voids <= SPF_VOID_MAX + 1);
    must(r.explanation.n < SPF_TEXT_MAX && r.reason.n > 0 && r.reason.n < SPF_TEXT_MAX);
    for (size_t i = 0; i < r.reason.n; i++)
        must(r.reason.p[i] >= ' ' && r.reason.p[i] <= '~');
    for (size_t i = 0; i < r.explanation.n; i++)
        must(r.explanation.p[i] >= ' ' && r.explanation.p[i] <= '~');
    must(spf_check(&ask, &table, arena, &again) == AUTH_DONE && again.result == r.result &&
         slice_eq(again.reason, r.reason));
}

static void names_and_lists(struct cursor in, struct arena *arena)
{
    static const char *const zones[] = {"zen.spamhaus.org", "dbl.spamhaus.org", "list.dnswl.org",
                                        "other.test"};
    struct iprev_result iprev = {.result = AUTH_NONE};
    struct dnsbl_reading reading;
    struct dnsbl_list list;
    struct dns_table table;
    bool changed;
    uint8_t which = 0;
    slice words;
    IGNORE_RESULT(cursor_u8(&in, &which), "an empty input is one too");
    must(dns_table_init(&table, arena, 100));
    while (iprev_check(&clients[which & 1], &table, arena, &iprev) == AUTH_WAIT)
        answer(&table, &in);
    must(dnsbl_list_init(&list, slice_str(zones[(which >> 1) % ARRAY_LEN(zones)]), which & 64, 0) == OK);
    while (dnsbl_list_check(&list, &table, 1, &changed) == AUTH_WAIT)
        answer(&table, &in);
    list.on = true; /* whatever the canaries said */
    while (dnsbl_list_ask(&list, &clients[which & 1], SLICE("x.test"), &table, 2, &reading, &changed) ==
           AUTH_WAIT)
        answer(&table, &in);
    must(reading.status == DNSBL_ERROR ? !list.on && changed : list.on);
    must((reading.status == DNSBL_LISTED) == (reading.meaning != DNSBL_NOTHING));
    must(reading.status != DNSBL_LISTED || (reading.code[0] == 127 && reading.code[1] == 0));
    must(dnsbl_words(&list, SLICE("x.test"), &reading, arena, &words));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_of(slice_of(data, size));
    struct arena arena;
    uint8_t way;
    if (!cursor_u8(&c, &way))
        return 0;
    arena_init(&arena, "fuzz", (size_t)4 << 20);
    if (way % 3 == 0)
        one_string(c.rest);
    else if (way % 3 == 1)
        whole_check(c, &arena);
    else
        names_and_lists(c, &arena);
    arena_done(&arena);
    return 0;
}
