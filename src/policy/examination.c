#include "policy/examination.h"

#include "core/iprev/iprev.h"
#include "core/mail/address.h"
#include "core/mail/fields.h"
#include "core/mail/header.h"
#include "core/mail/mailbox.h"

struct examination {
    struct examination_ask ask;
    struct arena *arena;
    struct dkim_verify *dkim;
    struct arc_verify *arc;
    slice authors[DMARC_AUTHORS_MAX + 1]; /* the last one stands for those that are no domain */
    size_t n_authors;
    slice no_author; /* why not all of them could be looked at, or there is none, in words */
    bool odd_author;
    slice local, domain;
    bool iprev_done, spf_done, dkim_done, arc_done, dmarc_done, body_done;
    bool sends_nothing;
    struct auth_results r;
};

/* ---- the envelope */

/* The reverse-path in its two halves. What is no mailbox is cut at its last "@": SPF says what it thinks of
 * such a domain (RFC 7208 §4.3). */
static bool examination_split(struct examination *x)
{
    struct mailbox m;
    size_t at = slice_rindex(x->ask.reverse_path, '@');
    if (mailbox_parse(x->ask.reverse_path, MAILBOX_UTF8, &m) == OK)
        return arena_dup(x->arena, mailbox_local(&m), &x->local) &&
               arena_dup(x->arena, mailbox_domain(&m), &x->domain);
    if (at < x->ask.reverse_path.n) {
        x->local = slice_sub(x->ask.reverse_path, 0, at);
        x->domain = slice_from(x->ask.reverse_path, at + 1);
    } else {
        x->domain = x->ask.reverse_path;
    }
    return true;
}

/* ---- the authors */

static bool examination_author(struct examination *x, slice domain, bool *out_ok)
{
    struct mailbox m;
    struct dns_name name;
    if (domain.n > 1 && domain.p[domain.n - 1] == '.')
        domain.n--; /* no address has a final dot (RFC 5321 §4.1.2), but its reader would not see it */
    *out_ok = mailbox_make(SLICE("x"), domain, MAILBOX_UTF8, &m) == OK && !m.literal &&
              dns_name_parse(mailbox_domain(&m), &name) == OK && name.n;
    if (!*out_ok)
        return true;
    for (size_t i = 0; i < x->n_authors; i++)
        if (slice_eq(x->authors[i], dns_name_view(&name)))
            return true;
    *out_ok = x->n_authors < DMARC_AUTHORS_MAX;
    return !*out_ok || arena_dup(x->arena, dns_name_view(&name), &x->authors[x->n_authors++]);
}

static bool examination_authors(struct examination *x, const struct mail_limits *limits)
{
    struct fields f;
    struct address_list list;
    size_t addresses = 0;
    fields_read(x->ask.header, limits, &f);
    if (f.count[FIELD_FROM] != 1) {
        x->no_author = f.count[FIELD_FROM] ? SLICE("there is more than one From field")
                                           : SLICE("there is no From field");
        return true;
    }
    if (!address_list_parse(f.value[FIELD_FROM], limits, x->arena, &list))
        return false;
    for (size_t i = 0; i < list.n; i++) {
        bool ok;
        if (list.at[i].kind != ADDRESS_MAILBOX)
            continue;
        addresses++;
        if (!examination_author(x, list.at[i].domain, &ok))
            return false;
        if (ok)
            continue;
        x->no_author = x->n_authors == DMARC_AUTHORS_MAX
                           ? SLICE("the From field has addresses in more domains than we look at")
                           : SLICE("the From field has an address without a usable domain");
        x->odd_author |= list.at[i].domain.n > 0 || x->n_authors > 0 || addresses > 1;
    }
    if (addresses == 0)
        x->no_author = SLICE("the From field has no address");
    if (list.defects & MAIL_DEFECT_ADDRESS_MANY)
        x->odd_author = true;
    if (x->odd_author) {
        if (x->no_author.n == 0)
            x->no_author = SLICE("the From field has more addresses than we look at");
        x->authors[x->n_authors++] =
            SLICE(""); /* the others are judged all the same: the worst result wins */
    }
    return true;
}

/* ---- the message */

struct examination *examination_begin(const struct examination_ask *ask, const struct mail_limits *limits,
                                      struct arena *a)
{
    struct examination *x = ARENA_NEW(a, struct examination);
    char text[IP_TEXT];
    if (!x)
        return NULL;
    *x = (struct examination){.ask = *ask, .arena = a};
    ip_print(&ask->client, text);
    if (!examination_split(x) ||
        !arena_dup(a, ip_is_none(&ask->client) ? (slice){0} : slice_str(text), &x->r.client))
        return NULL;
    x->r.helo = ask->helo;
    x->r.reverse_path = ask->reverse_path;
    x->spf_done = ip_is_none(&ask->client);
    x->iprev_done =
        x->spf_done || ip_is_loopback(&ask->client); /* this machine has no name that says anything */
    if (ask->header.n == 0) {
        x->iprev_done = x->dkim_done = x->arc_done = x->dmarc_done = x->body_done = true;
        return x;
    }
    x->dkim = dkim_verify_begin(ask->header, a);
    x->arc = arc_verify_begin(ask->header, a);
    if (x->dkim && x->arc)
        arc_verify_share(x->arc, x->dkim); /* one pass over the body for both */
    return x->dkim && x->arc && examination_authors(x, limits) ? x : NULL;
}

void examination_body(struct examination *x, slice piece)
{
    must(!x->body_done);
    dkim_verify_body(x->dkim, piece);
    arc_verify_body(x->arc, piece);
}

void examination_body_end(struct examination *x)
{
    if (x->body_done)
        return;
    dkim_verify_body_end(x->dkim);
    arc_verify_body_end(x->arc);
    x->body_done = true;
}

/* ---- the checks. Each returns what its evaluator does; what is done is not run again. */

static enum auth_step examination_iprev(struct examination *x, struct dns_table *dns)
{
    if (x->iprev_done)
        return AUTH_DONE;
    enum auth_step s = iprev_check(&x->ask.client, dns, x->arena, &x->r.iprev);
    x->iprev_done = s == AUTH_DONE;
    return s;
}

/* RFC 7208 §10.1.2: the record of a domain that sends no mail. */
static bool examination_null_policy(const struct examination *x, struct dns_table *dns)
{
    const struct dns_answer *a =
        x->r.spf.result == AUTH_FAIL ? dns_table_get(dns, x->r.spf.domain, DNS_TXT) : NULL;
    struct buf text CLEANUP(buf_done) = {.max = 256};
    for (size_t i = 0; a && i < a->n; i++) {
        buf_clear(&text);
        if (dns_rr_txt(a->rdata[i], &text) == OK &&
            slice_eq_nocase(slice_trim(buf_view(&text)), SLICE("v=spf1 -all")))
            return true;
    }
    return false;
}

/* The client's name is wanted for %{p} only. While it is not known SPF runs without it, so that its first
 * questions go out together with those of iprev; that answer is not kept. */
static enum auth_step examination_spf(struct examination *x, struct dns_table *dns)
{
    const struct spf_ask ask = {.client = x->ask.client,
                                .helo = x->ask.helo,
                                .local = x->local,
                                .domain = x->domain,
                                .receiver = x->ask.hostname,
                                .client_name = x->r.iprev.result == AUTH_PASS ? x->r.iprev.name : (slice){0},
                                .now = x->ask.now,
                                .explain = true};
    struct spf_result r;
    enum auth_step s;
    if (x->spf_done)
        return AUTH_DONE;
    s = spf_check(&ask, dns, x->arena, &r);
    if (s != AUTH_DONE || !x->iprev_done)
        return s == AUTH_NO_MEMORY ? s : AUTH_WAIT;
    x->r.spf = r;
    x->spf_done = true;
    x->sends_nothing = examination_null_policy(x, dns);
    return AUTH_DONE;
}

static enum auth_step examination_dkim(struct examination *x, struct dns_table *dns,
                                       struct dkim_keys_cache *cache)
{
    enum auth_step s = AUTH_DONE;
    if (x->dkim_done)
        return s;
    s = dkim_verify_finish(x->dkim, dns, x->ask.now, cache, &x->r.dkim, &x->r.n_dkim);
    x->dkim_done = s == AUTH_DONE;
    return s;
}

static enum auth_step examination_arc(struct examination *x, struct dns_table *dns,
                                      struct dkim_keys_cache *cache)
{
    enum auth_step s = AUTH_DONE;
    if (x->arc_done)
        return s;
    s = arc_verify_finish(x->arc, dns, x->ask.now, cache, &x->r.arc);
    x->arc_done = s == AUTH_DONE;
    return s;
}

static enum auth_step examination_dmarc(struct examination *x, struct dns_table *dns)
{
    enum auth_step s;
    if (x->dmarc_done)
        return AUTH_DONE;
    if (!x->spf_done || !x->dkim_done) {
        dmarc_want(x->authors, x->n_authors, dns);
        return AUTH_WAIT;
    }
    s = dmarc_check(x->authors, x->n_authors, &x->r.spf, x->r.dkim, x->r.n_dkim, dns, x->arena, &x->r.dmarc);
    x->dmarc_done = s == AUTH_DONE;
    if (x->dmarc_done && x->r.dmarc.result == AUTH_PERMERROR && x->no_author.n)
        x->r.dmarc.reason = x->no_author;
    return s;
}

void examination_want(struct examination *x, struct dns_table *dns)
{
    IGNORE_RESULT(examination_iprev(x, dns), "examination_step() asks again");
    IGNORE_RESULT(examination_spf(x, dns), "as above");
    if (x->dkim)
        dkim_verify_want(x->dkim, dns);
    if (x->arc)
        arc_verify_want(x->arc, dns);
    dmarc_want(x->authors, x->n_authors, dns);
}

enum auth_step examination_step(struct examination *x, struct dns_table *dns, struct dkim_keys_cache *cache)
{
    must(x->body_done);
    enum auth_step steps[5];
    steps[0] = examination_iprev(x, dns);
    steps[1] = examination_spf(x, dns);
    steps[2] = examination_dkim(x, dns, cache);
    steps[3] = examination_arc(x, dns, cache);
    steps[4] = examination_dmarc(x, dns);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (steps[i] == AUTH_NO_MEMORY)
            return AUTH_NO_MEMORY;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (steps[i] == AUTH_WAIT)
            return AUTH_WAIT;
    return AUTH_DONE;
}

const struct auth_results *examination_results(const struct examination *x)
{
    must(x->spf_done && x->dmarc_done);
    return &x->r;
}

bool examination_sends_nothing(const struct examination *x)
{
    return x->sends_nothing;
}

bool examination_odd_author(const struct examination *x)
{
    return x->odd_author;
}

bool examination_of_list(const struct examination *x)
{
    struct header_field f;
    return header_find(x->ask.header, SLICE("List-Id"), &f);
}
