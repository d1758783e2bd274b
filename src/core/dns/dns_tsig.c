#include "core/dns/dns_tsig.h"

#include "core/dns/dns_rr.h"
#include "crypto/digest.h"

#define TSIG_MESSAGE_MAX 65535
#define TSIG_CLASS_ANY   255
#define TSIG_HEADER      12

const char *dns_tsig_text(enum dns_tsig_result r)
{
    static const char *const texts[] = {
        [DNS_TSIG_GOOD] = "the answer is signed well",
        [DNS_TSIG_MISSING] = "the answer is not signed, so anybody could have sent it",
        [DNS_TSIG_MALFORMED] = "the answer is no DNS message",
        [DNS_TSIG_FOREIGN] = "the answer is signed with another key",
        [DNS_TSIG_FORGED] = "the signature of the answer is wrong",
        [DNS_TSIG_SHORT] = "the signature of the answer is shortened, which is not taken",
        [DNS_TSIG_LATE] = "the answer was signed at another time than ours: one of the two clocks is off",
        [DNS_TSIG_BADSIG] = ("the server says that the signature is wrong: the secret in the key file is not "
                             "the one it has under this name"),
        [DNS_TSIG_BADKEY] = ("the server does not know this key or does not allow it here: compare its name "
                             "and algorithm, and look for the rule there that lets it update the zone"),
        [DNS_TSIG_BADTIME] = "the server says that our clock and its own differ too much",
        [DNS_TSIG_ERROR] = "the server refuses the signature",
    };
    return texts[r];
}

/* What stands in a TSIG record, §4.2. */
struct tsig_record {
    slice owner, algorithm; /* wire, lower case, uncompressed */
    uint16_t class, fudge, original_id, error;
    uint32_t ttl;
    uint64_t time_s;
    slice mac, other;
};

static void tsig_be48(struct buf *b, uint64_t v)
{
    buf_be16(b, (uint16_t)(v >> 32));
    buf_be32(b, (uint32_t)v);
}

/* §4.3.3: the TSIG variables. */
static void tsig_variables(struct buf *b, const struct tsig_record *r)
{
    buf_append(b, r->owner);
    buf_be16(b, TSIG_CLASS_ANY);
    buf_be32(b, 0);
    buf_append(b, r->algorithm);
    tsig_be48(b, r->time_s);
    buf_be16(b, r->fudge);
    buf_be16(b, r->error);
    buf_be16(b, (uint16_t)r->other.n);
    buf_append(b, r->other);
}

static void tsig_mac(const struct dns_tsig_key *key, slice data, struct dns_tsig_mac *out)
{
    out->n = key->algorithm == DNS_TSIG_SHA256 ? DIGEST_SHA256_SIZE : DIGEST_SHA512_SIZE;
    if (key->algorithm == DNS_TSIG_SHA256)
        digest_hmac_sha256(secret_view(&key->secret), data, out->bytes);
    else
        digest_hmac_sha512(secret_view(&key->secret), data, out->bytes);
}

static void tsig_names(const struct dns_tsig_key *key, struct buf *owner, struct buf *algorithm)
{
    struct dns_name name;
    must(dns_name_parse(slice_str(dns_tsig_algorithm_name(key->algorithm)), &name) == OK);
    must(dns_name_write(&key->name, owner) == OK && dns_name_write(&name, algorithm) == OK);
}

static uint16_t tsig_count(const struct buf *b, size_t at)
{
    return (uint16_t)(b->p[at] << 8 | b->p[at + 1]);
}

static void tsig_set_count(struct buf *b, size_t at, uint16_t v)
{
    b->p[at] = (uint8_t)(v >> 8);
    b->p[at + 1] = (uint8_t)v;
}

enum err dns_tsig_sign(struct buf *message, const struct dns_tsig_key *key, time_ms now,
                       struct dns_tsig_mac *out)
{
    struct buf owner CLEANUP(buf_done) = {.max = DNS_NAME_WIRE};
    struct buf algorithm CLEANUP(buf_done) = {.max = DNS_NAME_WIRE};
    struct buf data CLEANUP(buf_done) = {.max = TSIG_MESSAGE_MAX + 1024};
    struct tsig_record r = {.fudge = DNS_TSIG_FUDGE_S, .time_s = (uint64_t)(now / MS_SECOND)};
    uint16_t id;
    must(message->n >= TSIG_HEADER);
    id = tsig_count(message, 0);
    tsig_names(key, &owner, &algorithm);
    r.owner = buf_view(&owner);
    r.algorithm = buf_view(&algorithm);
    buf_append(&data, buf_view(message));
    tsig_variables(&data, &r);
    if (buf_failed(&data))
        return ERR_LIMIT;
    tsig_mac(key, buf_view(&data), out);
    buf_append(message, r.owner);
    buf_be16(message, DNS_TSIG);
    buf_be16(message, TSIG_CLASS_ANY);
    buf_be32(message, 0);
    buf_be16(message, (uint16_t)(r.algorithm.n + 6 + 2 + 2 + out->n + 2 + 2 + 2));
    buf_append(message, r.algorithm);
    tsig_be48(message, r.time_s);
    buf_be16(message, r.fudge);
    buf_be16(message, (uint16_t)out->n);
    buf_append(message, slice_of(out->bytes, out->n));
    buf_be16(message, id);
    buf_be16(message, 0);
    buf_be16(message, 0);
    if (buf_failed(message))
        return ERR_LIMIT;
    tsig_set_count(message, 10, (uint16_t)(tsig_count(message, 10) + 1));
    return OK;
}

/* ---- the answer */

/* Steps over a name. */
static bool tsig_skip_name(slice m, size_t *at)
{
    struct buf name CLEANUP(buf_done) = {.max = DNS_NAME_WIRE};
    return dns_name_expand(m, at, &name) == OK;
}

/* Steps over a record; its type is told. */
static bool tsig_skip_record(slice m, size_t *at, uint16_t *out_type)
{
    struct cursor c;
    uint16_t class, n;
    uint32_t ttl;
    slice rdata;
    if (!tsig_skip_name(m, at))
        return false;
    c = cursor_of(slice_from(m, *at));
    if (!cursor_u16(&c, out_type) || !cursor_u16(&c, &class) || !cursor_u32(&c, &ttl) ||
        !cursor_u16(&c, &n) || !cursor_bytes(&c, n, &rdata))
        return false;
    *at = m.n - c.rest.n;
    return true;
}

/* Where the last record begins; it is the only TSIG (§5.1). */
static enum dns_tsig_result tsig_find(slice m, size_t *out_at)
{
    struct cursor c = cursor_of(slice_from(m, 4));
    uint16_t counts[4], type = 0;
    size_t at = TSIG_HEADER, last = 0;
    unsigned records = 0;
    for (int i = 0; i < 4; i++)
        if (!cursor_u16(&c, &counts[i]))
            return DNS_TSIG_MALFORMED;
    for (unsigned i = 0; i < counts[0]; i++) {
        if (!tsig_skip_name(m, &at) || m.n - at < 4)
            return DNS_TSIG_MALFORMED;
        at += 4;
    }
    records = (unsigned)counts[1] + counts[2] + counts[3];
    for (unsigned i = 0; i < records; i++) {
        last = at;
        if (!tsig_skip_record(m, &at, &type) || (type == DNS_TSIG && i + 1 != records))
            return DNS_TSIG_MALFORMED;
    }
    if (at != m.n)
        return DNS_TSIG_MALFORMED;
    if (counts[3] == 0 || type != DNS_TSIG)
        return DNS_TSIG_MISSING;
    *out_at = last;
    return DNS_TSIG_GOOD;
}

/* Lower case, as §4.3.3 digests names. Octets of length are below 'A'. */
static void tsig_lower(struct buf *b)
{
    for (size_t i = 0; i < b->n; i++)
        b->p[i] = ascii_lower(b->p[i]);
}

static bool tsig_read(slice m, size_t at, struct buf *owner, struct buf *algorithm, struct tsig_record *r)
{
    struct cursor c;
    uint16_t type, n, high, mac_n, other_n;
    uint32_t low;
    slice id;
    size_t rdata;
    if (dns_name_expand(m, &at, owner) != OK)
        return false;
    c = cursor_of(slice_from(m, at));
    if (!cursor_u16(&c, &type) || !cursor_u16(&c, &r->class) || !cursor_u32(&c, &r->ttl) ||
        !cursor_u16(&c, &n) || c.rest.n != n)
        return false;
    rdata = m.n - n;
    if (dns_name_expand(m, &rdata, algorithm) != OK)
        return false;
    c = cursor_of(slice_from(m, rdata));
    if (!cursor_u16(&c, &high) || !cursor_u32(&c, &low) || !cursor_u16(&c, &r->fudge) ||
        !cursor_u16(&c, &mac_n) || !cursor_bytes(&c, mac_n, &r->mac) || !cursor_bytes(&c, 2, &id) ||
        !cursor_u16(&c, &r->error) || !cursor_u16(&c, &other_n) || !cursor_bytes(&c, other_n, &r->other) ||
        !cursor_end(&c))
        return false;
    tsig_lower(owner);
    tsig_lower(algorithm);
    r->time_s = (uint64_t)high << 32 | low;
    r->original_id = (uint16_t)(id.p[0] << 8 | id.p[1]);
    r->owner = buf_view(owner);
    r->algorithm = buf_view(algorithm);
    return r->class == TSIG_CLASS_ANY && r->ttl == 0;
}

/* §5.3.1: the request's MAC, the answer as it was before TSIG, the variables. */
static bool tsig_mac_good(slice m, size_t at, const struct tsig_record *r, const struct dns_tsig_key *key,
                          const struct dns_tsig_mac *request)
{
    struct buf data CLEANUP(buf_done) = {.max = TSIG_MESSAGE_MAX + 2048};
    struct dns_tsig_mac mac;
    size_t head = 2 + request->n;
    buf_be16(&data, (uint16_t)request->n);
    buf_append(&data, slice_of(request->bytes, request->n));
    buf_append(&data, slice_sub(m, 0, at));
    if (buf_failed(&data))
        return false;
    tsig_set_count(&data, head, r->original_id);
    tsig_set_count(&data, head + 10, (uint16_t)(tsig_count(&data, head + 10) - 1));
    tsig_variables(&data, r);
    if (buf_failed(&data))
        return false;
    tsig_mac(key, buf_view(&data), &mac);
    return slice_eq_secret(slice_of(mac.bytes, mac.n), r->mac);
}

static enum dns_tsig_result tsig_error(uint16_t error)
{
    return error == 16 ? DNS_TSIG_BADSIG : error == 17 ? DNS_TSIG_BADKEY : DNS_TSIG_ERROR;
}

enum dns_tsig_result dns_tsig_check(slice answer, const struct dns_tsig_key *key,
                                    const struct dns_tsig_mac *request, time_ms now, int64_t *out_skew_s)
{
    struct buf owner CLEANUP(buf_done) = {.max = DNS_NAME_WIRE};
    struct buf algorithm CLEANUP(buf_done) = {.max = DNS_NAME_WIRE};
    struct buf our_owner CLEANUP(buf_done) = {.max = DNS_NAME_WIRE};
    struct buf our_algorithm CLEANUP(buf_done) = {.max = DNS_NAME_WIRE};
    struct tsig_record r = {0};
    size_t at = 0;
    int64_t skew;
    enum dns_tsig_result found =
        answer.n < TSIG_HEADER || answer.n > TSIG_MESSAGE_MAX ? DNS_TSIG_MALFORMED : tsig_find(answer, &at);
    if (found != DNS_TSIG_GOOD)
        return found;
    if (!tsig_read(answer, at, &owner, &algorithm, &r))
        return DNS_TSIG_MALFORMED;
    tsig_names(key, &our_owner, &our_algorithm);
    if (r.error && r.mac.n == 0) /* §5.3.2: not signed */
        return tsig_error(r.error);
    if (!slice_eq(r.owner, buf_view(&our_owner)) || !slice_eq(r.algorithm, buf_view(&our_algorithm)))
        return DNS_TSIG_FOREIGN;
    if (r.mac.n != request->n)
        return DNS_TSIG_SHORT;
    if (!tsig_mac_good(answer, at, &r, key, request))
        return DNS_TSIG_FORGED;
    if (r.error == 18 && r.other.n == 6) { /* §5.2.3: time is ours, the other data is theirs */
        uint64_t theirs = 0;
        for (size_t i = 0; i < 6; i++)
            theirs = theirs << 8 | r.other.p[i];
        *out_skew_s = (int64_t)theirs - now / MS_SECOND;
        return DNS_TSIG_BADTIME;
    }
    if (r.error)
        return tsig_error(r.error);
    skew = (int64_t)r.time_s - now / MS_SECOND;
    if (skew > (int64_t)r.fudge || skew < -(int64_t)r.fudge) {
        *out_skew_s = skew;
        return DNS_TSIG_LATE;
    }
    return DNS_TSIG_GOOD;
}
