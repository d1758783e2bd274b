/* foresee: the questions that can be foreseen, so that they go out together. */
#include "core/spf/check__.h"

/* One term's question, when its name has no macros. True when an include's or redirect's record comes next.
 */
static bool spf_foresee_term(struct spf_run *run, const struct dns_name *domain, const struct spf_term *t,
                             struct dns_name *out_next)
{
    static const uint16_t types[] = {[SPF_INCLUDE] = DNS_TXT,
                                     [SPF_MX] = DNS_MX,
                                     [SPF_EXISTS] = DNS_A,
                                     [SPF_A] = 0,
                                     [SPF_REDIRECT] = DNS_TXT};
    slice spec = t->spec;
    const struct dns_answer *a;
    struct dns_name name = *domain, found;
    struct dns_mx host;
    if (spec.n && spec.p[spec.n - 1] == '.')
        spec.n--;
    if (slice_has(spec, '%') || (spec.n && dns_name_parse_odd(spec, &name)))
        return false;
    if (t->kind == SPF_PTR) {
        (void)spf__client_name(run, dns_name_view(&name), false, &found, &a);
        return false;
    }
    a = dns_table_get_odd(run->dns, dns_name_view(&name),
                          t->kind == SPF_A ? run->address_type : types[t->kind]);
    if (t->kind == SPF_MX && a && a->n <= SPF_NAMES_MAX)
        for (size_t i = 0; i < a->n; i++)
            if (dns_rr_mx_odd(a->rdata[i], &host) == OK && host.host.n)
                (void)dns_table_get_odd(run->dns, dns_name_view(&host.host), run->address_type);
    *out_next = name;
    return t->kind == SPF_INCLUDE || t->kind == SPF_REDIRECT;
}

static bool spf_known(const struct dns_name *names, size_t n, const struct dns_name *name)
{
    for (size_t i = 0; i < n; i++)
        if (dns_name_eq(&names[i], name))
            return true;
    return false;
}

/* Walks the records that are known, broad first, and notes what their terms ask for: at most as much as the
 * limit on lookups lets a check ask at all. What stands behind a term that is sure to match is not asked for.
 */
void spf__foresee(struct spf_run *run)
{
    struct dns_name names[SPF_LOOKUPS_MAX + 1];
    size_t n = 1, octets = 0;
    unsigned asked = 0;
    names[0] = run->sender;
    for (size_t i = 0; i < n; i++) {
        const struct dns_answer *a = dns_table_get_odd(run->dns, dns_name_view(&names[i]), DNS_TXT);
        struct buf joined CLEANUP(buf_done);
        struct spf_record record;
        struct spf_term t;
        struct cursor rest;
        slice text, bad;
        size_t records;
        buf_init(&joined, SPF_RECORD_MAX);
        if (!a || dns_answer_failed(a))
            continue;
        text = spf__pick(a, &records);
        if (records != 1 || spf__txt(text, &joined, &text) || text.n > SPF_RECORDS_MAX - octets ||
            spf_record_parse(text, &record, &bad))
            continue;
        octets += text.n;
        rest = cursor_of(record.terms);
        while (asked < SPF_LOOKUPS_MAX && spf_record_term(&rest, &t)) {
            if (t.kind == SPF_ALL ||
                ((t.kind == SPF_IP4 || t.kind == SPF_IP6) && spf__match_literal(run, &t)))
                break;
            if (!spf__asks(t.kind) && !(t.kind == SPF_REDIRECT && !record.has_all))
                continue;
            asked++;
            if (spf_foresee_term(run, &names[i], &t, &names[n]) && n < SPF_LOOKUPS_MAX &&
                !spf_known(names, n, &names[n]))
                n++;
        }
    }
}
