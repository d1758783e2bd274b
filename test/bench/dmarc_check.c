/* dmarc_check: microseconds of one DMARC check with all DNS answers there: a sender's own domain, a
 * newsletter's subdomain, no policy at all; and of writing the Authentication-Results field. By hand:
 * build/test/bench/dmarc_check */
#include "core/auth/auth_results.h"
#include "core/dns/dns_zone_text.h"
#include "lib/dns_kit.h"
#include "sys/clock.h"

#include <stdio.h>

static const char zone_text[] =
    "_dmarc.own.test TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@own.test; ruf=mailto:dmarc@own.test; fo=1\"\n"
    "_dmarc.letters.test TXT \"v=DMARC1; p=quarantine; sp=none; adkim=r; aspf=r; "
    "rua=mailto:a@letters.test\"\n";

static const struct {
    const char *author, *spf, *dkim;
} cases[] = {{"own.test", "own.test", "own.test"},
             {"news.eu.letters.test", "bounce.eu.letters.test", "letters.test"},
             {"mail.nothing.test", "nothing.test", "nothing.test"}};

int main(void)
{
    struct arena zone_arena, answers, results;
    struct err_detail detail;
    struct dns_zone zone;
    struct buf field CLEANUP(buf_done);
    const size_t n = 200000;
    buf_init(&field, 65536);
    arena_init(&zone_arena, "zone", (size_t)1 << 20);
    arena_init(&answers, "answers", (size_t)1 << 20);
    arena_init(&results, "results", (size_t)1 << 20);
    must(dns_zone_text_read(slice_str(zone_text), &zone_arena, &zone, &detail) == OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        slice author = slice_str(cases[i].author);
        struct dkim_result dkim[2] = {{.result = AUTH_PASS, .domain = slice_str(cases[i].dkim)},
                                      {.result = AUTH_PASS, .domain = slice_str(cases[i].dkim)}};
        struct auth_results r = {.reverse_path = SLICE("bounce@own.test"),
                                 .spf = {.result = AUTH_PASS, .domain = slice_str(cases[i].spf)},
                                 .dkim = dkim,
                                 .n_dkim = 2};
        struct dns_table table;
        time_ms begin, middle, end;
        must(dns_table_init(&table, &answers, 64));
        while (dmarc_check(&author, 1, &r.spf, dkim, 2, &table, &results, &r.dmarc) == AUTH_WAIT)
            must(dns_kit_answer_from(&zone, &table, &answers) > 0);
        begin = clock_mono();
        for (size_t k = 0; k < n; k++) {
            arena_reset(&results);
            must(dmarc_check(&author, 1, &r.spf, dkim, 2, &table, &results, &r.dmarc) == AUTH_DONE);
        }
        middle = clock_mono();
        for (size_t k = 0; k < n; k++) {
            buf_clear(&field);
            must(auth_results_print(&r, SLICE("mx.example.org"), &field) == OK);
        }
        end = clock_mono();
        printf("%-22s %-5.*s %.2f us a check, %.2f us the field\n", cases[i].author,
               SLICE_FMT(auth_result_word(r.dmarc.result)), (double)(middle - begin) * 1000 / (double)n,
               (double)(end - middle) * 1000 / (double)n);
        arena_reset(&answers);
    }
    arena_done(&results);
    arena_done(&answers);
    arena_done(&zone_arena);
    return 0;
}
