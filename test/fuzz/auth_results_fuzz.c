/* auth_results: any field reads to an end; what we print from any pieces reads back as our own, with no more
 * results than we put in (THREATS 21). */
#include "core/auth/auth_results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_read(slice value)
{
    struct arena a;
    struct auth_results_reader r;
    struct auth_results_method m;
    slice id;
    size_t n = 0;
    arena_init(&a, "fuzz", 16u << 20);
    if (auth_results_read(value, &a, &r, &id) == OK) {
        must(id.n > 0 && id.n <= value.n);
        while (auth_results_next(&r, &m) == OK) {
            must(m.method.n > 0 && m.result.n > 0 && m.n <= AUTH_RESULTS_PROPERTIES);
            must(++n <= value.n);
        }
        must(r.rest.rest.n == 0);
        must(auth_results_is_ours(value, id) ||
             id.p[id.n - 1] == '.'); /* whoever says our name is found out */
    }
    arena_done(&a);
}

static void check_print(slice s)
{
    slice half = slice_sub(s, 0, s.n / 2), rest = slice_from(s, s.n / 2);
    struct dkim_result d = {.result = AUTH_FAIL,
                            .domain = s,
                            .selector = half,
                            .identity = rest,
                            .algorithm = half,
                            .b = rest,
                            .reason = s};
    struct auth_results r = {
        .client = s,
        .helo = s,
        .reverse_path = s,
        .iprev = {.result = AUTH_FAIL, .name = s, .reason = s},
        .spf = {.result = AUTH_FAIL, .domain = s, .reason = s},
        .dkim = &d,
        .n_dkim = 1,
        .arc = {.result = AUTH_FAIL, .sealer = s, .reason = s},
        .dmarc = {.result = AUTH_FAIL, .author = s, .policy_domain = half, .policy_tag = 'p', .reason = s}};
    struct arena a;
    struct auth_results_reader reader;
    struct auth_results_method m;
    struct buf b;
    slice id;
    size_t n = 0;
    arena_init(&a, "fuzz", 16u << 20);
    buf_init(&b, 65536);
    must(auth_results_print(&r, SLICE("mx.example.org"), &b) == OK);
    for (size_t i = 0; i < b.n; i++)
        must(b.p[i] >= ' ' && b.p[i] <= '~' && b.p[i] != '(' && b.p[i] != ')' && b.p[i] != '\\');
    must(auth_results_is_ours(buf_view(&b), SLICE("mx.example.org")));
    must(auth_results_read(buf_view(&b), &a, &reader, &id) == OK && slice_eq(id, SLICE("mx.example.org")));
    for (; auth_results_next(&reader, &m) == OK; n++)
        must(slice_eq(m.result, SLICE("fail")));
    must(n == 5);
    must(slice_find_nocase(buf_view(&b), SLICE("c=pass")) == b.n); /* dmarc, arc */
    must(slice_find_nocase(buf_view(&b), SLICE("dkim=pass")) == b.n);
    must(slice_find_nocase(buf_view(&b), SLICE("spf=pass")) == b.n);
    buf_done(&b);
    arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice s = slice_of(data, size_min(size, 8192));
    check_read(s);
    check_print(s);
    return 0;
}
