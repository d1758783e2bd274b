#include "core/dmarc/dmarc_walk.h"

#define DMARC_PREFIX "_dmarc."

bool dmarc_below(slice name, slice domain)
{
    if (domain.n == 0 || name.n < domain.n || !slice_eq(slice_from(name, name.n - domain.n), domain))
        return false;
    return name.n == domain.n || name.p[name.n - domain.n - 1] == '.';
}

/* How many labels has a name? At most 127 (RFC 1035 §2.3.4). */
static size_t dmarc_labels(slice name)
{
    size_t n = 1;
    for (size_t i = 0; i < name.n; i++)
        n += name.p[i] == '.';
    return n;
}

/* The last n labels of a name. */
static slice dmarc_last_labels(slice name, size_t n)
{
    size_t at = name.n;
    while (at > 0) {
        if (name.p[at - 1] == '.' && --n == 0)
            break;
        at--;
    }
    return slice_from(name, at);
}

/* RFC 9989 §4.10, steps 1, 4 and 7: the name itself, then its last seven labels, or one less than it has, and
 * one less each time. */
size_t dmarc_walk_names(slice domain, slice out[DMARC_WALK_MAX])
{
    size_t n = 0, left = dmarc_labels(domain) - 1;
    slice rest = domain, label;
    if (domain.n == 0)
        return 0;
    out[n++] = domain;
    for (; left > 0; left--) {
        (void)slice_split(rest, '.', &label, &rest);
        if (left < DMARC_WALK_MAX)
            out[n++] = rest;
    }
    return n;
}

static const struct dns_answer *dmarc_ask(slice domain, struct dns_table *dns)
{
    char name[sizeof DMARC_PREFIX + DNS_NAME_MAX];
    const size_t prefix = sizeof DMARC_PREFIX - 1;
    must(domain.n <= DNS_NAME_MAX);
    memcpy(name, DMARC_PREFIX, prefix);
    memcpy(name + prefix, domain.p, domain.n);
    return dns_table_get(dns, slice_of(name, prefix + domain.n), DNS_TXT);
}

void dmarc_walk_want(slice domain, struct dns_table *dns)
{
    slice names[DMARC_WALK_MAX];
    size_t n = dmarc_walk_names(domain, names);
    for (size_t i = 0; i < n; i++)
        (void)dmarc_ask(names[i], dns); /* noted; whoever walks looks at the answer */
}

/* The strings of a TXT record joined (RFC 9989 §4.5). One string, the common case, is viewed where it lies.
 */
static bool dmarc_joined(slice rdata, struct arena *a, slice *out)
{
    struct buf CLEANUP(buf_done) text = {0};
    if (rdata.n > 0 && rdata.p[0] == rdata.n - 1) {
        *out = slice_from(rdata, 1);
        return true;
    }
    buf_init(&text, DMARC_RECORD_MAX + 1);
    if (dns_rr_txt(rdata, &text))
        buf_clear(&text); /* malformed, or longer than any record: none */
    return arena_dup(a, buf_view(&text), out);
}

enum auth_step dmarc_answer_record(const struct dns_answer *answer, struct arena *a, struct dmarc_step *out)
{
    struct dmarc_step s = {.domain = out->domain, .exists = answer->status == DNS_ANSWER_OK};
    size_t records = 0;
    if (dns_answer_failed(answer)) {
        s.found = DMARC_FOUND_FAILED;
        *out = s;
        return AUTH_DONE;
    }
    for (size_t i = 0; i < answer->n; i++) {
        struct dmarc_record r;
        slice text;
        if (!dmarc_joined(answer->rdata[i], a, &text))
            return AUTH_NO_MEMORY;
        if (dmarc_record_parse(text, &r))
            continue;
        records++;
        s.record = r;
        s.text = text;
    }
    s.several = records > 1;
    s.found = records == 1 ? DMARC_FOUND_RECORD : DMARC_FOUND_NOTHING;
    *out = s;
    return AUTH_DONE;
}

const struct dmarc_step *dmarc_walk_at(const struct dmarc_walk *w, slice domain)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].found == DMARC_FOUND_RECORD && slice_eq(w->at[i].domain, domain))
            return &w->at[i];
    return NULL;
}

/* RFC 9989 §4.10.2, the choice among the records found, from the longest name to the shortest. */
static void dmarc_organizational(slice domain, struct dmarc_walk *w)
{
    w->organizational = domain;
    for (size_t i = 0; i < w->n; i++) {
        const struct dmarc_step *s = &w->at[i];
        if (s->found != DMARC_FOUND_RECORD)
            continue;
        if (s->record.psd == DMARC_PSD_YES && i > 0) {
            w->organizational = dmarc_last_labels(domain, dmarc_labels(s->domain) + 1);
            w->psd = s;
            return;
        }
        w->organizational = s->domain; /* psd=n ended the walk; else the one with the fewest labels stays */
    }
}

/* Would a failed answer matter? One of a top-level name below which a record was found does not: there is no
 * such name today that is an organizational domain without saying psd=, and many a private or broken zone
 * fails just there. */
static bool dmarc_failure_matters(const struct dmarc_walk *w, const struct dmarc_step *s)
{
    if (s->found != DMARC_FOUND_FAILED)
        return false;
    if (slice_has(s->domain, '.'))
        return true;
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].found == DMARC_FOUND_RECORD)
            return false;
    return true;
}

static const struct dmarc_step *dmarc_known_step(const struct dmarc_walk *known, slice domain)
{
    for (size_t i = 0; known && i < known->n; i++)
        if (slice_eq(known->at[i].domain, domain))
            return &known->at[i];
    return NULL;
}

enum auth_step dmarc_walk_beside(slice domain, const struct dmarc_walk *known, struct dns_table *dns,
                                 struct arena *a, struct dmarc_walk *out)
{
    struct dmarc_walk w;
    const struct dns_answer *answers[DMARC_WALK_MAX];
    const struct dmarc_step *steps[DMARC_WALK_MAX];
    slice names[DMARC_WALK_MAX];
    size_t n = dmarc_walk_names(domain, names);
    w.n = 0;
    w.failed = false;
    w.psd = NULL;
    for (size_t i = 0; i < n; i++) {
        steps[i] = dmarc_known_step(known, names[i]);
        answers[i] = steps[i] ? NULL : dmarc_ask(names[i], dns);
    }
    while (w.n < n) {
        struct dmarc_step *s = &w.at[w.n];
        if (steps[w.n]) {
            *s = *steps[w.n];
        } else if (answers[w.n]) {
            s->domain = names[w.n];
            if (dmarc_answer_record(answers[w.n], a, s) != AUTH_DONE)
                return AUTH_NO_MEMORY;
        } else {
            return AUTH_WAIT;
        }
        w.n++;
        if (s->found == DMARC_FOUND_RECORD && s->record.psd != DMARC_PSD_UNSAID)
            break;
    }
    for (size_t i = 0; i < w.n; i++)
        w.failed = w.failed || dmarc_failure_matters(&w, &w.at[i]);
    *out = w;
    dmarc_organizational(domain, out);
    return AUTH_DONE;
}

enum auth_step dmarc_walk(slice domain, struct dns_table *dns, struct arena *a, struct dmarc_walk *out)
{
    return dmarc_walk_beside(domain, NULL, dns, a, out);
}
