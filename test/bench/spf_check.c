/* spf_check: microseconds of one SPF check with all DNS answers there, for records of three kinds.
 * By hand: build/test/bench/spf_check */
#include "core/dns/dns_zone_text.h"
#include "core/spf/spf.h"
#include "lib/dns_kit.h"
#include "sys/clock.h"

#include <stdio.h>

static const char zone_text[] =
    "small.test TXT \"v=spf1 mx -all\"\nsmall.test MX 1 mx.small.test\nmx.small.test A 192.0.2.25\n"
    "usual.test TXT \"v=spf1 ip4:203.0.113.0/24 include:_spf.host.test include:mail.list.test ~all\"\n"
    "_spf.host.test TXT \"v=spf1 include:_a.host.test include:_b.host.test ~all\"\n"
    "_a.host.test TXT \"v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/25 ip4:192.0.2.128/25 ip6:2001:db8:1::/48 "
    "~all\"\n"
    "_b.host.test TXT \"v=spf1 ip4:198.18.0.0/15 ip6:2001:db8:2::/48 ip4:100.64.0.0/10 ~all\"\n"
    "mail.list.test TXT \"v=spf1 ip4:192.0.2.0/26 ip4:192.0.2.64/26 ?all\"\n"
    "macro.test TXT \"v=spf1 exists:%{ir}.%{l1r-}._spf.%{d2} exists:%{i}._ok.%{d} -all\"\n"
    "*._ok.macro.test A 127.0.0.2\n";

int main(void)
{
    static const char *const domains[] = {"small.test", "usual.test", "macro.test"};
    struct arena zone_arena, answers, results;
    struct err_detail detail;
    struct dns_zone zone;
    arena_init(&zone_arena, "zone", (size_t)1 << 20);
    arena_init(&answers, "answers", (size_t)1 << 20);
    arena_init(&results, "results", (size_t)1 << 20);
    must(dns_zone_text_read(slice_str(zone_text), &zone_arena, &zone, &detail) == OK);
    for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
        struct spf_ask ask = {.helo = SLICE("mail.test"),
                              .local = SLICE("some.user"),
                              .domain = slice_str(domains[i]),
                              .receiver = SLICE("mx.test"),
                              .explain = true};
        struct spf_result r = {.result = AUTH_NONE};
        struct dns_table table;
        time_ms begin, end;
        size_t n = 200000;
        must(ip_parse(SLICE("192.0.2.25"), &ask.client) == OK);
        must(dns_table_init(&table, &answers, 64));
        while (spf_check(&ask, &table, &results, &r) == AUTH_WAIT)
            must(dns_kit_answer_from(&zone, &table, &answers) > 0);
        begin = clock_mono();
        for (size_t k = 0; k < n; k++) {
            arena_reset(&results);
            must(spf_check(&ask, &table, &results, &r) == AUTH_DONE);
        }
        end = clock_mono();
        printf("%-12s %-8.*s %u lookups: %.2f us a check\n", domains[i],
               SLICE_FMT(auth_result_word(r.result)), r.lookups, (double)(end - begin) * 1000 / (double)n);
        arena_reset(&answers);
    }
    arena_done(&results);
    arena_done(&answers);
    arena_done(&zone_arena);
    return 0;
}
