#include "core/iprev/iprev.h"

#include <stdarg.h>
#include <stdio.h>

/* The names of the PTR answer that we use, at most IPREV_NAMES_MAX. */
static size_t iprev_names(const struct dns_answer *ptr, struct dns_name names[IPREV_NAMES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < ptr->n && n < IPREV_NAMES_MAX; i++)
        if (dns_rr_name(ptr->rdata[i], &names[n]) == OK && dns_name_is_host(&names[n]))
            n++;
    return n;
}

static bool iprev_holds(const struct dns_answer *a, const struct ip *client)
{
    struct ip ip;
    for (size_t i = 0; i < a->n; i++) {
        enum err e = ip_is_v4(client) ? dns_rr_a(a->rdata[i], &ip) : dns_rr_aaaa(a->rdata[i], &ip);
        if (e == OK && ip_eq(&ip, client))
            return true;
    }
    return false;
}

FORMAT(5, 6)
static enum auth_step iprev_done(struct arena *a, enum auth_result result, slice name,
                                 struct iprev_result *out, const char *format, ...)
{
    struct iprev_result r = {.result = result};
    char text[DNS_NAME_MAX + IP_TEXT + 80];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* holds the longest name and address */
    va_end(args);
    if (!arena_dup(a, name, &r.name) || !arena_dup(a, slice_str(text), &r.reason))
        return AUTH_NO_MEMORY;
    *out = r;
    return AUTH_DONE;
}

enum auth_step iprev_check(const struct ip *client, struct dns_table *dns, struct arena *a,
                           struct iprev_result *out)
{
    struct dns_name reverse, names[IPREV_NAMES_MAX];
    const struct dns_answer *ptr;
    bool waits = false, failed = false;
    char text[IP_TEXT];
    slice found = {0};
    size_t n;
    ip_print(client, text);
    dns_name_reverse(client, &reverse);
    ptr = dns_table_get(dns, dns_name_view(&reverse), DNS_PTR);
    if (!ptr)
        return AUTH_WAIT;
    if (dns_answer_failed(ptr))
        return iprev_done(a, AUTH_TEMPERROR, found, out, "the DNS gave no answer for the name of %s", text);
    n = iprev_names(ptr, names);
    if (n == 0)
        return iprev_done(
            a, AUTH_PERMERROR, found, out,
            dns_answer_void(ptr) ? "%s has no PTR record" : "the PTR record of %s holds no host name", text);
    for (size_t i = 0; i < n; i++) {
        const struct dns_answer *address =
            dns_table_get(dns, dns_name_view(&names[i]), ip_is_v4(client) ? DNS_A : DNS_AAAA);
        waits |= !address;
        failed |= address && dns_answer_failed(address);
        if (found.n == 0 && address && !dns_answer_failed(address) && iprev_holds(address, client))
            found = dns_name_view(&names[i]);
    }
    if (waits) /* for all of them: which name it is does not depend on who answers first */
        return AUTH_WAIT;
    if (found.n)
        return iprev_done(a, AUTH_PASS, found, out, "%.*s leads back to %s", SLICE_FMT(found), text);
    found = dns_name_view(&names[0]);
    if (failed)
        return iprev_done(a, AUTH_TEMPERROR, found, out,
                          "the DNS gave no answer for the address of a name of %s", text);
    return iprev_done(a, AUTH_FAIL, found, out, "%.*s does not lead back to %s", SLICE_FMT(found), text);
}
