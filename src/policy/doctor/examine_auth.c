/* What proves mail in the domain's name: SPF, DKIM, DMARC; and the reports on encryption. */
#include "core/spf/record.h"
#include "core/spf/spf.h"
#include "policy/doctor/examine__.h"
#include "text/tag_list.h"

/* The TXT records of a name that begin with the marker. NULL while not known. */
struct txt_set {
    slice *text; /* joined */
    size_t n;
};

static bool txt_find(struct examine *x, slice name, slice marker, struct txt_set *out)
{
    const struct dns_answer *a = examine_known(x, name, DNS_TXT);
    *out = (struct txt_set){0};
    if (!a)
        return false;
    out->text = ARENA_ARRAY(x->arena, a->n, slice);
    if (!out->text) {
        x->failed = true;
        return false;
    }
    for (size_t i = 0; i < a->n; i++)
        if (!marker.n || dns_plan_txt_is(a->rdata[i], marker))
            out->text[out->n++] = examine_txt(x, a->rdata[i]);
    return true;
}

static slice txt_lines(struct examine *x, const struct txt_set *t)
{
    struct buf b CLEANUP(buf_done) = {.max = 8192};
    for (size_t i = 0; i < t->n && i < 8; i++) {
        if (i)
            buf_byte(&b, '\n');
        buf_append(&b, examine_quote(x, t->text[i]));
    }
    return examine_keep(x, buf_view(&b));
}

static slice plan_mend(struct examine *x, const struct setup_domain *d, enum dns_plan_kind kind)
{
    const struct dns_plan_record *r = examine_plan(d, kind, NULL);
    return r ? examine_record(x, r) : (slice){0};
}

/* ---- SPF */

static bool spf_allows_all(const struct spf_record *record)
{
    struct cursor rest = cursor_of(record->terms);
    struct spf_term term;
    while (spf_record_term(&rest, &term))
        if (term.kind == SPF_ALL && term.qualifier == AUTH_PASS)
            return true;
    return false;
}

/* Does the record cover this address? False: no more is to be said of this record. */
static bool spf_covers(struct examine *x, const struct setup_domain *d, const struct ip *ip, slice mend,
                       slice seen)
{
    struct spf_ask ask = {.client = *ip,
                          .helo = x->setup->hostname,
                          .local = SLICE("postmaster"),
                          .domain = d->name,
                          .receiver = x->setup->hostname,
                          .now = x->facts->now};
    struct spf_result r = {0};
    slice text = examine_ip(x, ip);
    switch (spf_check(&ask, x->dns, x->arena, &r)) {
    case AUTH_WAIT:
        x->waiting = true;
        return false;
    case AUTH_NO_MEMORY:
        x->failed = true;
        return false;
    case AUTH_DONE:
        break;
    }
    if (r.result == AUTH_PASS)
        return true;
    if (r.result == AUTH_TEMPERROR && x->facts->dns_silent)
        return false;
    if (r.result == AUTH_TEMPERROR) {
        examine_found(x, FINDING_UNOBSERVED, examine_text(x, "SPF %.*s", SLICE_FMT(d->name)),
                      SLICE("See whether the names that the record includes can be looked up."), seen,
                      "SPF of %.*s could not be followed to its end: %.*s.", SLICE_FMT(d->name),
                      SLICE_FMT(r.reason));
        return false;
    }
    if (r.result == AUTH_PERMERROR) {
        enum finding_kind kind = r.lookups >= SPF_LOOKUPS_MAX ? FINDING_SPF_LOOKUPS
                                 : r.voids > SPF_VOID_MAX     ? FINDING_SPF_VOID
                                                              : FINDING_SPF_SYNTAX;
        if (kind != FINDING_SPF_SYNTAX && d->in.n_includes)
            mend = examine_text(
                x,
                "%.*s\n(if it still does not work: `posthorn domain set %.*s spf-include NAMES` with "
                "fewer names)",
                SLICE_FMT(mend), SLICE_FMT(d->name));
        examine_found(x, kind, d->name, mend, seen, "The SPF record of %.*s does not work: %.*s.",
                      SLICE_FMT(d->name), SLICE_FMT(r.reason));
        return false;
    }
    examine_found(x, FINDING_SPF_NOT_US,
                  examine_text(x, "%.*s from %.*s", SLICE_FMT(d->name), SLICE_FMT(text)), mend, seen,
                  "SPF of %.*s gives %.*s for our address %.*s.", SLICE_FMT(d->name),
                  SLICE_FMT(auth_result_word(r.result)), SLICE_FMT(text));
    return true;
}

void examine_spf(struct examine *x, const struct setup_domain *d)
{
    struct txt_set set;
    struct spf_record record;
    slice bad = {0}, mend = plan_mend(x, d, DNS_PLAN_SPF), seen;
    if (!txt_find(x, d->name, SLICE("v=spf1"), &set))
        return;
    seen = txt_lines(x, &set);
    if (set.n == 0) {
        examine_found(x, FINDING_SPF_MISSING, d->name, mend, (slice){0}, "%.*s has no SPF record.",
                      SLICE_FMT(d->name));
        return;
    }
    if (set.n > 1) {
        examine_found(x, FINDING_SPF_TWO, d->name, examine_alone(x, mend), seen,
                      "%.*s has %zu SPF records; only one is allowed.", SLICE_FMT(d->name), set.n);
        return;
    }
    if (spf_record_parse(set.text[0], &record, &bad)) {
        examine_found(x, FINDING_SPF_SYNTAX, d->name, mend, seen,
                      "The SPF record of %.*s is written wrongly at \"%.*s\".", SLICE_FMT(d->name),
                      SLICE_FMT(slice_sub(bad, 0, 100)));
        return;
    }
    if (spf_allows_all(&record)) {
        examine_found(x, FINDING_SPF_ALL, d->name, mend, seen, "The SPF record of %.*s ends in +all.",
                      SLICE_FMT(d->name));
        return;
    }
    for (size_t i = 0; i < x->setup->n_addresses; i++)
        if (!spf_covers(x, d, &x->setup->addresses[i], mend, seen))
            return;
}

void examine_helo(struct examine *x, const struct setup_domain *d)
{
    const struct dns_plan_record *r = examine_plan(d, DNS_PLAN_SPF_HELO, NULL);
    struct txt_set set;
    if (r && txt_find(x, dns_name_view(&r->name), SLICE("v=spf1"), &set) && set.n == 0)
        examine_found(x, FINDING_HELO_SPF, dns_name_view(&r->name), examine_record(x, r), (slice){0},
                      "The host name %.*s has no SPF record of its own.", SLICE_FMT(dns_name_view(&r->name)));
}

/* ---- DKIM */

/* Without blanks, and without quotes that became part of the text. */
static slice dkim_squeezed(struct examine *x, slice s, bool quotes)
{
    struct buf b CLEANUP(buf_done) = {.max = 16384};
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && (!quotes || s.p[i] != '"'))
            buf_byte(&b, s.p[i]);
    return examine_keep(x, buf_view(&b));
}

/* Several records that are pieces of the one that should be there. */
static bool dkim_in_pieces(struct examine *x, const struct txt_set *set, slice want)
{
    size_t bytes = 0;
    for (size_t i = 0; i < set->n; i++) {
        slice piece = dkim_squeezed(x, set->text[i], true);
        if (!piece.n || slice_find(want, piece) == want.n)
            return false;
        bytes += piece.n;
    }
    return set->n > 1 && bytes >= want.n;
}

static void dkim_first_difference(struct examine *x, slice name, slice have, slice want, slice mend)
{
    size_t at = 0;
    while (at < have.n && at < want.n && have.p[at] == want.p[at])
        at++;
    if (at == have.n)
        examine_found(x, FINDING_DKIM_DIFFERENT, name, mend, examine_quote(x, have),
                      "The DKIM record %.*s ends after %zu of %zu characters.", SLICE_FMT(name), have.n,
                      want.n);
    else
        examine_found(x, FINDING_DKIM_DIFFERENT, name, mend, examine_quote(x, have),
                      "The DKIM record %.*s differs from our key at character %zu: there is \"%.*s\" where "
                      "\"%.*s\" should be.",
                      SLICE_FMT(name), at + 1, SLICE_FMT(slice_sub(have, at, at + 8)),
                      SLICE_FMT(slice_sub(want, at, at + 8)));
}

static void dkim_compare(struct examine *x, slice name, slice have_text, slice want_text, slice mend)
{
    struct tag_list have, want;
    const slice *p, *k, *want_k, *want_p;
    slice squeezed = dkim_squeezed(x, have_text, false);
    if (slice_eq(squeezed, dkim_squeezed(x, want_text, false)))
        return;
    if (slice_eq(dkim_squeezed(x, have_text, true), dkim_squeezed(x, want_text, true))) {
        examine_found(x, FINDING_DKIM_SPLIT, name, mend, examine_quote(x, have_text),
                      "The quotes that should only divide the DKIM record %.*s became part of its text.",
                      SLICE_FMT(name));
        return;
    }
    if (tag_list_parse(have_text, &have) == OK && tag_list_parse(want_text, &want) == OK) {
        p = tag_list_find(&have, SLICE("p"));
        k = tag_list_find(&have, SLICE("k"));
        want_k = tag_list_find(&want, SLICE("k"));
        want_p = tag_list_find(&want, SLICE("p"));
        slice type = k ? *k : SLICE("rsa"), want_type = want_k ? *want_k : SLICE("rsa");
        if (p && p->n == 0) {
            examine_found(x, FINDING_DKIM_REVOKED, name, mend, examine_quote(x, have_text),
                          "The DKIM record %.*s has an empty p=: the key counts as revoked.",
                          SLICE_FMT(name));
            return;
        }
        if (!slice_eq(type, want_type)) {
            examine_found(x, FINDING_DKIM_TYPE, name, mend, examine_quote(x, have_text),
                          "The DKIM record %.*s says that the key is of type %.*s; it is %.*s.",
                          SLICE_FMT(name), SLICE_FMT(slice_sub(type, 0, 32)), SLICE_FMT(want_type));
            return;
        }
        /* other tags (t=, n=, another order) change nothing about the key */
        if (p && want_p && slice_eq(dkim_squeezed(x, *p, false), dkim_squeezed(x, *want_p, false)))
            return;
    }
    dkim_first_difference(x, name, have_text, want_text, mend);
}

static const struct dns_plan_key *dkim_key(const struct setup_domain *d, const struct dns_plan_record *r)
{
    slice label, rest;
    (void)slice_split(dns_name_view(&r->name), '.', &label, &rest);
    for (size_t i = 0; i < d->in.n_keys; i++)
        if (slice_eq_nocase(d->in.keys[i].selector, label))
            return &d->in.keys[i];
    return NULL;
}

static void cname_record(struct examine *x, const struct dns_plan_record *r)
{
    slice name = dns_name_view(&r->name);
    const struct dns_answer *a = examine_known(x, name, DNS_CNAME);
    if (!a || (a->n == 1 && slice_eq(a->rdata[0], r->rdata)))
        return;
    examine_found(x, FINDING_CNAME_MISSING, name, examine_record(x, r), examine_answer(x, DNS_CNAME, a),
                  "%.*s is not the CNAME that it should be.", SLICE_FMT(name));
}

/* A successor may wait for weeks and nothing is wrong; the first key may not, for nothing is signed. */
static void dkim_waits(struct examine *x, const struct setup_domain *d, slice name, slice mend)
{
    bool signs = false;
    for (size_t i = 0; i < d->in.n_keys; i++)
        signs |= d->in.keys[i].state == DNS_PLAN_KEY_SIGNING;
    if (signs)
        examine_found(x, FINDING_DKIM_WAITING, name, mend, (slice){0},
                      "The record of the next DKIM key, %.*s, is not there yet.", SLICE_FMT(name));
    else
        examine_found(x, FINDING_DKIM_WAITING, name, mend, (slice){0},
                      "Mail of %.*s goes out unsigned: the record of its DKIM key, %.*s, is not there yet.",
                      SLICE_FMT(d->name), SLICE_FMT(name))
            ->severity = FINDING_WARNING;
}

static void dkim_record(struct examine *x, const struct setup_domain *d, const struct dns_plan_record *r)
{
    const struct dns_plan_key *key = dkim_key(d, r);
    slice name = dns_name_view(&r->name), want = examine_txt(x, r->rdata), mend = examine_record(x, r);
    bool waiting = key && key->state == DNS_PLAN_KEY_WAITING;
    struct txt_set set;
    if (!txt_find(x, name, (slice){0}, &set))
        return;
    if (set.n == 0 && waiting)
        dkim_waits(x, d, name, mend);
    else if (set.n == 0)
        examine_found(x, FINDING_DKIM_MISSING, name, mend, (slice){0},
                      "The DKIM record %.*s does not exist, but mail %s signed with its key.",
                      SLICE_FMT(name), key && key->state == DNS_PLAN_KEY_RESTING ? "under way is" : "is");
    else if (dkim_in_pieces(x, &set, dkim_squeezed(x, want, true)))
        examine_found(x, FINDING_DKIM_SPLIT, name, examine_alone(x, mend), txt_lines(x, &set),
                      "The DKIM record %.*s is split into %zu records; it must be one record of several "
                      "strings.",
                      SLICE_FMT(name), set.n);
    else if (set.n > 1)
        examine_found(x, FINDING_DKIM_TWO, name, examine_alone(x, mend), txt_lines(x, &set),
                      "%.*s has %zu TXT records.", SLICE_FMT(name), set.n);
    else
        dkim_compare(x, name, set.text[0], want, mend);
}

void examine_dkim(struct examine *x, const struct setup_domain *d)
{
    const struct dns_plan_record *r = NULL;
    bool signing = false;
    for (size_t i = 0; i < d->in.n_keys; i++)
        signing |= d->in.keys[i].state == DNS_PLAN_KEY_SIGNING;
    if (!signing && d->in.sign && !d->in.n_keys)
        examine_found(
            x, FINDING_DKIM_NO_KEY, d->name,
            SLICE("Wait a minute: keys are made by themselves. If none comes: posthorn status, and the "
                  "log of role keys."),
            (slice){0}, "There is no DKIM key for %.*s.", SLICE_FMT(d->name));
    while ((r = examine_plan(d, DNS_PLAN_DKIM, r)))
        if (r->type == DNS_CNAME)
            cname_record(x, r);
        else
            dkim_record(x, d, r);
}

/* ---- DMARC */

#define DMARC_STEPS 8 /* names above that are looked at, RFC 9989 §4.10 */

static int dmarc_strength(slice p)
{
    return slice_eq_nocase(p, SLICE("reject"))       ? 2
           : slice_eq_nocase(p, SLICE("quarantine")) ? 1
           : slice_eq_nocase(p, SLICE("none"))       ? 0
                                                     : -1;
}

/* "mailto:someone@example.org!10m" -> example.org; empty when it is no such thing. */
static slice dmarc_report_domain(slice uri, struct dns_name *out)
{
    slice address, size, rest = slice_from(uri, sizeof "mailto:" - 1);
    size_t at;
    if (!slice_starts_nocase(uri, SLICE("mailto:")))
        return (slice){0};
    (void)slice_split(rest, '!', &address, &size);
    at = slice_rindex(address, '@');
    return at < address.n && dns_name_parse(slice_from(address, at + 1), out) == OK ? dns_name_view(out)
                                                                                    : (slice){0};
}

/* RFC 9990 §4: another organisation says with a record that it takes our reports. */
static void dmarc_permissions(struct examine *x, const struct setup_domain *d, slice uris, bool *out_ours)
{
    struct tag_items it = tag_items(uris);
    struct dns_name own, other;
    slice uri;
    if (dns_name_parse(d->name, &own))
        return;
    while (tag_items_next(&it, ',', &uri)) {
        slice to = dmarc_report_domain(uri, &other), name;
        struct txt_set set;
        if (!to.n)
            continue;
        if (dns_name_below(&other, d->name) || dns_name_below(&own, to)) {
            *out_ours = true;
            continue;
        }
        for (size_t i = 0; i < x->setup->n_domains; i++)
            *out_ours |= slice_eq(x->setup->domains[i].name, to);
        name = examine_text(x, "%.*s._report._dmarc.%.*s", SLICE_FMT(d->name), SLICE_FMT(to));
        if (txt_find(x, name, SLICE("v=DMARC1"), &set) && set.n == 0)
            examine_found(x, FINDING_DMARC_PERMISSION,
                          examine_text(x, "%.*s to %.*s", SLICE_FMT(d->name), SLICE_FMT(to)),
                          examine_text(x, "%.*s. 3600 IN TXT \"v=DMARC1\"", SLICE_FMT(name)),
                          examine_quote(x, uri),
                          "Reports on %.*s go to %.*s, which does not say that it wants them.",
                          SLICE_FMT(d->name), SLICE_FMT(to));
    }
}

static void dmarc_record(struct examine *x, const struct setup_domain *d, slice text, slice mend)
{
    struct tag_list tags;
    const slice *p, *rua, *v = NULL;
    slice want = d->in.dmarc.n ? d->in.dmarc : SLICE("none");
    bool ours = false;
    if (tag_list_parse(text, &tags) == OK)
        v = tag_list_find(&tags, SLICE("v"));
    p = v ? tag_list_find(&tags, SLICE("p")) : NULL;
    if (!v || !slice_eq(*v, SLICE("DMARC1")) || (p && dmarc_strength(*p) < 0)) {
        examine_found(x, FINDING_DMARC_SYNTAX, d->name, mend, examine_quote(x, text),
                      "The DMARC record of %.*s is written wrongly%s.", SLICE_FMT(d->name),
                      p && dmarc_strength(*p) < 0 ? ": p= is none of none, quarantine, reject" : "");
        return;
    }
    /* without p= the policy is none, RFC 9989 §4.7 */
    if ((p ? dmarc_strength(*p) : 0) < dmarc_strength(want))
        examine_found(x, FINDING_DMARC_WEAKER, d->name, mend, examine_quote(x, text),
                      "The DMARC policy of %.*s is %.*s in the DNS; %.*s was set.", SLICE_FMT(d->name),
                      SLICE_FMT(p ? *p : SLICE("none")), SLICE_FMT(want));
    rua = tag_list_find(&tags, SLICE("rua"));
    if (rua)
        dmarc_permissions(x, d, *rua, &ours);
    if (!ours)
        examine_found(x, FINDING_DMARC_NO_REPORTS, d->name, mend, examine_quote(x, text),
                      "Reports on mail in the name of %.*s do not come to this server.", SLICE_FMT(d->name));
}

/* The record of a domain above that counts for one without its own (RFC 9989 §4.10): the nearest; both empty:
 * there is none. False: it is not known. */
static bool dmarc_inherited(struct examine *x, const struct setup_domain *d, slice *out_domain,
                            slice *out_text)
{
    slice above = slice_from(d->name, slice_index(d->name, '.') + 1);
    struct txt_set set;
    *out_domain = *out_text = (slice){0};
    for (unsigned steps = 0; slice_has(above, '.') && steps < DMARC_STEPS; steps++) {
        if (!txt_find(x, examine_name(x, "_dmarc", above), SLICE("v=DMARC1"), &set))
            return false;
        if (set.n == 1) {
            *out_domain = above;
            *out_text = set.text[0];
            return true;
        }
        above = slice_from(above, slice_index(above, '.') + 1);
    }
    return true;
}

/* There is no record of its own. */
static void dmarc_none(struct examine *x, const struct setup_domain *d, slice mend)
{
    slice above, text, want = d->in.dmarc.n ? d->in.dmarc : SLICE("none");
    struct tag_list tags;
    const slice *p;
    if (!dmarc_inherited(x, d, &above, &text))
        return;
    if (!above.n) {
        examine_found(x, FINDING_DMARC_MISSING, d->name, mend, (slice){0}, "%.*s has no DMARC record.",
                      SLICE_FMT(d->name));
        return;
    }
    if (tag_list_parse(text, &tags))
        return; /* whoever keeps that domain has to mend it */
    p = tag_list_find(&tags, SLICE("sp"));
    if (!p)
        p = tag_list_find(&tags, SLICE("p"));
    if ((p ? dmarc_strength(*p) : 0) < dmarc_strength(want))
        examine_found(x, FINDING_DMARC_WEAKER, d->name, mend, examine_quote(x, text),
                      "The DMARC policy of %.*s is %.*s, by the record of %.*s; %.*s was set.",
                      SLICE_FMT(d->name), SLICE_FMT(p ? slice_sub(*p, 0, 32) : SLICE("none")),
                      SLICE_FMT(above), SLICE_FMT(want));
}

void examine_dmarc(struct examine *x, const struct setup_domain *d)
{
    slice name = examine_name(x, "_dmarc", d->name), mend = plan_mend(x, d, DNS_PLAN_DMARC);
    const struct dns_plan_record *r = examine_plan(d, DNS_PLAN_DMARC, NULL);
    struct txt_set set, all;
    if (r && r->type == DNS_CNAME)
        cname_record(x, r);
    if (!txt_find(x, name, SLICE("v=DMARC1"), &set) || !txt_find(x, name, (slice){0}, &all))
        return;
    if (set.n == 0 && all.n) /* meant as one, and none to those who read it */
        examine_found(x, FINDING_DMARC_SYNTAX, d->name, mend, txt_lines(x, &all),
                      "The record at %.*s does not begin with v=DMARC1, so it counts for nothing.",
                      SLICE_FMT(name));
    else if (set.n == 0)
        dmarc_none(x, d, mend);
    else if (set.n > 1)
        examine_found(x, FINDING_DMARC_TWO, d->name, examine_alone(x, mend), txt_lines(x, &set),
                      "%.*s has %zu DMARC records.", SLICE_FMT(d->name), set.n);
    else
        dmarc_record(x, d, set.text[0], mend);
}

/* ---- TLS-RPT, RFC 8460 §3 */

void examine_tlsrpt(struct examine *x, const struct setup_domain *d)
{
    const struct dns_plan_record *r = NULL;
    while ((r = examine_plan(d, DNS_PLAN_TLS_RPT, r))) {
        slice name = dns_name_view(&r->name), mend = examine_record(x, r);
        struct txt_set set;
        if (r->type == DNS_CNAME) {
            cname_record(x, r);
            continue;
        }
        if (!txt_find(x, name, SLICE("v=TLSRPTv1"), &set))
            continue;
        if (set.n == 0)
            examine_found(x, FINDING_TLSRPT_MISSING, name, mend, (slice){0}, "%.*s has no TLS-RPT record.",
                          SLICE_FMT(d->name));
        else if (set.n > 1 || !slice_eq(dkim_squeezed(x, set.text[0], false),
                                        dkim_squeezed(x, examine_txt(x, r->rdata), false)))
            examine_found(x, FINDING_TLSRPT_DIFFERENT, name, mend, txt_lines(x, &set),
                          "The TLS-RPT record of %.*s is not the one that sends reports here.",
                          SLICE_FMT(d->name));
    }
}
