#include "core/dns/dns_serve.h"

#include "core/dns/dns_rr_write.h"

#include <stdlib.h>

#define DNS_SERVE_TTL_S     3600
#define DNS_SERVE_ARENA_MAX ((size_t)32 << 20)
#define DNS_HEADER          12
#define DNS_UDP_PLAIN       512 /* RFC 1035 §4.2.1 */
#define DNS_CLASS_IN        1
#define DNS_HINFO           13

#define FLAG_QR 0x8000u
#define FLAG_AA 0x0400u
#define FLAG_TC 0x0200u
#define FLAG_RD 0x0100u

struct dns_serve_zone {
    struct arena arena;
    struct dns_name origin;
    uint8_t origin_wire[DNS_NAME_WIRE];
    size_t origin_n;
    uint32_t serial;
    struct dns_serve_record *records; /* by name from the right, then by type */
    size_t n;
};

/* ---- the zone */

/* The last label of text, which is cut off it. */
static slice serve_last_label(slice *text)
{
    size_t dot = slice_rindex(*text, '.');
    slice label = dot == text->n ? *text : slice_from(*text, dot + 1);
    *text = dot == text->n ? (slice){0} : slice_sub(*text, 0, dot);
    return label;
}

/* By labels from the right, so that what lies below a name follows it. */
static int serve_name_cmp(slice a, slice b)
{
    while (a.n && b.n) {
        int c = slice_cmp(serve_last_label(&a), serve_last_label(&b));
        if (c)
            return c;
    }
    return a.n ? 1 : b.n ? -1 : 0;
}

static int serve_record_cmp(const void *a, const void *b)
{
    const struct dns_serve_record *x = a, *y = b;
    int c = serve_name_cmp(dns_name_view(&x->name), dns_name_view(&y->name));
    if (c)
        return c;
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    return slice_cmp(x->rdata, y->rdata);
}

static enum err serve_add(struct dns_serve_zone *z, const struct dns_serve_record *r)
{
    struct dns_serve_record *to = &z->records[z->n];
    if (!dns_name_below(&r->name, dns_name_view(&z->origin)))
        return ERR_SYNTAX;
    if (r->rdata.n > UINT16_MAX)
        return ERR_LIMIT;
    *to = *r;
    if (!arena_dup(&z->arena, r->rdata, &to->rdata))
        return ERR_LIMIT;
    z->n++;
    return OK;
}

/* RFC 1912 §2.2, but short: what changes here changes by itself. */
static enum err serve_add_apex(struct dns_serve_zone *z, const struct dns_name *server)
{
    struct dns_soa soa = {*server, z->serial, 3600, 600, 7 * 86400, DNS_SERVE_NEGATIVE_S};
    struct dns_serve_record r = {.name = z->origin, .ttl_s = DNS_SERVE_TTL_S};
    struct buf b CLEANUP(buf_done) = {.max = 1024};
    struct dns_name rname;
    char text[DNS_NAME_MAX + 16] = "postmaster.";
    enum err e;
    memcpy(text + 11, server->text, (size_t)server->n + 1);
    if (dns_name_parse(slice_str(text), &rname) != OK)
        rname = *server; /* a name too long for that; nobody writes to this one */
    e = dns_rr_write_soa(&soa, &rname, &b);
    r.type = DNS_SOA;
    r.rdata = buf_view(&b);
    if (!e)
        e = serve_add(z, &r);
    buf_clear(&b);
    if (!e)
        e = dns_rr_write_name(server, &b);
    r.type = DNS_NS;
    r.rdata = buf_view(&b);
    return e ? e : serve_add(z, &r);
}

/* Sorts, takes doubles out, and refuses what stands beside a CNAME (RFC 1034 §3.6.2). */
static enum err serve_order(struct dns_serve_zone *z)
{
    size_t kept = 0;
    qsort(z->records, z->n, sizeof *z->records, serve_record_cmp);
    for (size_t i = 0; i < z->n; i++) {
        const struct dns_serve_record *last = kept ? &z->records[kept - 1] : NULL, *r = &z->records[i];
        if (last && serve_record_cmp(last, r) == 0)
            continue;
        if (last && dns_name_eq(&last->name, &r->name) && (last->type == DNS_CNAME || r->type == DNS_CNAME))
            return ERR_SYNTAX;
        if (kept != i)
            z->records[kept] = *r;
        kept++;
    }
    z->n = kept;
    return OK;
}

enum err dns_serve_zone_new(const struct dns_name *origin, const struct dns_name *server, uint32_t serial,
                            const struct dns_serve_record *records, size_t n, struct dns_serve_zone **out)
{
    struct dns_serve_zone *z;
    struct buf wire CLEANUP(buf_done) = {.max = DNS_NAME_WIRE};
    enum err e;
    if (n > DNS_SERVE_RECORDS_MAX)
        return ERR_LIMIT;
    z = calloc(1, sizeof *z);
    must(z);
    arena_init(&z->arena, "zone", DNS_SERVE_ARENA_MAX + (n + 2) * sizeof *records);
    z->origin = *origin;
    z->serial = serial;
    must(dns_name_write(origin, &wire) == OK);
    memcpy(z->origin_wire, wire.p, wire.n);
    z->origin_n = wire.n;
    z->records = ARENA_ARRAY(&z->arena, n + 2, struct dns_serve_record);
    e = z->records ? serve_add_apex(z, server) : ERR_LIMIT;
    for (size_t i = 0; i < n && !e; i++)
        e = serve_add(z, &records[i]);
    if (!e)
        e = serve_order(z);
    if (e)
        dns_serve_zone_free(&z);
    else
        *out = z;
    return e;
}

void dns_serve_zone_free(struct dns_serve_zone **z)
{
    if (!z || !*z)
        return;
    arena_done(&(*z)->arena);
    free(*z);
    *z = NULL;
}

uint32_t dns_serve_zone_serial(const struct dns_serve_zone *z)
{
    return z->serial;
}

size_t dns_serve_zone_count(const struct dns_serve_zone *z)
{
    return z->n;
}

/* The first record that is not before name. */
static size_t serve_find(const struct dns_serve_zone *z, const struct dns_name *name)
{
    size_t low = 0, high = z->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (serve_name_cmp(dns_name_view(&z->records[mid].name), dns_name_view(name)) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* ---- the query */

struct serve_query {
    uint16_t id, flags, type, class;
    slice question; /* name, type and class, as they came */
    size_t name_n;  /* octets of the name */
    bool edns, dnssec_ok;
    uint8_t edns_version;
    uint16_t edns_size;
};

/* RFC 1035 §4.1.4: nothing comes before the question, so its name cannot be compressed. */
static bool serve_name_skip(struct cursor *c)
{
    size_t total = 0;
    for (;;) {
        uint8_t n;
        slice label;
        if (!cursor_u8(c, &n) || n > DNS_LABEL_MAX || !cursor_bytes(c, n, &label))
            return false;
        total += 1u + n;
        if (total > DNS_NAME_WIRE)
            return false;
        if (n == 0)
            return true;
    }
}

/* A record of the additional section; only OPT is looked at (RFC 6891 §6.1.2). Its owner is the root; of
 * others the owner may be compressed. */
static bool serve_additional(struct cursor *c, struct serve_query *q)
{
    uint16_t type, class, ttl_high, ttl_low, n;
    bool root = cursor_peek(c) == 0;
    slice rdata;
    for (;;) {
        uint8_t label;
        if (!cursor_u8(c, &label))
            return false;
        if (label == 0)
            break;
        if ((label & 0xc0) == 0xc0) {
            if (!cursor_u8(c, &label))
                return false;
            break;
        }
        if (label > DNS_LABEL_MAX || !cursor_bytes(c, label, &rdata))
            return false;
    }
    if (!cursor_u16(c, &type) || !cursor_u16(c, &class) || !cursor_u16(c, &ttl_high) ||
        !cursor_u16(c, &ttl_low) || !cursor_u16(c, &n) || !cursor_bytes(c, n, &rdata))
        return false;
    if (type != DNS_OPT)
        return true;
    if (q->edns || !root)
        return false;
    q->edns = true;
    q->edns_size = class;
    q->edns_version = (uint8_t)(ttl_high & 0xff);
    q->dnssec_ok = ttl_low & 0x8000;
    return true;
}

/* The RCODE that what stands in the query calls for, or NOERROR. */
static enum dns_rcode serve_parse(slice bytes, struct serve_query *q)
{
    struct cursor c = cursor_of(slice_from(bytes, 4));
    uint16_t counts[4];
    for (int i = 0; i < 4; i++)
        if (!cursor_u16(&c, &counts[i]))
            return DNS_FORMERR;
    if (q->flags >> 11 & 15) /* OPCODE other than QUERY */
        return DNS_NOTIMP;
    if (counts[0] != 1 || counts[1] || counts[2])
        return DNS_FORMERR;
    q->question = c.rest;
    if (!serve_name_skip(&c))
        return DNS_FORMERR;
    q->name_n = q->question.n - c.rest.n;
    if (!cursor_u16(&c, &q->type) || !cursor_u16(&c, &q->class))
        return DNS_FORMERR;
    q->question.n -= c.rest.n;
    for (unsigned i = 0; i < counts[3]; i++)
        if (!serve_additional(&c, q)) {
            q->edns = false;
            return DNS_FORMERR;
        }
    return cursor_end(&c) ? DNS_NOERROR : DNS_FORMERR;
}

/* ---- the answer */

struct serve_answer {
    const struct dns_serve_zone *zone;
    const struct serve_query *q;
    struct buf *out;
    uint8_t rcode;
    uint16_t n_answers, n_authority;
    size_t origin_at; /* where in the message the origin's name lies: inside the question */
};

static void serve_header(struct serve_answer *a, uint16_t flags)
{
    uint8_t rcode = a->rcode & 15;
    slice question = a->q->question;
    buf_clear(a->out);
    buf_be16(a->out, a->q->id);
    buf_be16(a->out, (uint16_t)(FLAG_QR | flags | (a->q->flags & (0x7800u | FLAG_RD)) | rcode));
    buf_be16(a->out, question.n ? 1 : 0);
    buf_be16(a->out, 0);
    buf_be16(a->out, 0);
    buf_be16(a->out, a->q->edns ? 1 : 0);
    buf_append(a->out, question);
}

/* RFC 6891 §6.1.3. No option is understood; DO comes back as it was (RFC 3225 §3). */
static void serve_opt(struct serve_answer *a)
{
    if (!a->q->edns)
        return;
    buf_byte(a->out, 0);
    buf_be16(a->out, DNS_OPT);
    buf_be16(a->out, DNS_SERVE_UDP_MAX);
    buf_byte(a->out, a->rcode >> 4);
    buf_byte(a->out, 0);
    buf_be16(a->out, a->q->dnssec_ok ? 0x8000 : 0);
    buf_be16(a->out, 0);
}

static void serve_record(struct serve_answer *a, size_t owner_at, const struct dns_name *owner, uint16_t type,
                         uint32_t ttl_s, slice rdata)
{
    if (owner_at)
        buf_be16(a->out, (uint16_t)(0xc000u | owner_at));
    else
        IGNORE_RESULT(dns_name_write(owner, a->out), "the buffer keeps the mark");
    buf_be16(a->out, type);
    buf_be16(a->out, DNS_CLASS_IN);
    buf_be32(a->out, ttl_s);
    buf_be16(a->out, (uint16_t)rdata.n);
    buf_append(a->out, rdata);
}

static void serve_soa(struct serve_answer *a)
{
    size_t i = serve_find(a->zone, &a->zone->origin);
    while (i < a->zone->n && a->zone->records[i].type != DNS_SOA)
        i++;
    must(i < a->zone->n);
    serve_record(a, a->origin_at, &a->zone->origin, DNS_SOA, DNS_SERVE_NEGATIVE_S, a->zone->records[i].rdata);
    a->n_authority++;
}

/* All records of the type at name, or its CNAME, which is followed as long as it stays in the zone. */
static void serve_lookup(struct serve_answer *a, struct dns_name name)
{
    const struct dns_serve_zone *z = a->zone;
    size_t owner_at = DNS_HEADER;
    for (unsigned hops = 0; hops < DNS_SERVE_CHAIN; hops++) {
        size_t i = serve_find(z, &name), from = i;
        const struct dns_serve_record *cname = NULL;
        bool any = false;
        if (i == z->n || !dns_name_below(&z->records[i].name, dns_name_view(&name))) {
            a->rcode = DNS_NXDOMAIN;
            serve_soa(a);
            return;
        }
        for (i = from; i < z->n && dns_name_eq(&z->records[i].name, &name); i++) {
            const struct dns_serve_record *r = &z->records[i];
            if (r->type == DNS_CNAME)
                cname = r;
            if (r->type != a->q->type && r->type != DNS_CNAME)
                continue;
            serve_record(a, owner_at, &name, r->type, r->ttl_s, r->rdata);
            a->n_answers++;
            any = any || r->type == a->q->type;
        }
        if (any || !cname) {
            if (!any)
                serve_soa(a); /* the name is there, the type is not: RFC 2308 §2.2 */
            return;
        }
        if (dns_rr_name(cname->rdata, &name) != OK || !dns_name_below(&name, dns_name_view(&z->origin)))
            return; /* the asker goes on elsewhere */
        owner_at = 0;
    }
}

/* RFC 8482 §4.2: a short answer to "everything". */
static void serve_any(struct serve_answer *a)
{
    static const uint8_t hinfo[] = "\x07RFC8482"; /* its NUL is the empty second string */
    serve_record(a, DNS_HEADER, NULL, DNS_HINFO, DNS_SERVE_TTL_S, slice_of(hinfo, sizeof hinfo));
    a->n_answers++;
}

/* Where in the question's name the origin begins, or the name's length: it lies elsewhere. Case does not
 * count. */
static size_t serve_origin_in(const struct dns_serve_zone *z, slice name)
{
    size_t at = 0;
    while (name.n - at > z->origin_n)
        at += 1u + name.p[at];
    return slice_eq_nocase(slice_from(name, at), slice_of(z->origin_wire, z->origin_n)) ? at : name.n;
}

/* What the zone says. Leaves the answer's records in out, or an RCODE. */
static void serve_question(struct serve_answer *a)
{
    slice name = slice_sub(a->q->question, 0, a->q->name_n);
    struct dns_name parsed;
    size_t at = 0, origin;
    if (!a->zone) {
        a->rcode = DNS_SERVFAIL;
        return;
    }
    origin = serve_origin_in(a->zone, name);
    if (a->q->class != DNS_CLASS_IN || origin == name.n || a->q->type == DNS_OPT ||
        (a->q->type >= 128 && a->q->type < DNS_ANY)) { /* transfers and other meta types, RFC 6895 §3.1 */
        a->rcode = DNS_REFUSED;
        return;
    }
    a->origin_at = DNS_HEADER + origin;
    if (dns_name_read(name, &at, &parsed) != OK) { /* odd octets: no name of ours has them */
        a->rcode = DNS_NXDOMAIN;
        serve_soa(a);
    } else if (a->q->type == DNS_ANY && serve_find(a->zone, &parsed) < a->zone->n &&
               dns_name_below(&a->zone->records[serve_find(a->zone, &parsed)].name, dns_name_view(&parsed))) {
        serve_any(a);
    } else {
        serve_lookup(a, parsed);
    }
}

static void serve_set16(struct buf *b, size_t at, uint16_t v)
{
    b->p[at] = (uint8_t)(v >> 8);
    b->p[at + 1] = (uint8_t)v;
}

/* Is it a query at all? RFC 1035 §4.1.1; answers are never answered. */
static bool serve_begin(slice query, struct serve_query *q)
{
    struct cursor c = cursor_of(query);
    return query.n >= DNS_HEADER && cursor_u16(&c, &q->id) && cursor_u16(&c, &q->flags) &&
           !(q->flags & FLAG_QR);
}

bool dns_serve_truncated(slice query, struct buf *out)
{
    struct serve_query q = {0};
    struct serve_answer a = {.q = &q, .out = out};
    if (!serve_begin(query, &q))
        return false;
    a.rcode = (uint8_t)serve_parse(query, &q);
    if (a.rcode) {
        q.question = (slice){0};
        q.edns = false;
    }
    serve_header(&a, a.rcode ? 0 : FLAG_AA | FLAG_TC);
    serve_opt(&a);
    return !out->failed;
}

bool dns_serve_answer(const struct dns_serve_zone *zone, slice query, bool tcp, struct buf *out)
{
    struct serve_query q = {0};
    struct serve_answer a = {.zone = zone, .q = &q, .out = out};
    size_t max, opt;
    bool aa;
    if (!serve_begin(query, &q))
        return false;
    a.rcode = (uint8_t)serve_parse(query, &q);
    if (a.rcode) {
        q.question = (slice){0};
        q.edns = false;
        serve_header(&a, 0);
        return !out->failed;
    }
    max = tcp      ? DNS_SERVE_TCP_MAX
          : q.edns ? size_min(size_max(q.edns_size, DNS_UDP_PLAIN), DNS_SERVE_UDP_MAX)
                   : DNS_UDP_PLAIN;
    opt = q.edns ? 11 : 0;
    serve_header(&a, 0);
    if (q.edns && q.edns_version != 0)
        a.rcode = 16; /* BADVERS, RFC 6891 §6.1.3 */
    else
        serve_question(&a);
    aa = a.rcode == DNS_NOERROR || a.rcode == DNS_NXDOMAIN;
    if (out->failed || out->n + opt > max) {
        serve_header(&a, (uint16_t)(FLAG_AA | FLAG_TC));
        serve_opt(&a);
        return !out->failed;
    }
    serve_set16(out, 2,
                (uint16_t)(FLAG_QR | (aa ? FLAG_AA : 0) | (q.flags & (0x7800u | FLAG_RD)) | (a.rcode & 15u)));
    serve_set16(out, 6, a.n_answers);
    serve_set16(out, 8, a.n_authority);
    serve_opt(&a);
    return !out->failed;
}
