#include "core/dmarc/dmarc_uri.h"
#include "core/dmarc/dmarc_walk.h"
#include "core/mail/mailbox.h"
#include "text/percent.h"
#include "text/tag_list.h"

#define DMARC_URI_MAX 1024

/* RFC 3986 §3.1: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ). Of the rest only what could do harm is
 * checked. False when it is no URI. */
static bool dmarc_uri_split(slice text, slice *scheme, slice *rest)
{
    if (text.n > DMARC_URI_MAX || !slice_split(text, ':', scheme, rest) || scheme->n == 0 || rest->n == 0 ||
        !ascii_is_alpha(scheme->p[0]))
        return false;
    for (size_t i = 0; i < scheme->n; i++) {
        uint8_t c = scheme->p[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '+' && c != '-' && c != '.')
            return false;
    }
    for (size_t i = 0; i < rest->n; i++)
        if (rest->p[i] <= ' ' || rest->p[i] > 0x7e || rest->p[i] == '"' || rest->p[i] == '<' ||
            rest->p[i] == '>')
            return false;
    return true;
}

/* obs-dmarc-report-size = "!" 1*DIGIT [ "k" / "m" / "g" / "t" ] (RFC 9989 §4.8). Cuts it off. */
static bool dmarc_uri_size(slice *rest, uint64_t *out)
{
    static const char units[] = "kmgt";
    size_t at = slice_rindex(*rest, '!');
    slice digits;
    uint64_t n;
    unsigned shift = 0;
    if (at == rest->n) {
        *out = 0;
        return true;
    }
    digits = slice_from(*rest, at + 1);
    for (unsigned i = 0; digits.n && i < 4; i++)
        if (ascii_lower(digits.p[digits.n - 1]) == (uint8_t)units[i])
            shift = 10 * (i + 1);
    if (shift)
        digits.n--;
    if (!slice_u64(digits, &n))
        return false;
    *out = n > UINT64_MAX >> shift ? UINT64_MAX : n << shift;
    rest->n = at;
    return true;
}

/* mailto:, RFC 6068: the part before "?", percent-encoding undone; one address. */
static enum err dmarc_uri_read(slice text, struct mailbox *out, uint64_t *out_size)
{
    struct buf CLEANUP(buf_done) plain = {0};
    slice scheme, rest, query;
    uint64_t size;
    if (!dmarc_uri_split(text, &scheme, &rest) || !dmarc_uri_size(&rest, &size))
        return ERR_SYNTAX;
    if (!slice_eq_nocase(scheme, SLICE("mailto")))
        return ERR_UNSUPPORTED;
    (void)slice_split(rest, '?', &rest, &query); /* without "?" all of it is the address */
    if (slice_has(rest, '%')) {
        buf_init(&plain, DMARC_URI_MAX);
        if (percent_decode(rest, &plain))
            return ERR_SYNTAX;
        rest = buf_view(&plain);
    }
    if (mailbox_parse(rest, 0, out) || out->literal)
        return ERR_SYNTAX;
    *out_size = size;
    return OK;
}

bool dmarc_uri_valid(slice text)
{
    struct mailbox m;
    uint64_t size;
    enum err e = dmarc_uri_read(text, &m, &size);
    return e == OK || e == ERR_UNSUPPORTED;
}

enum err dmarc_uri_parse(slice text, struct arena *a, struct dmarc_uri *out)
{
    struct buf CLEANUP(buf_done) printed = {0};
    struct mailbox m;
    struct dmarc_uri u;
    enum err e = dmarc_uri_read(text, &m, &u.size_max);
    if (e)
        return e;
    buf_init(&printed, MAILBOX_TEXT_MAX);
    e = mailbox_print(&m, &printed);
    if (e)
        return e;
    if (!arena_dup(a, buf_view(&printed), &u.mailbox))
        return ERR_LIMIT;
    u.domain = slice_from(u.mailbox, u.mailbox.n - m.domain_n);
    *out = u;
    return OK;
}

bool dmarc_uri_list(slice value, struct arena *a, struct dmarc_uri **out, size_t *out_n)
{
    struct tag_items it = tag_items(value);
    struct dmarc_uri *list = ARENA_ARRAY(a, DMARC_URIS_MAX, struct dmarc_uri);
    size_t n = 0;
    slice item;
    if (!list)
        return false;
    while (n < DMARC_URIS_MAX && tag_items_next(&it, ',', &item)) {
        bool known = false;
        enum err e = dmarc_uri_parse(item, a, &list[n]);
        if (e == ERR_LIMIT)
            return false;
        if (e)
            continue;
        for (size_t i = 0; i < n; i++)
            known = known || slice_eq(list[i].mailbox, list[n].mailbox);
        n += !known;
    }
    *out = list;
    *out_n = n;
    return true;
}

enum err dmarc_uri_report_name(slice policy_domain, slice destination, struct dns_name *out)
{
    struct buf CLEANUP(buf_done) name = {0};
    if (policy_domain.n == 0 || destination.n == 0)
        return ERR_SYNTAX;
    buf_init(&name, 3 * DNS_NAME_MAX);
    buf_append(&name, policy_domain);
    buf_str(&name, "._report._dmarc.");
    buf_append(&name, destination);
    return buf_failed(&name) ? ERR_SYNTAX : dns_name_parse(buf_view(&name), out);
}

/* The mailboxes a permit names count only in the destination's own domain (RFC 9990 §4). */
static slice dmarc_uri_same_domain(slice value, slice destination, struct arena *a, bool *full)
{
    struct dmarc_uri *list;
    size_t n;
    if (value.n == 0)
        return value;
    if (!dmarc_uri_list(value, a, &list, &n)) {
        *full = true;
        return (slice){0};
    }
    for (size_t i = 0; i < n; i++)
        if (!slice_eq(list[i].domain, destination))
            return (slice){0};
    return n ? value : (slice){0};
}

/* RFC 9990 §4: any TXT record there that begins as a DMARC record does says yes. */
static enum auth_step dmarc_uri_external(const struct dns_answer *answer, slice destination, struct arena *a,
                                         struct dmarc_uri_permit *out)
{
    struct dmarc_step s = {.domain = destination};
    bool full = false;
    *out = (struct dmarc_uri_permit){.external = true};
    if (dmarc_answer_record(answer, a, &s) != AUTH_DONE)
        return AUTH_NO_MEMORY;
    if (s.found == DMARC_FOUND_FAILED) {
        out->result = AUTH_TEMPERROR;
        out->reason = SLICE("the DNS gave no answer on whether the destination wants these reports");
    } else if (s.found == DMARC_FOUND_RECORD || s.several) {
        out->result = AUTH_PASS;
        out->reason = SLICE("the destination's domain says that it wants these reports");
        if (!s.several) {
            out->rua = dmarc_uri_same_domain(s.record.rua, destination, a, &full);
            out->ruf = dmarc_uri_same_domain(s.record.ruf, destination, a, &full);
        }
    } else {
        out->result = AUTH_FAIL;
        out->reason =
            SLICE("the destination is in another domain, which does not say that it wants these reports");
    }
    return full ? AUTH_NO_MEMORY : AUTH_DONE;
}

enum auth_step dmarc_uri_allowed(slice policy_domain, slice destination, struct dns_table *dns,
                                 struct arena *a, struct dmarc_uri_permit *out)
{
    struct dmarc_walk from, to;
    struct dns_name parsed[2], name;
    slice names[2];
    enum auth_step first, second;
    const struct dns_answer *answer;
    if (dns_name_parse(policy_domain, &parsed[0]) || dns_name_parse(destination, &parsed[1]) ||
        !parsed[0].n || !parsed[1].n || dmarc_uri_report_name(policy_domain, destination, &name)) {
        *out = (struct dmarc_uri_permit){.result = AUTH_FAIL,
                                         .reason = SLICE("the destination's domain is no usable name")};
        return AUTH_DONE;
    }
    for (int i = 0; i < 2; i++)
        names[i] = dns_name_view(&parsed[i]);
    if (slice_eq(names[0], names[1])) {
        *out = (struct dmarc_uri_permit){.result = AUTH_PASS,
                                         .reason = SLICE("the destination is in the domain itself")};
        return AUTH_DONE;
    }
    first = dmarc_walk(names[0], dns, a, &from);
    second = dmarc_walk(names[1], dns, a, &to);
    answer = dns_table_get(dns, dns_name_view(&name), DNS_TXT);
    if (first == AUTH_NO_MEMORY || second == AUTH_NO_MEMORY)
        return AUTH_NO_MEMORY;
    if (first == AUTH_WAIT || second == AUTH_WAIT || !answer)
        return AUTH_WAIT;
    if (!from.failed && !to.failed && slice_eq(from.organizational, to.organizational)) {
        *out = (struct dmarc_uri_permit){
            .result = AUTH_PASS, .reason = SLICE("the destination is in the same organizational domain")};
        return AUTH_DONE;
    }
    first = dmarc_uri_external(answer, names[1], a, out);
    if (first == AUTH_DONE && out->result == AUTH_FAIL && (from.failed || to.failed)) {
        out->result = AUTH_TEMPERROR; /* they may be of one organization after all */
        out->reason = SLICE("the DNS gave no answer on whose domain the destination is in");
    }
    return first;
}
