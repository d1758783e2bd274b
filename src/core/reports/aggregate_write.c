#include "core/reports/aggregate_write.h"

#include "core/dmarc/dmarc_record.h"
#include "text/utf8.h"

#define RECORD_MAX ((size_t)64 * 1024)

/* XML 1.0 §2.2 Char, without C1 controls and the two noncharacters. */
static bool allowed(uint32_t c)
{
    return (c >= 0x20 && c != 0x7f && (c < 0x80 || c > 0x9f) && c != 0xfffe && c != 0xffff);
}

void aggregate_write_text(struct buf *out, slice text)
{
    static const struct {
        char c;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}};
    while (text.n) {
        uint32_t code = UTF8_REPLACEMENT;
        size_t n = utf8_next(text, &code), k = 0;
        uint8_t bytes[UTF8_MAX];
        while (n == 1 && k < ARRAY_LEN(entities) && (uint32_t)entities[k].c != code)
            k++;
        if (n == 1 && k < ARRAY_LEN(entities))
            buf_str(out, entities[k].entity);
        else
            buf_append(out, slice_of(bytes, utf8_put(bytes, n && allowed(code) ? code : UTF8_REPLACEMENT)));
        text = slice_from(text, n ? n : 1);
    }
}

/* <name>value</name> on a line of its own. name is ours. */
static void put(struct buf *out, unsigned depth, const char *name, slice value)
{
    buf_print(out, "%*s<%s>", (int)(2 * depth), "", name);
    aggregate_write_text(out, value);
    buf_print(out, "</%s>\n", name);
}

static void put_number(struct buf *out, unsigned depth, const char *name, uint64_t n)
{
    buf_print(out, "%*s<%s>%llu</%s>\n", (int)(2 * depth), "", name, (unsigned long long)n, name);
}

static slice pass_or_fail(bool pass)
{
    return pass ? SLICE("pass") : SLICE("fail");
}

/* ---- records */

void aggregate_writer_init(struct aggregate_writer *w, size_t records_max, size_t bytes_max)
{
    *w = (struct aggregate_writer){.records_max = records_max};
    buf_init(&w->xml, bytes_max);
}

void aggregate_writer_done(struct aggregate_writer *w)
{
    buf_done(&w->xml);
}

/* Words of RFC 9990: the two of RFC 7489 that are gone are told as "other". */
static slice reason_word(uint8_t reason)
{
    return reason > AGGREGATE_REASON_FORWARDER ? aggregate_reason_word(AGGREGATE_REASON_OTHER)
                                               : aggregate_reason_word((enum aggregate_reason)reason);
}

static void write_row(struct buf *b, const struct aggregate_record *r)
{
    char ip[IP_TEXT];
    ip_print(&r->source, ip);
    buf_str(b, "    <row>\n");
    put(b, 3, "source_ip", slice_str(ip));
    put_number(b, 3, "count", r->count);
    buf_str(b, "      <policy_evaluated>\n");
    put(b, 4, "disposition", aggregate_disposition_word((enum aggregate_disposition)r->disposition));
    put(b, 4, "dkim", pass_or_fail(r->dkim_aligned));
    put(b, 4, "spf", pass_or_fail(r->spf_aligned));
    if (r->reason) {
        buf_str(b, "        <reason>\n");
        put(b, 5, "type", reason_word(r->reason));
        if (r->reason_comment.n)
            put(b, 5, "comment", r->reason_comment);
        buf_str(b, "        </reason>\n");
    }
    buf_str(b, "      </policy_evaluated>\n    </row>\n");
}

/* SPF results have no "policy"; DKIM results no "softfail" (RFC 8601 §2.7). */
static slice spf_word(uint8_t result)
{
    return auth_result_word(result == AUTH_POLICY ? AUTH_NEUTRAL : (enum auth_result)result);
}

static slice dkim_word(uint8_t result)
{
    return auth_result_word(result == AUTH_SOFTFAIL ? AUTH_FAIL : (enum auth_result)result);
}

static bool is_below(slice name, slice above)
{
    return name.n > above.n && slice_ends_nocase(name, above) && name.p[name.n - above.n - 1] == '.';
}

/* Which come first, RFC 9990 §3.1.3: those that pass for the author's domain, for one above or below it, for
 * any, and then the rest. */
enum { RANKS = 4 };

static unsigned rank(const struct aggregate_record *r, const struct aggregate_dkim *d)
{
    if (d->result != AUTH_PASS)
        return 3;
    if (slice_eq_nocase(d->domain, r->header_from))
        return 0;
    return r->dkim_aligned && (is_below(d->domain, r->header_from) || is_below(r->header_from, d->domain))
               ? 1
               : 2;
}

static void write_auth(struct buf *b, const struct aggregate_record *r)
{
    slice domain = r->spf_domain.n ? r->spf_domain : r->envelope_from;
    buf_str(b, "    <auth_results>\n");
    for (unsigned turn = 0; turn < RANKS; turn++)
        for (size_t i = 0; i < r->n_dkim; i++) {
            const struct aggregate_dkim *d = &r->dkim[i];
            if (d->domain.n == 0 || d->selector.n == 0 || rank(r, d) != turn)
                continue; /* without both of them it is a signature nobody could have checked */
            buf_str(b, "      <dkim>\n");
            put(b, 4, "domain", d->domain);
            put(b, 4, "result", dkim_word(d->result));
            put(b, 4, "selector", d->selector);
            buf_str(b, "      </dkim>\n");
        }
    /* With the null sender SPF checked postmaster@HELO, which is a MAIL FROM identity too (RFC 7208 §2.4) */
    if (domain.n) {
        buf_str(b, "      <spf>\n");
        put(b, 4, "domain", domain);
        put(b, 4, "scope", SLICE("mfrom"));
        put(b, 4, "result", spf_word(r->spf));
        buf_str(b, "      </spf>\n");
    }
    buf_str(b, "    </auth_results>\n");
}

void aggregate_write_record(struct aggregate_writer *w, const struct aggregate_record *r)
{
    struct buf b CLEANUP(buf_done);
    if (ip_is_none(&r->source) || r->header_from.n == 0 || r->count == 0)
        return;
    buf_init(&b, RECORD_MAX);
    buf_str(&b, "  <record>\n");
    write_row(&b, r);
    buf_str(&b, "    <identifiers>\n");
    if (r->envelope_to.n)
        put(&b, 3, "envelope_to", r->envelope_to);
    if (r->envelope_from.n) /* the null sender has HELO's, Appendix A */
        put(&b, 3, "envelope_from", r->envelope_from);
    else if (r->spf_of_helo && r->spf_domain.n)
        put(&b, 3, "envelope_from", r->spf_domain);
    put(&b, 3, "header_from", r->header_from);
    buf_str(&b, "    </identifiers>\n");
    write_auth(&b, r);
    buf_str(&b, "  </record>\n");
    if (w->records == w->records_max || buf_failed(&b) || w->xml.n + b.n > w->xml.max) {
        w->records_left++;
        w->messages_left += r->count;
        w->records_max = w->records; /* so that the ones left are the ones seen least */
        return;
    }
    buf_append(&w->xml, buf_view(&b));
    w->records++;
    w->messages += r->count;
}

/* ---- the document */

static void write_metadata(const struct aggregate_writer *w, const struct aggregate_report *h,
                           struct buf *out)
{
    buf_str(out, "  <report_metadata>\n");
    put(out, 2, "org_name", h->org);
    put(out, 2, "email", h->email);
    if (h->contact.n)
        put(out, 2, "extra_contact_info", h->contact);
    put(out, 2, "report_id", h->report_id);
    buf_str(out, "    <date_range>\n");
    put_number(out, 3, "begin", (uint64_t)(h->begin / MS_SECOND));
    put_number(out, 3, "end", (uint64_t)(h->end / MS_SECOND));
    buf_str(out, "    </date_range>\n");
    if (w->records_left)
        buf_print(
            out,
            "    <error>The report is cut: %llu more records, of %llu messages, found no room. Those here"
            " are the ones of most messages.</error>\n",
            (unsigned long long)w->records_left, (unsigned long long)w->messages_left);
    if (h->generator.n)
        put(out, 2, "generator", h->generator);
    buf_str(out, "  </report_metadata>\n");
}

static void put_policy(struct buf *out, const char *name, uint8_t policy)
{
    if (policy != AGGREGATE_POLICY_ABSENT)
        put(out, 2, name, dmarc_policy_word((enum dmarc_policy)policy));
}

static void put_letter(struct buf *out, const char *name, char letter)
{
    if (letter)
        put(out, 2, name, slice_of(&letter, 1));
}

static void write_policy(const struct aggregate_policy *p, struct buf *out)
{
    buf_str(out, "  <policy_published>\n");
    put(out, 2, "domain", p->domain);
    put_policy(out, "p", p->p);
    put_policy(out, "sp", p->sp);
    put_policy(out, "np", p->np);
    put_letter(out, "adkim", p->adkim);
    put_letter(out, "aspf", p->aspf);
    if (p->fo.n)
        put(out, 2, "fo", p->fo);
    put(out, 2, "testing", p->testing ? SLICE("y") : SLICE("n"));
    put(out, 2, "discovery_method", p->treewalk ? SLICE("treewalk") : SLICE("psl"));
    buf_str(out, "  </policy_published>\n");
}

enum err aggregate_write_end(const struct aggregate_writer *w, const struct aggregate_report *head,
                             struct buf *out)
{
    if (w->records == 0)
        return ERR_USAGE;
    buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
                 "  <version>1.0</version>\n");
    write_metadata(w, head, out);
    write_policy(&head->policy, out);
    buf_append(out, buf_view(&w->xml));
    buf_str(out, "</feedback>\n");
    return buf_failed(out) ? ERR_LIMIT : OK;
}
