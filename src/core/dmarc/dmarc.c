#include "core/dmarc/dmarc.h"
#include "core/dmarc/dmarc__.h"

/* Is the name that SPF or DKIM speaks for aligned with the author's? */
enum dmarc_aligned { DMARC_ALIGNED_NO, DMARC_ALIGNED_YES, DMARC_ALIGNED_UNKNOWN, DMARC_ALIGNED_WAIT };

/* One author domain against everything that was found; what all its functions need. */
struct dmarc_case {
    slice author;
    const struct spf_result *spf;
    const struct dkim_result *dkim;
    size_t n_dkim;
    struct dns_table *dns;
    struct arena *a;
    struct dmarc_walk walk;
    const struct dmarc_step *policy;
    bool wait, no_memory;
    slice known; /* the name that was walked last, and what came out */
    enum dmarc_aligned known_aligned;
    bool passed;    /* something aligned passed */
    bool undecided; /* an answer is missing that could have made a pass */
    bool unfound;   /* the one on whether the author's domain exists is, and np= differs from sp= */
};

/* Only what passed, or could have, matters. */
static bool dmarc_speaks(enum auth_result r, slice domain)
{
    return (r == AUTH_PASS || r == AUTH_TEMPERROR) && domain.n > 0;
}

/* With the author's organizational domain unknown: could other be in it? Only below a name that has a record
 * or gave no answer. */
static bool dmarc_could_align(const struct dmarc_walk *w, slice other)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].found != DMARC_FOUND_NOTHING && dmarc_below(other, w->at[i].domain))
            return true;
    return false;
}

/* The same organizational domain, by a walk of its own. */
static enum dmarc_aligned dmarc_align_walk(struct dmarc_case *c, slice other)
{
    struct dmarc_walk walk;
    switch (dmarc_walk_beside(other, &c->walk, c->dns, c->a, &walk)) {
    case AUTH_DONE:
        break;
    case AUTH_WAIT:
        return DMARC_ALIGNED_WAIT;
    default:
        c->no_memory = true;
        return DMARC_ALIGNED_WAIT;
    }
    if (walk.failed)
        return DMARC_ALIGNED_UNKNOWN;
    return slice_eq(walk.organizational, c->walk.organizational) ? DMARC_ALIGNED_YES : DMARC_ALIGNED_NO;
}

/* RFC 9989 §4.4, §4.10.2. An organizational domain is the name itself or above it, so a name that is not
 * below the author's cannot be aligned. The organizational domain itself is its own: whatever led to it from
 * the author leads to it from there too. What lies elsewhere below it may have a psd= of its own and is
 * walked. */
static enum dmarc_aligned dmarc_align(struct dmarc_case *c, slice other, bool strict)
{
    struct dns_name checked;
    if (slice_eq(other, c->author))
        return DMARC_ALIGNED_YES;
    if (strict || dns_name_parse(other, &checked))
        return DMARC_ALIGNED_NO;
    if (c->walk.failed)
        return dmarc_could_align(&c->walk, other) ? DMARC_ALIGNED_UNKNOWN : DMARC_ALIGNED_NO;
    if (slice_eq(other, c->walk.organizational))
        return DMARC_ALIGNED_YES;
    if (!dmarc_below(other, c->walk.organizational))
        return DMARC_ALIGNED_NO;
    if (!slice_eq(other, c->known)) {
        c->known_aligned = dmarc_align_walk(c, other);
        c->known = other;
    }
    return c->known_aligned;
}

/* Weighs one thing that SPF or DKIM said. True when it passed and is aligned. */
static bool dmarc_weigh(struct dmarc_case *c, enum auth_result r, slice domain, bool strict)
{
    enum dmarc_aligned aligned;
    if (!dmarc_speaks(r, domain))
        return false;
    aligned = dmarc_align(c, domain, strict);
    c->wait = c->wait || aligned == DMARC_ALIGNED_WAIT;
    if (aligned == DMARC_ALIGNED_UNKNOWN || (aligned == DMARC_ALIGNED_YES && r == AUTH_TEMPERROR))
        c->undecided = true;
    return aligned == DMARC_ALIGNED_YES && r == AUTH_PASS;
}

static void dmarc_weigh_all(struct dmarc_case *c, struct dmarc_result *r)
{
    const struct dmarc_record *record = &c->policy->record;
    r->spf_aligned = dmarc_weigh(c, c->spf->result, c->spf->domain, record->spf_strict);
    for (size_t i = 0; i < c->n_dkim; i++)
        if (dmarc_weigh(c, c->dkim[i].result, c->dkim[i].domain, record->dkim_strict))
            r->dkim_aligned = true;
    c->passed = r->spf_aligned || r->dkim_aligned;
}

/* Does the author's domain exist (RFC 9989 §3.2.13)? Asked only where np= differs from what else would apply.
 */
static bool dmarc_exists(struct dmarc_case *c)
{
    const struct dns_answer *answer;
    if (c->walk.at[0].exists)
        return true;
    answer = dns_table_get(c->dns, c->author, DNS_A);
    if (!answer)
        c->wait = true;
    else
        c->unfound = dns_answer_failed(answer);
    return !answer || answer->status != DNS_ANSWER_NXDOMAIN;
}

/* RFC 9989 §4.10.1: p for the domain itself, sp for those below it, np for those that do not exist. */
static void dmarc_published(struct dmarc_case *c, struct dmarc_result *r)
{
    const struct dmarc_record *record = &c->policy->record;
    if (slice_eq(c->policy->domain, c->author)) {
        r->published = record->p;
        r->policy_tag = 'p';
    } else if (record->has_np && record->np != record->sp && !dmarc_exists(c)) {
        r->published = record->np;
        r->policy_tag = 'n';
    } else {
        r->published = record->sp;
        r->policy_tag = record->has_sp ? 's' : 'p';
    }
    if (c->unfound && record->np > record->sp) {
        r->published = record->np;
        r->policy_tag = 'n';
    }
}

/* The record as it may be shown. */
static bool dmarc_shown(slice text, struct arena *a, slice *out)
{
    uint8_t *copy = arena_alloc(a, text.n);
    if (!copy)
        return false;
    for (size_t i = 0; i < text.n; i++)
        copy[i] = text.p[i] >= 0x20 && text.p[i] <= 0x7e ? text.p[i] : '?';
    *out = slice_of(copy, text.n);
    return true;
}

static bool dmarc_of_record(struct dmarc_case *c, struct dmarc_result *r)
{
    const struct dmarc_record *record = &c->policy->record;
    r->policy_domain = c->policy->domain;
    r->testing = record->testing;
    r->spf_strict = record->spf_strict;
    r->dkim_strict = record->dkim_strict;
    r->rua = record->rua;
    r->ruf = record->ruf;
    r->fo = record->fo;
    r->p = record->p;
    r->sp = record->sp;
    r->np = record->np;
    return dmarc_shown(c->policy->text, c->a, &r->record);
}

/* RFC 9989 §4.10.1: the author's own record, else that of its organizational domain, else that of the public
 * suffix domain. NULL when there is none, or when what was not answered may have been it. */
static const struct dmarc_step *dmarc_policy_step(const struct dmarc_walk *w, slice author)
{
    const struct dmarc_step *s = dmarc_walk_at(w, author);
    if (s || w->at[0].found == DMARC_FOUND_FAILED || w->failed)
        return s;
    s = dmarc_walk_at(w, w->organizational);
    return s ? s : w->psd;
}

/* Notes the walks that will most likely be needed, while that of the author is under way: of names that share
 * its last two labels. */
static void dmarc_foresee(const struct dmarc_case *c, slice domain, enum auth_result r)
{
    slice names[DMARC_WALK_MAX];
    struct dns_name checked;
    size_t n = dmarc_walk_names(c->author, names);
    if (dmarc_speaks(r, domain) && n >= 2 && dmarc_below(domain, names[n - 2]) &&
        !dns_name_parse(domain, &checked))
        dmarc_walk_want(domain, c->dns);
}

/* Fails with the policy's wish, t= applied: one step less (RFC 9989 §4.7). */
static void dmarc_failed(struct dmarc_result *r)
{
    r->result = AUTH_FAIL;
    r->asked = r->published;
    if (r->testing && r->asked > DMARC_POLICY_NONE)
        r->asked--;
}

static enum auth_step dmarc_decide(struct dmarc_case *c, struct dmarc_result *r)
{
    if (!dmarc_of_record(c, r))
        return AUTH_NO_MEMORY;
    dmarc_published(c, r);
    dmarc_weigh_all(c, r);
    if (c->no_memory)
        return AUTH_NO_MEMORY;
    if (c->wait)
        return AUTH_WAIT;
    if (c->passed)
        r->result = AUTH_PASS;
    else if (c->undecided || c->unfound)
        r->result = AUTH_TEMPERROR;
    else
        dmarc_failed(r);
    if (r->result == AUTH_TEMPERROR && !c->undecided)
        return dmarc_reason_unfound(r, c->a) ? AUTH_DONE : AUTH_NO_MEMORY;
    return dmarc_reason(r, c->spf, c->dkim, c->n_dkim, c->a) ? AUTH_DONE : AUTH_NO_MEMORY;
}

/* Does anything that passed speak for the author, as far as the answers go that are there? above: the record
 * of the organizational domain as those answers have it, or NULL. */
static bool dmarc_seems_proven(const struct dmarc_case *c, const struct dmarc_step *above, slice domain,
                               bool strict)
{
    struct dns_name checked;
    if (slice_eq(domain, c->author))
        return true;
    return above && !strict && !dns_name_parse(domain, &checked) &&
           dmarc_below(domain, c->walk.organizational);
}

/* The policy could not be had: is it better to wait? */
static bool dmarc_try_again(const struct dmarc_case *c)
{
    const struct dmarc_walk *w = &c->walk;
    const struct dmarc_step *above = dmarc_walk_at(w, w->organizational);
    if (!above)
        above = w->psd;
    if (above && !above->record.usable)
        above = NULL;
    if (c->spf->result == AUTH_PASS &&
        dmarc_seems_proven(c, above, c->spf->domain, above && above->record.spf_strict))
        return false;
    for (size_t i = 0; i < c->n_dkim; i++)
        if (c->dkim[i].result == AUTH_PASS &&
            dmarc_seems_proven(c, above, c->dkim[i].domain, above && above->record.dkim_strict))
            return false;
    if (above) {
        unsigned asks = above->record.sp > above->record.np ? above->record.sp : above->record.np;
        return asks > (above->record.testing ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE);
    }
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].found == DMARC_FOUND_FAILED && slice_has(w->at[i].domain, '.'))
            return true;
    return false; /* many a top-level name fails always */
}

static bool dmarc_silent(const struct dmarc_walk *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].found != DMARC_FOUND_FAILED)
            return false;
    return true;
}

static enum auth_step dmarc_author(struct dmarc_case *c, struct dmarc_result *out)
{
    struct dmarc_result r = {.author = c->author};
    enum auth_step step = dmarc_walk(c->author, c->dns, c->a, &c->walk);
    if (step == AUTH_WAIT) {
        dmarc_foresee(c, c->spf->domain, c->spf->result);
        for (size_t i = 0; i < c->n_dkim; i++)
            dmarc_foresee(c, c->dkim[i].domain, c->dkim[i].result);
    }
    if (step != AUTH_DONE)
        return step;
    c->policy = dmarc_policy_step(&c->walk, c->author);
    if (!c->walk.failed)
        r.organizational_domain = c->walk.organizational;
    if (c->policy && c->policy->record.usable) {
        step = dmarc_decide(c, &r);
    } else {
        r.result = !c->policy && c->walk.failed ? AUTH_TEMPERROR : AUTH_NONE;
        r.try_again = r.result == AUTH_TEMPERROR && dmarc_try_again(c);
        r.silent = dmarc_silent(&c->walk);
        if (!dmarc_reason_without(&r, &c->walk, c->policy, c->a))
            step = AUTH_NO_MEMORY;
    }
    if (step == AUTH_DONE)
        *out = r;
    return step;
}

/* The higher the worse. */
static unsigned dmarc_badness(const struct dmarc_result *r)
{
    switch (r->result) {
    case AUTH_FAIL:
        return r->asked == DMARC_POLICY_REJECT ? 7 : r->asked == DMARC_POLICY_QUARANTINE ? 6 : 2;
    case AUTH_TEMPERROR: /* the one that is waited for before the one that is not */
        return r->try_again || r->published > DMARC_POLICY_NONE ? 5 : 4;
    case AUTH_PERMERROR:
        return 3;
    case AUTH_PASS:
        return 0;
    default:
        return 1;
    }
}

static void dmarc_worse(const struct dmarc_result *r, bool *any, struct dmarc_result *worst)
{
    if (!*any || dmarc_badness(r) > dmarc_badness(worst))
        *worst = *r;
    *any = true;
}

static const struct dmarc_result dmarc_no_author = {.result = AUTH_PERMERROR,
                                                    .reason = SLICE_INIT("From names no address")};
static const struct dmarc_result dmarc_too_many = {
    .result = AUTH_PERMERROR, .reason = SLICE_INIT("From names addresses in more domains than we look at")};
static const struct dmarc_result dmarc_no_domain = {
    .result = AUTH_PERMERROR, .reason = SLICE_INIT("an address in From has no domain name behind its \"@\"")};

/* The different domains among the authors, each a name; how many there are is cut at one above the limit.
 * *out_odd: one of them is no name. */
static bool dmarc_domains(const slice *authors, size_t n_authors, struct arena *a,
                          slice out[DMARC_AUTHORS_MAX + 1], size_t *out_n, bool *out_odd)
{
    size_t n = 0;
    *out_odd = false;
    for (size_t i = 0; i < n_authors && n <= DMARC_AUTHORS_MAX; i++) {
        struct dns_name name;
        bool known = false;
        if (dns_name_parse(authors[i], &name) || name.n == 0) {
            *out_odd = true;
            continue;
        }
        for (size_t k = 0; k < n; k++)
            known = known || slice_eq(out[k], dns_name_view(&name));
        if (!known && !arena_dup(a, dns_name_view(&name), &out[n++]))
            return false;
    }
    *out_n = n;
    return true;
}

enum auth_step dmarc_check(const slice *authors, size_t n_authors, const struct spf_result *spf,
                           const struct dkim_result *dkim, size_t n_dkim, struct dns_table *dns,
                           struct arena *a, struct dmarc_result *out)
{
    slice domains[DMARC_AUTHORS_MAX + 1];
    size_t n;
    bool odd, any = false, wait = false;
    struct dmarc_result worst = {0};
    if (!dmarc_domains(authors, n_authors, a, domains, &n, &odd))
        return AUTH_NO_MEMORY;
    if (n_authors == 0)
        dmarc_worse(&dmarc_no_author, &any, &worst);
    if (odd)
        dmarc_worse(&dmarc_no_domain, &any, &worst);
    if (n > DMARC_AUTHORS_MAX)
        dmarc_worse(&dmarc_too_many, &any, &worst);
    for (size_t i = 0; i < size_min(n, DMARC_AUTHORS_MAX); i++) {
        struct dmarc_case c = {
            .author = domains[i], .spf = spf, .dkim = dkim, .n_dkim = n_dkim, .dns = dns, .a = a};
        struct dmarc_result r;
        enum auth_step step = dmarc_author(&c, &r);
        if (step == AUTH_NO_MEMORY)
            return step;
        if (step == AUTH_WAIT)
            wait = true;
        else
            dmarc_worse(&r, &any, &worst);
    }
    if (wait)
        return AUTH_WAIT;
    *out = worst;
    return AUTH_DONE;
}

void dmarc_want(const slice *authors, size_t n_authors, struct dns_table *dns)
{
    for (size_t i = 0; i < size_min(n_authors, DMARC_AUTHORS_MAX); i++) {
        struct dns_name name;
        if (!dns_name_parse(authors[i], &name) && name.n)
            dmarc_walk_want(dns_name_view(&name), dns);
    }
}
