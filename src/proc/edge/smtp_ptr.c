#include "proc/edge/smtp_ptr.h"

#include "ipc/x_resolver.h"

#define PTR_MS    (10 * MS_SECOND)
#define TYPE_A    1
#define TYPE_PTR  12
#define TYPE_AAAA 28

static void forward_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct smtp_ptr *p = arg;
    const struct resolved *r = message;
    (void)fds, (void)n_fds; /* none */
    if (e != OK || err_from_wire(r->err) != OK)
        return;
    for (size_t i = 0; i < r->n_rrs && !p->confirmed; i++) {
        slice rdata = r->rrs[i].rdata;
        struct ip ip = {{0}};
        if (rdata.n == 4)
            ip = ip_from_v4(rdata.p);
        else if (rdata.n == sizeof ip.b)
            memcpy(ip.b, rdata.p, sizeof ip.b);
        p->confirmed = !ip_is_none(&ip) && ip_eq(&ip, &p->ip);
    }
}

static void reverse_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct smtp_ptr *p = arg;
    const struct resolved *r = message;
    struct resolve ask = {.type = ip_is_v4(&p->ip) ? TYPE_A : TYPE_AAAA};
    size_t at = 0;
    (void)fds, (void)n_fds; /* none */
    if (e != OK || err_from_wire(r->err) != OK || r->n_rrs == 0)
        return;
    if (dns_name_read(r->rrs[0].rdata, &at, &p->tried) != OK || !dns_name_is_host(&p->tried))
        return;
    ask.name = dns_name_view(&p->tried);
    IGNORE_RESULT(role_call(p->edge->role, ROLE_RESOLVER, X_RESOLVER_RESOLVE, &ask, NULL, 0, PTR_MS,
                            forward_answered, p),
                  "without an answer the name stays unknown");
}

void smtp_ptr_begin(struct smtp_ptr *p, struct edge *e, const struct ip *ip)
{
    struct dns_name name;
    struct resolve ask = {.type = TYPE_PTR};
    *p = (struct smtp_ptr){.edge = e, .ip = *ip};
    if (ip_is_loopback(ip) || ip_is_none(ip))
        return;
    dns_name_reverse(ip, &name);
    ask.name = dns_name_view(&name);
    IGNORE_RESULT(
        role_call(e->role, ROLE_RESOLVER, X_RESOLVER_RESOLVE, &ask, NULL, 0, PTR_MS, reverse_answered, p),
        "without an answer the name stays unknown");
}

slice smtp_ptr_name(const struct smtp_ptr *p)
{
    return p->confirmed ? dns_name_view(&p->tried) : (slice){0};
}

void smtp_ptr_done(struct smtp_ptr *p)
{
    if (p->edge)
        role_forget(p->edge->role, p);
    p->edge = NULL;
}
