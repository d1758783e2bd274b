#include "core/dns/dns_update.h"

#define CLASS_IN         1
#define CLASS_NONE       254
#define AT_PREREQUISITES 6 /* where the counts lie in the header, RFC 2136 §2.2 */
#define AT_UPDATES       8

static enum err update_head(uint16_t id, uint16_t flags, const struct dns_name *name, uint16_t type,
                            struct buf *out)
{
    must(out->n == 0);
    buf_be16(out, id);
    buf_be16(out, flags);
    buf_be16(out, 1);
    buf_be16(out, 0);
    buf_be32(out, 0);
    IGNORE_RESULT(dns_name_write(name, out), "the buffer keeps the mark");
    buf_be16(out, type);
    buf_be16(out, CLASS_IN);
    return out->failed ? ERR_LIMIT : OK;
}

enum err dns_update_question(uint16_t id, const struct dns_name *name, uint16_t type, struct buf *out)
{
    return update_head(id, 0, name, type, out);
}

enum err dns_update_begin(uint16_t id, const struct dns_name *zone, struct buf *out)
{
    return update_head(id, 5 << 11, zone, DNS_SOA, out);
}

static enum err update_record(struct buf *out, size_t count_at, const struct dns_name *name, uint16_t type,
                              uint16_t class, uint32_t ttl_s, slice rdata)
{
    unsigned count = ((unsigned)out->p[count_at] << 8 | out->p[count_at + 1]) + 1;
    if (out->failed || out->n + DNS_NAME_WIRE + 10 + rdata.n > DNS_UPDATE_MAX)
        return ERR_LIMIT;
    IGNORE_RESULT(dns_name_write(name, out), "the buffer keeps the mark");
    buf_be16(out, type);
    buf_be16(out, class);
    buf_be32(out, ttl_s);
    buf_be16(out, (uint16_t)rdata.n);
    buf_append(out, rdata);
    out->p[count_at] = (uint8_t)(count >> 8);
    out->p[count_at + 1] = (uint8_t)count;
    return out->failed ? ERR_LIMIT : OK;
}

enum err dns_update_absent(struct buf *out, const struct dns_name *name, uint16_t type)
{
    must(out->p[AT_UPDATES] == 0 && out->p[AT_UPDATES + 1] == 0); /* prerequisites come first */
    return update_record(out, AT_PREREQUISITES, name, type, CLASS_NONE, 0, (slice){0});
}

enum err dns_update_present(struct buf *out, const struct dns_name *name, uint16_t type, slice rdata)
{
    must(out->p[AT_UPDATES] == 0 && out->p[AT_UPDATES + 1] == 0);
    return update_record(out, AT_PREREQUISITES, name, type, CLASS_IN, 0, rdata);
}

enum err dns_update_add(struct buf *out, const struct dns_name *name, uint16_t type, uint32_t ttl_s,
                        slice rdata)
{
    return update_record(out, AT_UPDATES, name, type, CLASS_IN, ttl_s, rdata);
}

enum err dns_update_remove(struct buf *out, const struct dns_name *name, uint16_t type, slice rdata)
{
    return update_record(out, AT_UPDATES, name, type, CLASS_NONE, 0, rdata);
}

enum err dns_update_answer(slice answer, uint16_t id, uint8_t *out_rcode)
{
    struct cursor c = cursor_of(answer);
    uint16_t theirs, flags;
    if (answer.n < 12 || !cursor_u16(&c, &theirs) || !cursor_u16(&c, &flags) || theirs != id ||
        !(flags & 0x8000))
        return ERR_SYNTAX;
    *out_rcode = flags & 15;
    return OK;
}

const char *dns_update_rcode_text(unsigned rcode)
{
    static const char *const texts[] = {
        [0] = "done",
        [1] = "the server did not understand the request",
        [2] = "the server failed (SERVFAIL); its log says why",
        [3] = "the server does not know the name (NXDOMAIN)",
        [4] = "the server does not do updates (NOTIMP)",
        [5] = "the server refuses it (REFUSED): its configuration has to allow updates with this key",
        [6] = "a name is there that should not be (YXDOMAIN)",
        [7] = "a record appeared meanwhile (YXRRSET); try again",
        [8] = "a record changed meanwhile (NXRRSET); try again",
        [9] = "the server is not the one that keeps this zone, or does not take the key (NOTAUTH)",
        [10] = "a name lies outside the zone (NOTZONE)",
    };
    return rcode < ARRAY_LEN(texts) ? texts[rcode] : "the server refuses it for a reason unknown here";
}
