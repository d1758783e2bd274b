#include "core/dns/dns_mx.h"

/* splitmix64: spreads the caller's number; quality enough to share load. */
static uint64_t dns_mx_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Puts mx where it belongs; the worst falls out when the list is full. A new equal goes to a place among the
 * `equals` that are there drawn evenly, so the order among equals is even too. */
static void dns_mx_insert(struct dns_mx_list *list, const struct dns_mx *mx, uint64_t *random)
{
    size_t first = 0, after, at;
    while (first < list->n && list->hosts[first].preference < mx->preference)
        first++;
    for (after = first; after < list->n && list->hosts[after].preference == mx->preference;)
        after++;
    at = first + (size_t)(dns_mx_random(random) % (after - first + 1));
    if (at == DNS_MX_MAX)
        return;
    if (list->n < DNS_MX_MAX)
        list->n++;
    memmove(&list->hosts[at + 1], &list->hosts[at], (list->n - at - 1) * sizeof list->hosts[0]);
    list->hosts[at] = *mx;
}

static bool dns_mx_known(const struct dns_mx_list *list, const struct dns_name *host)
{
    for (size_t i = 0; i < list->n; i++)
        if (dns_name_eq(&list->hosts[i].host, host))
            return true;
    return false;
}

enum err dns_mx_list(const slice *rdata, size_t count, const struct dns_name *domain, uint64_t random,
                     struct dns_mx_list *out)
{
    struct dns_mx_list list = {.n = 0};
    struct dns_mx mx;
    if (count == 0) {
        list.implicit = true;
        list.hosts[list.n++] = (struct dns_mx){.preference = 0, .host = *domain};
    } else if (count == 1 && dns_rr_mx(rdata[0], &mx) == OK && mx.host.n == 0) {
        list.null_mx = true;
    } else {
        for (size_t i = 0; i < count; i++)
            if (dns_rr_mx(rdata[i], &mx) == OK && dns_name_is_host(&mx.host) &&
                !dns_mx_known(&list, &mx.host))
                dns_mx_insert(&list, &mx, &random);
        if (list.n == 0)
            return ERR_SYNTAX;
    }
    *out = list;
    return OK;
}

enum err dns_mx_trim(struct dns_mx_list *list, slice self)
{
    size_t keep = 0;
    for (size_t i = 0; i < list->n; i++)
        if (slice_eq_nocase(dns_name_view(&list->hosts[i].host), self)) {
            while (keep < list->n && list->hosts[keep].preference < list->hosts[i].preference)
                keep++;
            list->n = keep;
            return keep ? OK : ERR_LOOP;
        }
    return OK;
}
