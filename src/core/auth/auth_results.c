#include "core/auth/auth_results.h"

#define AUTH_REASON_MAX 240 /* octets of a reason that are written */

static bool auth_is_domain(slice s)
{
    struct dns_name name;
    return s.n && !dns_name_parse(s, &name) && name.n;
}

/* RFC 2045 §5.1, token: printable ASCII without tspecials. */
static bool auth_is_token(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > 0x7e || memchr("()<>@,;:\\\"/[]?=", s.p[i], 15))
            return false;
    return s.n > 0;
}

/* Letters, digits and what is usual in addresses: a dot-atom (RFC 5322 §3.2.3) without quotation marks; and
 * not one made to be found, "dmarc=pass"@attack.example. */
static bool auth_is_local(slice s)
{
    if (slice_find_nocase(s, SLICE("=pass")) < s.n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && !memchr(".!#$%&*+/=?^_{|}~-", s.p[i], 18))
            return false;
    return s.n > 0;
}

/* " name=value"; quoted when it is no token. A value with anything but letters, digits and what addresses,
 * names and base64 are made of is left out with its name. */
static void auth_property(struct buf *b, const char *name, slice value)
{
    bool token = auth_is_token(value);
    if (value.n == 0)
        return;
    for (size_t i = 0; i < value.n; i++)
        if (!ascii_is_alpha(value.p[i]) && !ascii_is_digit(value.p[i]) && !memchr("-._+/:", value.p[i], 6))
            return;
    buf_byte(b, ' ');
    buf_str(b, name);
    buf_byte(b, '=');
    buf_str(b, token ? "" : "\"");
    buf_append(b, value);
    buf_str(b, token ? "" : "\"");
}

static void auth_domain(struct buf *b, const char *name, slice domain)
{
    if (auth_is_domain(domain))
        auth_property(b, name, domain);
}

/* pvalue = [ [ local-part ] "@" ] domain-name (RFC 8601 §2.2). What is no plain local part is left out, what
 * is no domain takes the whole property with it. */
static void auth_address(struct buf *b, const char *name, slice address)
{
    size_t at = slice_rindex(address, '@');
    slice local = slice_sub(address, 0, at), domain = slice_from(address, at + 1);
    if (at == address.n || !auth_is_domain(domain))
        return;
    buf_byte(b, ' ');
    buf_str(b, name);
    buf_byte(b, '=');
    if (auth_is_local(local))
        buf_append(b, local);
    buf_byte(b, '@');
    buf_append(b, domain);
}

/* reasonspec = "reason" "=" value. Our words, with pieces of names: what a reader could take for structure is
 * replaced. */
static void auth_reason(struct buf *b, slice reason)
{
    if (reason.n == 0)
        return;
    buf_str(b, " reason=\"");
    for (size_t i = 0; i < size_min(reason.n, AUTH_REASON_MAX); i++) {
        uint8_t c = reason.p[i];
        if (c == '(')
            c = '[';
        else if (c == ')')
            c = ']';
        else if (c == ';')
            c = ',';
        else if (c == '=')
            c = ':';
        else if (c == '"' || c == '\\' || c < ' ' || c > 0x7e)
            c = '\'';
        buf_byte(b, c);
    }
    buf_byte(b, '"');
}

/* "; method=result" and, where it did not pass, why. */
static void auth_method(struct buf *b, const char *method, enum auth_result result, slice reason)
{
    buf_str(b, "; ");
    buf_str(b, method);
    buf_byte(b, '=');
    buf_append(b, auth_result_word(result));
    if (result != AUTH_PASS && result != AUTH_NONE)
        auth_reason(b, reason);
}

static void auth_print_iprev(const struct auth_results *r, struct buf *b)
{
    if (r->iprev.result == AUTH_NONE)
        return;
    auth_method(b, "iprev", r->iprev.result, r->iprev.reason);
    auth_property(b, "policy.iprev", r->client);
}

static void auth_print_spf(const struct auth_results *r, struct buf *b)
{
    auth_method(b, "spf", r->spf.result, r->spf.reason);
    if (r->spf.of_helo || r->reverse_path.n == 0)
        auth_domain(b, "smtp.helo", r->spf.domain);
    else
        auth_address(b, "smtp.mailfrom", r->reverse_path);
}

static void auth_print_dkim(const struct auth_results *r, struct buf *b)
{
    if (r->n_dkim == 0)
        buf_str(b, "; dkim=none");
    for (size_t i = 0; i < r->n_dkim; i++) {
        const struct dkim_result *d = &r->dkim[i];
        auth_method(b, "dkim", d->result, d->reason);
        if (d->result == AUTH_NONE) /* there is one, but it counts as none: why? */
            auth_reason(b, d->reason);
        auth_domain(b, "header.d", d->domain);
        auth_domain(b, "header.s", d->selector);
        auth_address(b, "header.i", d->identity);
        auth_property(b, "header.a", d->algorithm);
        auth_property(b, "header.b", d->b);
    }
}

/* RFC 8617 §10.2: oldest-pass and remote-ip. */
static void auth_print_arc(const struct auth_results *r, struct buf *b)
{
    if (r->arc.result == AUTH_NONE)
        return;
    auth_method(b, "arc", r->arc.result, r->arc.reason);
    if (r->arc.result == AUTH_PASS)
        buf_print(b, " header.oldest-pass=%u", r->arc.oldest_pass);
    auth_property(b, "smtp.remote-ip", r->client);
}

/* RFC 9989 §9.1: header.from, polrec.p, polrec.domain. */
static void auth_print_dmarc(const struct auth_results *r, struct buf *b)
{
    const struct dmarc_result *d = &r->dmarc;
    auth_method(b, "dmarc", d->result, d->reason);
    auth_domain(b, "header.from", d->author);
    if (d->policy_tag)
        auth_property(b, "polrec.p", dmarc_policy_word(d->p));
    if (d->policy_tag && !slice_eq(d->policy_domain, d->author))
        auth_domain(b, "polrec.domain", d->policy_domain);
}

static bool auth_found_nothing(const struct auth_results *r)
{
    return r->iprev.result == AUTH_NONE && r->spf.result == AUTH_NONE && r->n_dkim == 0 &&
           r->arc.result == AUTH_NONE && r->dmarc.result == AUTH_NONE;
}

enum err auth_results_print(const struct auth_results *r, slice authserv_id, struct buf *out)
{
    size_t before = out->n;
    bool failed_before = out->failed;
    out->failed = false;
    buf_append(out, authserv_id);
    if (auth_found_nothing(r)) {
        buf_str(out, "; none");
    } else {
        auth_print_iprev(r, out);
        auth_print_spf(r, out);
        auth_print_dkim(r, out);
        auth_print_arc(r, out);
        auth_print_dmarc(r, out);
    }
    if (buf_failed(out)) {
        buf_truncate(out, before);
        return ERR_LIMIT;
    }
    out->failed = failed_before;
    return OK;
}
