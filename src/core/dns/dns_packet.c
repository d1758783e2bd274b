#include "core/dns/dns_packet.h"

#define DNS_CLASS_IN 1

struct dns_packet_record {
    struct dns_name owner;
    bool odd; /* the owner has octets we do not hold: never what we look for */
    uint16_t type, class;
    uint32_t ttl_s;
    size_t rdata_at, rdata_n;
};

struct dns_packet_walk {
    slice message;
    size_t at;
};

static bool dns_packet_u16(struct dns_packet_walk *w, uint16_t *out)
{
    struct cursor c = cursor_of(slice_from(w->message, w->at));
    if (!cursor_u16(&c, out))
        return false;
    w->at += 2;
    return true;
}

/* RFC 1035 §4.1.3. A TTL with the top bit set counts as 0, RFC 2181 §8. */
static enum err dns_packet_record(struct dns_packet_walk *w, struct dns_packet_record *out)
{
    uint16_t ttl_high, ttl_low, n;
    enum err e = dns_name_read_odd(w->message, &w->at, &out->owner);
    if (e && e != ERR_UNSUPPORTED)
        return e;
    out->odd = e != OK;
    if (!dns_packet_u16(w, &out->type) || !dns_packet_u16(w, &out->class) || !dns_packet_u16(w, &ttl_high) ||
        !dns_packet_u16(w, &ttl_low) || !dns_packet_u16(w, &n) || w->message.n - w->at < n)
        return ERR_SYNTAX;
    out->ttl_s = ttl_high & 0x8000 ? 0 : (uint32_t)ttl_high << 16 | ttl_low;
    out->rdata_at = w->at;
    out->rdata_n = n;
    w->at += n;
    return OK;
}

/* Where names stand in the RDATA of the types that may be compressed (RFC 3597 §4): octets before, how many
 * names, octets after. All other types are copied as they are. */
static const struct dns_packet_layout {
    uint16_t type;
    uint8_t before, names, after;
} dns_packet_layouts[] = {
    {DNS_NS, 0, 1, 0}, {DNS_CNAME, 0, 1, 0}, {DNS_SOA, 0, 2, 20},  {DNS_PTR, 0, 1, 0},
    {DNS_MX, 2, 1, 0}, {DNS_SRV, 6, 1, 0},   {DNS_DNAME, 0, 1, 0},
};

/* Appends the record's RDATA without compression. Names may point anywhere back in the message, but what
 * they occupy must end exactly where RDLENGTH says. */
static enum err dns_packet_rdata(slice message, const struct dns_packet_record *r, struct buf *out)
{
    const struct dns_packet_layout *l = NULL;
    slice upto = slice_sub(message, 0, r->rdata_at + r->rdata_n);
    size_t at = r->rdata_at;
    for (size_t i = 0; i < ARRAY_LEN(dns_packet_layouts); i++)
        if (dns_packet_layouts[i].type == r->type)
            l = &dns_packet_layouts[i];
    if (!l)
        return buf_append(out, slice_sub(upto, at, upto.n));
    if (r->rdata_n < l->before)
        return ERR_SYNTAX;
    enum err e = buf_append(out, slice_sub(upto, at, at + l->before));
    at += l->before;
    for (unsigned i = 0; e == OK && i < l->names; i++)
        e = dns_name_expand(upto, &at, out);
    if (e)
        return e;
    if (upto.n - at != l->after)
        return ERR_SYNTAX;
    return buf_append(out, slice_sub(upto, at, upto.n));
}

/* The name a CNAME record leads to, or an error. */
static enum err dns_packet_target(slice message, const struct dns_packet_record *r, struct dns_name *out)
{
    slice upto = slice_sub(message, 0, r->rdata_at + r->rdata_n);
    size_t at = r->rdata_at;
    struct dns_name name;
    enum err e = dns_name_read(upto, &at, &name);
    if (e)
        return e;
    if (at != upto.n)
        return ERR_SYNTAX;
    *out = name;
    return OK;
}

/* Header and question, RFC 1035 §4.1.1, §4.1.2. Leaves the walk at the answer section. */
static enum err dns_packet_head(struct dns_packet_walk *w, const struct dns_name *question, uint16_t type,
                                uint8_t *out_rcode, uint16_t out_counts[4])
{
    uint16_t id, flags, qtype, qclass;
    struct dns_name name;
    bool ok = dns_packet_u16(w, &id) && dns_packet_u16(w, &flags);
    enum err e;
    for (int i = 0; i < 4; i++)
        ok = ok && dns_packet_u16(w, &out_counts[i]);
    if (!ok || !(flags & 0x8000) || out_counts[0] != 1)
        return ERR_SYNTAX;
    e = dns_name_read_odd(w->message, &w->at, &name);
    if (e)
        return ERR_SYNTAX; /* also what we could not have asked */
    if (!dns_packet_u16(w, &qtype) || !dns_packet_u16(w, &qclass) || qtype != type ||
        qclass != DNS_CLASS_IN || !dns_name_eq(&name, question))
        return ERR_SYNTAX;
    *out_rcode = flags & 0xf;
    return OK;
}

/* RFC 2308 §5: the lesser of the SOA's own TTL and its MINIMUM. A broken authority section gives 0. */
static uint32_t dns_packet_negative_ttl(struct dns_packet_walk *w, unsigned count)
{
    for (unsigned i = 0; i < count && i < 32; i++) {
        struct dns_packet_record r;
        uint32_t minimum;
        struct cursor c;
        if (dns_packet_record(w, &r))
            return 0;
        if (r.type != DNS_SOA || r.rdata_n < 22)
            continue;
        c = cursor_of(slice_sub(w->message, r.rdata_at + r.rdata_n - 4, r.rdata_at + r.rdata_n));
        return cursor_u32(&c, &minimum) && minimum < r.ttl_s ? minimum : r.ttl_s;
    }
    return 0;
}

static const struct dns_packet_record *dns_packet_cname(const struct dns_packet_record *records, size_t n,
                                                        const struct dns_name *owner)
{
    for (size_t i = 0; i < n; i++)
        if (!records[i].odd && records[i].type == DNS_CNAME && records[i].class == DNS_CLASS_IN &&
            dns_name_eq(&records[i].owner, owner))
            return &records[i];
    return NULL;
}

static bool dns_packet_wanted(const struct dns_packet_record *r, const struct dns_name *owner, uint16_t type)
{
    return !r->odd && r->type == type && r->class == DNS_CLASS_IN && dns_name_eq(&r->owner, owner);
}

/* Copies the RDATA of the wanted records into the arena. */
static enum err dns_packet_collect(slice message, const struct dns_packet_record *records, size_t n,
                                   uint16_t type, const struct dns_packet_limits *limits, struct arena *arena,
                                   struct dns_packet_answer *answer)
{
    struct buf all CLEANUP(buf_done);
    buf_init(&all, limits->rdata_bytes);
    answer->rdata = ARENA_ARRAY(arena, n, slice);
    if (!answer->rdata)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        size_t begin = all.n;
        enum err e;
        if (!dns_packet_wanted(&records[i], &answer->canonical, type))
            continue;
        e = dns_packet_rdata(message, &records[i], &all);
        if (e)
            return e;
        if (!arena_dup(arena, slice_from(buf_view(&all), begin), &answer->rdata[answer->n]))
            return ERR_LIMIT;
        answer->n++;
        if (records[i].ttl_s < answer->ttl_s)
            answer->ttl_s = records[i].ttl_s;
    }
    return OK;
}

enum err dns_packet_parse(slice message, const struct dns_name *question, uint16_t type,
                          const struct dns_packet_limits *limits, struct arena *arena,
                          struct dns_packet_answer *out)
{
    struct dns_packet_walk w = {.message = message};
    struct dns_packet_answer answer = {.canonical = *question, .ttl_s = UINT32_MAX};
    struct dns_packet_record *records;
    uint16_t counts[4];
    size_t n;
    enum err e = dns_packet_head(&w, question, type, &answer.rcode, counts);
    if (e)
        return e;
    n = counts[1];
    if (n > limits->records)
        return ERR_LIMIT;
    /* no record is shorter than 11 octets: refuse a count the message cannot hold before making room for it
     */
    if (n > (message.n - w.at) / 11)
        return ERR_SYNTAX;
    records = ARENA_ARRAY(arena, n, struct dns_packet_record);
    if (!records)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++)
        if ((e = dns_packet_record(&w, &records[i])))
            return e;
    for (unsigned hops = 0; type != DNS_CNAME; hops++) {
        const struct dns_packet_record *r = dns_packet_cname(records, n, &answer.canonical);
        if (!r)
            break;
        if (hops == DNS_PACKET_CHAIN)
            return ERR_LOOP;
        if (r->ttl_s < answer.ttl_s)
            answer.ttl_s = r->ttl_s;
        if ((e = dns_packet_target(message, r, &answer.canonical)))
            return e;
    }
    e = dns_packet_collect(message, records, n, type, limits, arena, &answer);
    if (e)
        return e;
    if (answer.n == 0)
        answer.ttl_s = dns_packet_negative_ttl(&w, counts[2]);
    *out = answer;
    return OK;
}
