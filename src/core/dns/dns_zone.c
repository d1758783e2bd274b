#include "core/dns/dns_zone.h"

#define ZONE_CHAIN 12 /* CNAMEs followed */

enum zone_found { ZONE_NO_NAME, ZONE_NAME, ZONE_CNAME, ZONE_RECORDS, ZONE_FAILED };

/* What the records of one owner (or one "*." owner) say about a type. */
static enum zone_found zone_look(const struct dns_zone *z, slice owner, bool wild, uint16_t type,
                                 size_t *out_n, const struct dns_zone_record **out)
{
    const struct dns_zone_record *cname = NULL, *failed = NULL;
    bool exists = false;
    *out_n = 0;
    for (size_t i = 0; i < z->n; i++) {
        const struct dns_zone_record *r = &z->records[i];
        if (!wild && dns_name_below(&r->name, owner))
            exists = true;
        if (r->wild != wild || !slice_eq(dns_name_view(&r->name), owner))
            continue;
        exists = true;
        if (r->status != DNS_ANSWER_OK)
            failed = r;
        else if (r->type == type && (*out_n)++ == 0)
            *out = r;
        else if (r->type == DNS_CNAME)
            cname = r;
    }
    if (*out_n)
        return ZONE_RECORDS;
    if (failed)
        *out = failed;
    else if (cname)
        *out = cname;
    return failed ? ZONE_FAILED : cname ? ZONE_CNAME : exists ? ZONE_NAME : ZONE_NO_NAME;
}

static void zone_give(const struct dns_zone *z, slice owner, bool wild, uint16_t type, size_t n,
                      struct arena *a, struct dns_answer *out)
{
    slice *rdata = ARENA_ARRAY(a, n, slice);
    *out = (struct dns_answer){.status = rdata ? DNS_ANSWER_OK : DNS_ANSWER_TEMPFAIL, .ttl_s = UINT32_MAX};
    for (size_t i = 0; rdata && i < z->n; i++) {
        const struct dns_zone_record *r = &z->records[i];
        if (r->wild != wild || r->type != type || r->status != DNS_ANSWER_OK ||
            !slice_eq(dns_name_view(&r->name), owner))
            continue;
        rdata[out->n++] = r->rdata;
        out->ttl_s = r->ttl_s < out->ttl_s ? r->ttl_s : out->ttl_s;
    }
    out->rdata = rdata;
}

/* RFC 4592 §3.3.1: the closest name above that exists is where a "*" is looked for. */
static enum zone_found zone_find(const struct dns_zone *z, slice name, uint16_t type, slice *out_owner,
                                 bool *out_wild, size_t *out_n, const struct dns_zone_record **out)
{
    enum zone_found f = zone_look(z, name, false, type, out_n, out);
    *out_owner = name;
    *out_wild = false;
    for (slice above = name; f == ZONE_NO_NAME && above.n;) {
        size_t dot = slice_index(above, '.'), n;
        const struct dns_zone_record *ignored;
        above = slice_from(above, dot + 1);
        if (above.n && zone_look(z, above, false, 0, &n, &ignored) == ZONE_NO_NAME)
            continue;
        *out_owner = above;
        *out_wild = true;
        return zone_look(z, above, true, type, out_n, out);
    }
    return f;
}

void dns_zone_answer(const struct dns_zone *z, slice name, uint16_t type, struct arena *a,
                     struct dns_answer *out)
{
    struct dns_name at = {.n = 0}; /* an empty name is the root */
    *out = (struct dns_answer){.status = DNS_ANSWER_NXDOMAIN};
    if (name.n && dns_name_parse_odd(name, &at))
        return;
    for (unsigned chain = 0; chain < ZONE_CHAIN; chain++) {
        const struct dns_zone_record *r = NULL;
        slice owner;
        bool wild;
        size_t n;
        switch (zone_find(z, dns_name_view(&at), type, &owner, &wild, &n, &r)) {
        case ZONE_NO_NAME:
            *out = (struct dns_answer){.status = DNS_ANSWER_NXDOMAIN};
            return;
        case ZONE_NAME:
            *out = (struct dns_answer){.status = DNS_ANSWER_OK};
            return;
        case ZONE_FAILED:
            *out = (struct dns_answer){.status = (enum dns_answer_status)r->status};
            return;
        case ZONE_RECORDS:
            zone_give(z, owner, wild, type, n, a, out);
            return;
        case ZONE_CNAME:
            if (dns_rr_name_odd(r->rdata, &at)) {
                *out = (struct dns_answer){.status = DNS_ANSWER_NXDOMAIN};
                return;
            }
            break;
        }
    }
    *out = (struct dns_answer){.status = DNS_ANSWER_TEMPFAIL}; /* aliases in circles */
}
