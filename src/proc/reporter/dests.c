#include "proc/reporter/dests.h"

#include "ipc/x_resolver.h"

#define DNS_MS (15 * MS_SECOND)

static void dests_step(struct dests *d);

void dests_forget(struct dests *d)
{
    for (size_t i = 0; i < d->n_asks; i++)
        role_forget(d->role, &d->asks[i]);
    d->n_asks = d->open = 0;
}

static void dests_put(struct dests *d, size_t question, enum err e, const struct resolved *m)
{
    slice rdata[DNS_TABLE_RRS_MAX];
    struct dns_answer answer = {.status = x_resolver_status(e), .rdata = rdata};
    for (size_t i = 0; e == OK && i < m->n_rrs && i < ARRAY_LEN(rdata); i++)
        rdata[answer.n++] = m->rrs[i].rdata;
    dns_table_put(&d->dns, question, &answer);
}

static void dests_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    const struct dests_ask *ask = arg;
    struct dests *d = ask->dests;
    const struct resolved *m = message;
    (void)fds, (void)n_fds; /* none */
    dests_put(d, ask->question, e ? e : err_from_wire(m->err), m);
    if (--d->open == 0)
        dests_step(d);
}

static void dests_send(struct dests *d)
{
    struct resolve m = {0};
    size_t question;
    d->open = 1; /* ours */
    while (dns_table_next(&d->dns, &question, &m.name, &m.type)) {
        struct dests_ask *ask = &d->asks[d->n_asks];
        enum err e = ERR_LIMIT;
        if (d->n_asks < DESTS_QUESTIONS) {
            *ask = (struct dests_ask){d, question};
            e = role_call(d->role, ROLE_RESOLVER, X_RESOLVER_RESOLVE, &m, NULL, 0, DNS_MS, dests_answered,
                          ask);
        }
        if (e) {
            dests_put(d, question, ERR_DNS, NULL);
            continue;
        }
        d->n_asks++;
        d->open++;
    }
    if (--d->open == 0)
        dests_step(d);
}

static void dests_add(struct dests *d, const struct dmarc_uri *uri)
{
    for (size_t i = 0; i < d->n_to; i++)
        if (slice_eq(d->to[i], uri->mailbox))
            return;
    if (d->n_to == DESTS_MAX || slice_eq_nocase(uri->domain, d->own))
        return;
    d->size_max[d->n_to] = uri->size_max;
    d->to[d->n_to++] = uri->mailbox;
}

/* The destination's own record may name another mailbox (RFC 9990 §4 step 6). */
static bool dests_take(struct dests *d, const struct dmarc_uri *uri, const struct dmarc_uri_permit *p)
{
    slice other = d->failure ? p->ruf : p->rua;
    struct dmarc_uri *list = NULL;
    size_t n = 0;
    if (p->result == AUTH_TEMPERROR)
        d->temporary = true;
    if (p->result != AUTH_PASS) {
        d->refused = uri->mailbox;
        d->why = p->reason;
        return true;
    }
    if (other.n == 0) {
        dests_add(d, uri);
        return true;
    }
    if (!dmarc_uri_list(other, d->arena, &list, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        dests_add(d, &list[i]);
    return true;
}

static void dests_step(struct dests *d)
{
    bool wait = false, fine = true;
    d->n_to = 0;
    d->temporary = false;
    d->refused = d->why = (slice){0};
    for (size_t i = 0; i < d->n_uris && fine; i++) {
        struct dmarc_uri_permit p;
        enum auth_step s = dmarc_uri_allowed(d->policy_domain, d->uris[i].domain, &d->dns, d->arena, &p);
        wait |= s == AUTH_WAIT;
        fine = s != AUTH_NO_MEMORY && (s != AUTH_DONE || dests_take(d, &d->uris[i], &p));
    }
    if (fine && wait) {
        dests_send(d);
        return;
    }
    if (!fine)
        d->n_to = 0; /* a record that wants more than we give: nobody gets it */
    d->n_asks = 0;
    d->done(d->arg);
}

void dests_find(struct dests *d, slice list, struct arena *a)
{
    d->arena = a;
    d->n_asks = d->open = 0;
    if (!dmarc_uri_list(list, a, &d->uris, &d->n_uris) || !dns_table_init(&d->dns, a, DESTS_QUESTIONS))
        d->n_uris = 0;
    dests_step(d);
}
