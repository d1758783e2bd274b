#include "core/dns/dns_rr_write.h"

/* A run of appends was made; those that did not fit left the mark. The mark of an earlier failure is the
 * caller's and stays. */
static enum err dns_rr_write_end(struct buf *out, size_t before, bool failed_before)
{
    if (!out->failed || failed_before)
        return failed_before ? ERR_LIMIT : OK;
    buf_truncate(out, before);
    return ERR_LIMIT;
}

enum err dns_rr_write_ip(const struct ip *ip, struct buf *out)
{
    return buf_append(out, ip_is_v4(ip) ? slice_of(ip->b + 12, 4) : ip_slice(ip));
}

enum err dns_rr_write_name(const struct dns_name *name, struct buf *out)
{
    return dns_name_write(name, out);
}

static enum err dns_rr_write_last_name(const struct dns_name *name, struct buf *out, size_t before,
                                       bool failed)
{
    IGNORE_RESULT(dns_name_write(name, out), "the buffer keeps the mark");
    return dns_rr_write_end(out, before, failed);
}

enum err dns_rr_write_mx(const struct dns_mx *mx, struct buf *out)
{
    size_t before = out->n;
    bool failed = out->failed;
    buf_be16(out, mx->preference);
    return dns_rr_write_last_name(&mx->host, out, before, failed);
}

enum err dns_rr_write_srv(const struct dns_srv *srv, struct buf *out)
{
    size_t before = out->n;
    bool failed = out->failed;
    buf_be16(out, srv->priority);
    buf_be16(out, srv->weight);
    buf_be16(out, srv->port);
    return dns_rr_write_last_name(&srv->target, out, before, failed);
}

enum err dns_rr_write_tlsa(const struct dns_tlsa *tlsa, struct buf *out)
{
    size_t before = out->n;
    bool failed = out->failed;
    buf_byte(out, tlsa->usage);
    buf_byte(out, tlsa->selector);
    buf_byte(out, tlsa->matching);
    buf_append(out, tlsa->data);
    return dns_rr_write_end(out, before, failed);
}

enum err dns_rr_write_soa(const struct dns_soa *soa, const struct dns_name *rname, struct buf *out)
{
    size_t before = out->n;
    bool failed = out->failed;
    IGNORE_RESULT(dns_name_write(&soa->mname, out), "the buffer keeps the mark");
    IGNORE_RESULT(dns_name_write(rname, out), "the buffer keeps the mark");
    buf_be32(out, soa->serial);
    buf_be32(out, soa->refresh_s);
    buf_be32(out, soa->retry_s);
    buf_be32(out, soa->expire_s);
    buf_be32(out, soa->minimum_s);
    return dns_rr_write_end(out, before, failed);
}

enum err dns_rr_write_txt_part(slice part, struct buf *out)
{
    size_t before = out->n;
    bool failed = out->failed;
    if (part.n > DNS_RR_TXT_PART)
        return ERR_LIMIT;
    buf_byte(out, (uint8_t)part.n);
    buf_append(out, part);
    return dns_rr_write_end(out, before, failed);
}

enum err dns_rr_write_txt(slice text, struct buf *out)
{
    size_t before = out->n;
    do {
        slice part = slice_sub(text, 0, DNS_RR_TXT_PART);
        enum err e = dns_rr_write_txt_part(part, out);
        if (e) {
            buf_truncate(out, before);
            return e;
        }
        text = slice_from(text, part.n);
    } while (text.n);
    return OK;
}
