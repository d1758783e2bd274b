/* report: any bytes as a message that came to dmarc-reports@ or tls-reports@: within the arena, an error has
 * words, a failure report keeps no more than its fields. */
#include "core/dns/dns_name.h"
#include "policy/report_take.h"
#include "text/charset.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(slice s)
{
    must(s.n <= 255 && utf8_valid(s));
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] >= ' ' && s.p[i] != 127);
}

static void check_domain(slice s)
{
    struct dns_name name;
    must(s.n == 0 || dns_name_parse(s, &name) == OK);
}

static void check_failure(const struct failure_report *f)
{
    check_domain(f->reported_domain);
    check_domain(f->header_from);
    check_domain(f->mail_from);
    check_domain(f->rcpt_to);
    check_domain(f->dkim_domain);
    check_text(f->type);
    check_text(f->user_agent);
    check_text(f->failure);
    check_text(f->delivery);
    must(f->incidents > 0 && f->reported_domain.n > 0);
}

static void check_tls(const struct tlsrpt *t)
{
    check_text(t->org);
    check_text(t->report_id);
    must(t->n_policies <= TLSRPT_POLICIES_MAX);
    for (size_t i = 0; i < t->n_policies; i++) {
        check_text(t->policies[i].type);
        check_domain(t->policies[i].domain);
        for (size_t k = 0; k < t->policies[i].n_failures; k++) {
            check_text(t->policies[i].failures[k].result);
            check_text(t->policies[i].failures[k].reason);
            check_domain(t->policies[i].failures[k].receiving_mx);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err_detail why = {{0}};
    struct report r;
    struct arena a;
    charset_preload(); /* once: loading tables for every input would be all the work */
    arena_init(&a, "report", REPORT_ARENA_MAX);
    if (report_take(slice_of(data, size), &a, &r, &why) != OK)
        must(why.text[0]);
    else if (r.kind == REPORT_FAILURE)
        check_failure(&r.failure);
    else if (r.kind == REPORT_TLS)
        check_tls(&r.tls);
    arena_done(&a);
    return 0;
}
