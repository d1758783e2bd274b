/* aggregate: any bytes as XML: the same report whatever the pieces; what comes out keeps the bounds that
 * core/reports/aggregate.h states. The first byte chooses the pieces. */
#include "core/dns/dns_name.h"
#include "core/reports/aggregate_read.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(slice s)
{
    must(s.n <= AGGREGATE_TEXT_MAX && utf8_valid(s));
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] >= ' ' && s.p[i] != 127);
}

static void check_domain(slice s)
{
    struct dns_name name;
    must(s.n == 0 || dns_name_parse(s, &name) == OK);
}

static enum err read_it(slice s, size_t step, struct arena *a, struct aggregate_report *out)
{
    struct aggregate_reader *r = aggregate_reader_new(a);
    struct err_detail why;
    enum err e = OK;
    must(r);
    for (size_t at = 0; at < s.n && !e; at += step)
        e = aggregate_reader_feed(r, slice_sub(s, at, at + step));
    if (!e)
        e = aggregate_reader_end(r, out, &why);
    aggregate_reader_free(&r);
    return e;
}

static void check_report(const struct aggregate_report *r)
{
    uint64_t n = 0;
    check_text(r->org);
    check_text(r->report_id);
    check_text(r->email);
    check_text(r->error);
    check_text(r->mistake);
    check_domain(r->policy.domain);
    for (const struct aggregate_record *s = r->records; s; s = s->next) {
        n++;
        check_text(s->reason_comment);
        check_domain(s->header_from);
        check_domain(s->envelope_from);
        check_domain(s->envelope_to);
        check_domain(s->spf_domain);
        must(s->spf <= AUTH__LAST && s->disposition <= AGGREGATE_DISPOSITION__LAST);
        must(s->reason <= AGGREGATE_REASON__LAST && s->n_dkim <= AGGREGATE_DKIM_MAX);
        for (size_t i = 0; i < s->n_dkim; i++) {
            check_domain(s->dkim[i].domain);
            check_domain(s->dkim[i].selector);
            must(s->dkim[i].result <= AUTH__LAST);
        }
    }
    must(n == r->n_records && n <= AGGREGATE_RECORDS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aggregate_report whole, pieces;
    struct arena a, b;
    slice s;
    enum err e, f;
    if (size == 0)
        return 0;
    s = slice_of(data + 1, size - 1);
    arena_init(&a, "whole", 1 << 24);
    arena_init(&b, "pieces", 1 << 24);
    e = read_it(s, s.n + 1, &a, &whole);
    f = read_it(s, data[0] % 61u + 1, &b, &pieces);
    if (e == OK)
        check_report(&whole);
    if (f == OK)
        check_report(&pieces);
    if (e == OK && f == OK && whole.mistakes == 0 && pieces.mistakes == 0) {
        must(whole.n_records == pieces.n_records && whole.messages == pieces.messages);
        must(slice_eq(whole.policy.domain, pieces.policy.domain) && slice_eq(whole.org, pieces.org));
    }
    arena_done(&a);
    arena_done(&b);
    return 0;
}
