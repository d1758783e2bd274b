#include "policy/doctor/rdap.h"

#include "core/dns/dns_name.h"
#include "text/date.h"
#include "text/json_small.h"

#include <jansson.h>

#define SERVERS_VALUES 50000
#define SERVERS_DEPTH  8
#define DOMAIN_VALUES  20000
#define DOMAIN_DEPTH   32
#define DOMAIN_EVENTS  256 /* of one answer are looked at */

static void json_done(json_t **v)
{
    json_decref(*v);
}

/* NULL: it is no JSON, or *out_e says that it is too large. */
static json_t *rdap_load(slice json, size_t bytes, size_t values, size_t depth, enum err *out_e)
{
    json_t *v = NULL;
    *out_e = json_is_small(json, bytes, values, depth) ? OK : ERR_LIMIT;
    if (!*out_e) {
        v = json_loadb((const char *)json.p, json.n, 0, NULL);
        *out_e = v ? OK : ERR_SYNTAX;
    }
    return v;
}

static slice rdap_text(const json_t *v)
{
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : (slice){0};
}

/* ---- which server: RFC 9224 §3 */

/* The first URL of a service that is https; role fetcher gets no other. */
static slice service_url(const json_t *urls)
{
    for (size_t i = 0; i < json_array_size(urls); i++) {
        slice url = rdap_text(json_array_get(urls, i));
        bool plain = url.n > 0 && url.n < RDAP_URL_MAX;
        for (size_t k = 0; k < url.n; k++)
            plain = plain && url.p[k] > ' ' && url.p[k] < 127;
        if (plain && slice_starts_nocase(url, SLICE("https://")))
            return url;
    }
    return (slice){0};
}

static enum err service_read(const json_t *service, struct arena *a, struct rdap_servers *out)
{
    const json_t *names = json_array_get(service, 0);
    slice url = service_url(json_array_get(service, 1)), kept;
    if (!url.n || !json_is_array(names))
        return OK;
    if (!arena_dup(a, url, &kept))
        return ERR_LIMIT;
    for (size_t i = 0; i < json_array_size(names) && out->n < RDAP_SERVERS_MAX; i++) {
        struct rdap_server *to = &out->at[out->n];
        struct dns_name name;
        if (dns_name_parse(rdap_text(json_array_get(names, i)), &name) || name.n == 0)
            continue;
        if (!arena_dup(a, dns_name_view(&name), &to->zone))
            return ERR_LIMIT;
        to->url = kept;
        out->n++;
    }
    return OK;
}

enum err rdap_servers_read(slice json, struct arena *a, struct rdap_servers *out)
{
    enum err e;
    json_t *root CLEANUP(json_done) = rdap_load(json, RDAP_SERVERS_BYTES, SERVERS_VALUES, SERVERS_DEPTH, &e);
    const json_t *services = json_object_get(root, "services");
    struct rdap_servers read = {0};
    if (e)
        return e;
    if (!json_is_array(services))
        return ERR_SYNTAX;
    read.at = ARENA_ARRAY(a, RDAP_SERVERS_MAX, struct rdap_server);
    if (!read.at)
        return ERR_LIMIT;
    for (size_t i = 0; i < json_array_size(services) && !e; i++)
        e = service_read(json_array_get(services, i), a, &read);
    if (!e)
        *out = read;
    return e;
}

enum err rdap_url(const struct rdap_servers *servers, slice domain, struct buf *out)
{
    const struct rdap_server *best = NULL;
    struct dns_name name;
    struct buf url CLEANUP(buf_done) = {.max = RDAP_URL_MAX};
    if (dns_name_parse(domain, &name) || !dns_name_is_host(&name))
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < servers->n; i++)
        if (dns_name_below(&name, servers->at[i].zone) && (!best || servers->at[i].zone.n > best->zone.n))
            best = &servers->at[i];
    if (!best)
        return ERR_NOT_FOUND;
    /* RFC 9082 §3.1.3; the final slash belongs there, RFC 9224 §3, and is missing at times */
    buf_print(&url, "%.*s%sdomain/%s", SLICE_FMT(best->url), best->url.p[best->url.n - 1] == '/' ? "" : "/",
              name.text);
    return buf_failed(&url) ? ERR_LIMIT : buf_append(out, buf_view(&url));
}

/* ---- an answer: RFC 9083 §5.3 */

static bool domain_named(const json_t *root, slice domain)
{
    slice name = rdap_text(json_object_get(root, "ldhName"));
    struct dns_name have, want;
    return dns_name_parse(name, &have) == OK && dns_name_parse(domain, &want) == OK &&
           dns_name_eq(&have, &want);
}

/* RFC 9083 §4.5 and §10.2.3. A domain that ran out and was registered again by somebody is as young as that.
 */
static void domain_event(const json_t *event, struct rdap_domain *out)
{
    slice action = rdap_text(json_object_get(event, "eventAction"));
    time_ms at;
    if (date_parse_iso(rdap_text(json_object_get(event, "eventDate")), &at) || at <= 0)
        return;
    if (slice_eq_nocase(action, SLICE("registration")) || slice_eq_nocase(action, SLICE("reregistration")))
        out->registered = at > out->registered ? at : out->registered;
    else if (slice_eq_nocase(action, SLICE("expiration")))
        out->expires = at > out->expires ? at : out->expires;
}

enum err rdap_domain_read(slice json, slice domain, struct rdap_domain *out)
{
    enum err e;
    json_t *root CLEANUP(json_done) = rdap_load(json, RDAP_DOMAIN_BYTES, DOMAIN_VALUES, DOMAIN_DEPTH, &e);
    const json_t *events = json_object_get(root, "events");
    struct rdap_domain read = {0};
    if (e)
        return e;
    if (!slice_eq(rdap_text(json_object_get(root, "objectClassName")), SLICE("domain")) ||
        !domain_named(root, domain))
        return ERR_SYNTAX;
    for (size_t i = 0; i < json_array_size(events) && i < DOMAIN_EVENTS; i++)
        domain_event(json_array_get(events, i), &read);
    *out = read;
    return OK;
}
