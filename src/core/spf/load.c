/* load: the SPF record of a domain, RFC 7208 §4.4 and §4.5. */
#include "core/spf/check__.h"

/* The text of a TXT record without a copy when it is one string, else joined in *joined. */
enum err spf__txt(slice rdata, struct buf *joined, slice *out)
{
    enum err e;
    if (rdata.n && rdata.p[0] == rdata.n - 1) {
        *out = slice_from(rdata, 1);
        return OK;
    }
    buf_clear(joined);
    e = dns_rr_txt(rdata, joined);
    *out = buf_view(joined);
    return e;
}

/* Is it an SPF record? The version may be spread over several strings. */
static bool spf_txt_is_record(slice rdata)
{
    uint8_t head[8];
    size_t n = 0;
    struct cursor c = cursor_of(rdata);
    uint8_t left;
    while (n < sizeof head && cursor_u8(&c, &left))
        for (; left && n < sizeof head && !cursor_end(&c); left--)
            head[n++] = (uint8_t)cursor_next(&c);
    return spf_record_is(slice_of(head, n));
}

/* The one SPF record among TXT records. *out_n counts them. */
slice spf__pick(const struct dns_answer *a, size_t *out_n)
{
    slice found = {0};
    *out_n = 0;
    for (size_t i = 0; i < a->n; i++)
        if (spf_txt_is_record(a->rdata[i]) && (*out_n)++ == 0)
            found = a->rdata[i];
    return found;
}

/* Why a record cannot be used. */
static enum spf_turn spf_load_failed(struct spf_run *run, const struct spf_frame *f,
                                     const struct dns_answer *a, size_t n, enum err e, slice bad)
{
    slice show = spf__show(&f->domain);
    char term[81];
    if (dns_answer_failed(a))
        return spf__say(run, TURN_TEMP, "the DNS gave no answer for the SPF record of %.*s", SLICE_FMT(show));
    if (n == 0)
        return spf__say(run, TURN_NONE, "%.*s publishes no SPF record", SLICE_FMT(show));
    if (n > 1)
        return spf__say(run, TURN_PERM, "%.*s publishes %zu SPF records where one is allowed",
                        SLICE_FMT(show), n);
    if (e == ERR_SYNTAX)
        return spf__say(run, TURN_TEMP, "the DNS answer with the SPF record of %.*s is damaged",
                        SLICE_FMT(show));
    if (e)
        return spf__say(run, TURN_PERM, "the SPF record of %.*s is longer than %zu octets", SLICE_FMT(show),
                        SPF_RECORD_MAX);
    spf__printable(bad, term, sizeof term);
    return spf__say(run, TURN_PERM, "the SPF record of %.*s has a term that is no good: %s", SLICE_FMT(show),
                    term);
}

enum spf_turn spf__load(struct spf_run *run, struct spf_frame *f)
{
    const struct dns_answer *a = dns_table_get_odd(run->dns, dns_name_view(&f->domain), DNS_TXT);
    slice text, bad = {0};
    size_t n;
    enum err e;
    if (!a)
        return TURN_WAIT;
    text = spf__pick(a, &n);
    if (dns_answer_failed(a) || n != 1)
        return spf_load_failed(run, f, a, n, OK, bad);
    e = spf__txt(text, &f->joined, &text);
    if (!e && text.n > SPF_RECORDS_MAX - run->octets)
        return spf__say(run, TURN_PERM, "%.*s needs SPF records of more than %zu octets",
                        SLICE_FMT(spf__show(&run->sender)), SPF_RECORDS_MAX);
    if (e || spf_record_parse(text, &f->record, &bad))
        return spf_load_failed(run, f, a, n, e, bad);
    run->octets += text.n;
    f->rest = cursor_of(f->record.terms);
    f->loaded = true;
    return TURN_MATCH;
}
