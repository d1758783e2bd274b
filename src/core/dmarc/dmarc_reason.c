/* dmarc_reason: why a message passed or failed, in words for the journal and for reports. Every name in them
 * is a domain name that was checked. */
#include "core/dmarc/dmarc__.h"

#define DMARC_REASON_NAMES 3 /* of signers named */

static void dmarc_word_spf(const struct spf_result *spf, struct buf *b)
{
    buf_str(b, "SPF (");
    if (spf->result != AUTH_PASS) {
        buf_append(b, auth_result_word(spf->result));
        buf_str(b, spf->domain.n ? " for " : "");
    }
    buf_append(b, spf->domain);
    buf_str(b, ")");
}

/* The signers whose signatures have this result, each once, at most DMARC_REASON_NAMES. Returns how many were
 * written. */
static size_t dmarc_word_signers(const struct dkim_result *dkim, size_t n, enum auth_result result,
                                 struct buf *b)
{
    slice named[DMARC_REASON_NAMES];
    size_t n_named = 0;
    for (size_t i = 0; i < n && n_named < DMARC_REASON_NAMES; i++) {
        bool known = dkim[i].result != result || dkim[i].domain.n == 0;
        for (size_t k = 0; k < n_named; k++)
            known = known || slice_eq(named[k], dkim[i].domain);
        if (known)
            continue;
        buf_str(b, n_named ? ", " : "");
        buf_append(b, dkim[i].domain);
        named[n_named++] = dkim[i].domain;
    }
    return n_named;
}

static void dmarc_word_dkim(const struct dkim_result *dkim, size_t n, struct buf *b)
{
    buf_str(b, "DKIM (");
    if (n == 0)
        buf_str(b, "no signature");
    else if (dmarc_word_signers(dkim, n, AUTH_PASS, b) == 0)
        buf_str(b, "no valid signature");
    buf_str(b, ")");
}

static void dmarc_word_asks(const struct dmarc_result *r, struct buf *b)
{
    static const char *const asks[] = {"which asks for nothing but reports",
                                       "which asks to treat such mail as suspicious",
                                       "which asks to reject such mail"};
    buf_str(b, ", ");
    buf_str(b, asks[r->published]);
    if (r->testing && r->published != DMARC_POLICY_NONE)
        buf_str(b, r->asked == DMARC_POLICY_NONE ? " but is only testing that"
                                                 : " but is testing, so that it counts as suspicious");
    if (!slice_eq(r->policy_domain, r->author)) {
        buf_str(b, r->policy_tag == 'n' ? " from names that do not exist (" : " (");
        buf_str(b, "its policy is that of ");
        buf_append(b, r->policy_domain);
        buf_str(b, ")");
    }
}

static void dmarc_word_pass(const struct dmarc_result *r, const struct spf_result *spf,
                            const struct dkim_result *dkim, size_t n_dkim, struct buf *b)
{
    if (r->spf_aligned)
        dmarc_word_spf(spf, b);
    if (r->spf_aligned && r->dkim_aligned)
        buf_str(b, " and ");
    if (r->dkim_aligned)
        dmarc_word_dkim(dkim, n_dkim, b);
    buf_str(b, r->spf_aligned && r->dkim_aligned ? " speak for " : " speaks for ");
    buf_append(b, r->author);
}

/* Full at DMARC_REASON_MAX: what fits stays. */
static bool dmarc_reason_done(struct dmarc_result *r, const struct buf *b, struct arena *a)
{
    return arena_dup(a, buf_view(b), &r->reason);
}

bool dmarc_reason(struct dmarc_result *r, const struct spf_result *spf, const struct dkim_result *dkim,
                  size_t n_dkim, struct arena *a)
{
    struct buf CLEANUP(buf_done) b = {0};
    buf_init(&b, DMARC_REASON_MAX + 4 * DNS_NAME_MAX);
    if (r->result == AUTH_PASS) {
        dmarc_word_pass(r, spf, dkim, n_dkim, &b);
    } else if (r->result == AUTH_TEMPERROR) {
        buf_str(&b, "the DNS gave no answer on whether ");
        dmarc_word_spf(spf, &b);
        buf_str(&b, " or ");
        dmarc_word_dkim(dkim, n_dkim, &b);
        buf_str(&b, " speaks for ");
        buf_append(&b, r->author);
    } else {
        buf_str(&b, "neither ");
        dmarc_word_spf(spf, &b);
        buf_str(&b, " nor ");
        dmarc_word_dkim(dkim, n_dkim, &b);
        buf_str(&b, " speaks for ");
        buf_append(&b, r->author);
        dmarc_word_asks(r, &b);
    }
    return dmarc_reason_done(r, &b, a);
}

bool dmarc_reason_unfound(struct dmarc_result *r, struct arena *a)
{
    struct buf CLEANUP(buf_done) b = {0};
    buf_init(&b, DMARC_REASON_MAX + 4 * DNS_NAME_MAX);
    buf_str(&b, "the DNS gave no answer on whether ");
    buf_append(&b, r->author);
    buf_str(&b, " exists, by which the policy of ");
    buf_append(&b, r->policy_domain);
    buf_str(&b, " differs");
    return dmarc_reason_done(r, &b, a);
}

bool dmarc_reason_without(struct dmarc_result *r, const struct dmarc_walk *w, const struct dmarc_step *policy,
                          struct arena *a)
{
    struct buf CLEANUP(buf_done) b = {0};
    const struct dmarc_step *several = NULL;
    buf_init(&b, DMARC_REASON_MAX + 4 * DNS_NAME_MAX);
    for (size_t i = 0; i < w->n && !several; i++)
        several = w->at[i].several ? &w->at[i] : NULL;
    if (r->result == AUTH_TEMPERROR) {
        buf_str(&b, "the DNS gave no answer on the DMARC policy of ");
        buf_append(&b, r->author);
    } else if (policy) {
        buf_str(&b, "the DMARC record of ");
        buf_append(&b, policy->domain);
        buf_str(&b, " has no valid policy and wants no reports, so it says nothing");
    } else if (several) {
        buf_str(&b, "there are several DMARC records for ");
        buf_append(&b, several->domain);
        buf_str(&b, ", so none counts");
    } else {
        buf_append(&b, r->author);
        buf_str(&b, " publishes no DMARC policy");
    }
    return dmarc_reason_done(r, &b, a);
}
