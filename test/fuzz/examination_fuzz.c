/* examination: a zone, a line of three dots, and a message: the whole examination and the decision over them.
 * It always ends; the results print; and nothing that cannot be shown stands in the field (THREATS 16, 21).
 */
#include "core/dns/dns_zone_text.h"
#include "core/mail/header.h"
#include "lib/dns_kit.h"
#include "policy/authentication.h"
#include "policy/examination.h"
#include "policy/inbound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct auth_results *r)
{
    struct buf text CLEANUP(buf_done) = {.max = 65536};
    struct buf field CLEANUP(buf_done) = {.max = 200000};
    if (auth_results_print(r, SLICE("mx.example"), &text))
        return;
    for (size_t i = 0; i < text.n; i++)
        must(text.p[i] >= ' ' && text.p[i] != 0x7f);
    must(header_write(&field, SLICE("Authentication-Results"), buf_view(&text), HEADER_STRUCTURED) == OK);
}

static void examine(slice zone, slice message, struct arena *a)
{
    struct examination_ask ask = {.helo = SLICE("helo.example"),
                                  .reverse_path = SLICE("user@a.example"),
                                  .hostname = SLICE("mx.example"),
                                  .now = 1795320000000};
    struct verdict v = {.action = VERDICT_ACCEPT};
    const struct authentication_policy p = {.rcpts_known = true};
    struct authentication_applied applied;
    struct err_detail detail = {{0}};
    struct examination *x;
    struct dns_table dns;
    struct dns_zone z;
    enum auth_step s;
    unsigned rounds = 0;
    if (dns_zone_text_read(zone, a, &z, &detail) || z.n > 60 ||
        !inbound_decide(message, &mail_limits_default, a, &v))
        return;
    must(ip_parse(SLICE("192.0.2.7"), &ask.client) == OK);
    ask.header = slice_sub(message, 0, header_end(message));
    x = ask.header.n ? examination_begin(&ask, &mail_limits_default, a) : NULL;
    if (!x || !dns_table_init(&dns, a, EXAMINATION_QUESTIONS))
        return;
    examination_want(x, &dns);
    examination_body(x, slice_from(message, ask.header.n));
    examination_body_end(x);
    while ((s = examination_step(x, &dns, NULL)) == AUTH_WAIT) {
        must(rounds++ < 200);
        (void)dns_kit_answer_from(&z, &dns, a);
    }
    if (s != AUTH_DONE)
        return;
    print(examination_results(x));
    if (authentication_decide(examination_results(x), &p, a, &v, &applied) &&
        authentication_remove_forged(message, &mail_limits_default, SLICE("mx.example"), a, &v))
        must(v.n_reasons > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice all = slice_of(data, size);
    size_t at = slice_find(all, SLICE("...\n"));
    struct arena arena;
    arena_init(&arena, "fuzz", (size_t)64 << 20);
    examine(slice_sub(all, 0, at), slice_from(all, at + 4), &arena);
    arena_done(&arena);
    return 0;
}
