/* ticket: form, MAC and the memory of used ones. */
#include "ipc/ticket.h"

#include "crypto/digest.h"
#include "text/percent.h"

#define TICKET_VERSION 1
#define TICKET_BODY    (TICKET_SIZE - DIGEST_SHA256_SIZE)

static_assert(TICKET_BODY == 2 + 5 * 8, "the form in the header");

static void ticket_put(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}

static slice ticket_key_view(const struct ticket_key *key)
{
    return slice_of(key->bytes, sizeof key->bytes);
}

enum err ticket_key_parse(slice hex, struct ticket_key *out)
{
    struct ticket_key key;
    if (hex.n != 2 * sizeof key.bytes)
        return ERR_SYNTAX;
    for (size_t i = 0; i < sizeof key.bytes; i++) {
        int high = hex_digit(hex.p[2 * i]), low = hex_digit(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_SYNTAX;
        key.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = key;
    return OK;
}

void ticket_encode(const struct ticket *t, const struct ticket_key *key, uint8_t out[TICKET_SIZE])
{
    must(t->expires_mono >= 0);
    out[0] = TICKET_VERSION;
    out[1] = (uint8_t)t->scope;
    ticket_put(out + 2, t->account);
    ticket_put(out + 10, t->epoch);
    ticket_put(out + 18, t->issuer);
    ticket_put(out + 26, t->nonce);
    ticket_put(out + 34, (uint64_t)t->expires_mono);
    digest_hmac_sha256(ticket_key_view(key), slice_of(out, TICKET_BODY), out + TICKET_BODY);
}

enum err ticket_verify(slice bytes, const struct ticket_key *key, enum ticket_scope want, uint64_t epoch,
                       time_ms now_mono, struct ticket *out)
{
    uint8_t mac[DIGEST_SHA256_SIZE];
    struct cursor c = cursor_of(bytes);
    struct ticket t = {0};
    uint64_t expires;
    uint8_t version, scope;

    if (bytes.n != TICKET_SIZE || !cursor_u8(&c, &version) || version != TICKET_VERSION ||
        !cursor_u8(&c, &scope) || !cursor_u64(&c, &t.account) || !cursor_u64(&c, &t.epoch) ||
        !cursor_u64(&c, &t.issuer) || !cursor_u64(&c, &t.nonce) || !cursor_u64(&c, &expires))
        return ERR_SYNTAX;
    digest_hmac_sha256(ticket_key_view(key), slice_sub(bytes, 0, TICKET_BODY), mac);
    if (!slice_eq_secret(slice_of(mac, sizeof mac), c.rest))
        return ERR_DENIED;
    if (expires > INT64_MAX)
        return ERR_SYNTAX;
    t.expires_mono = (time_ms)expires;
    t.scope = (enum ticket_scope)scope;
    if (t.epoch != epoch || now_mono >= t.expires_mono)
        return ERR_EXPIRED;
    if (t.scope != want)
        return ERR_DENIED;
    *out = t;
    return OK;
}

/* The record of this issuer; a new one takes the place of the older of the two. */
static struct ticket_replay_issuer *ticket_replay_find(struct ticket_replay *r, uint64_t issuer)
{
    struct ticket_replay_issuer *i;
    for (unsigned k = 0; k < ARRAY_LEN(r->issuers); k++)
        if (r->issuers[k].issuer == issuer && r->issuers[k].highest)
            return &r->issuers[k];
    r->latest = (r->latest + 1) % (unsigned)ARRAY_LEN(r->issuers);
    i = &r->issuers[r->latest];
    memset(i, 0, sizeof *i);
    i->issuer = issuer;
    return i;
}

enum err ticket_replay_use(struct ticket_replay *r, const struct ticket *t)
{
    struct ticket_replay_issuer *i;
    uint64_t word = t->nonce / 64 % (TICKET_REPLAY_WINDOW / 64), bit = (uint64_t)1 << t->nonce % 64;
    if (t->nonce == 0)
        return ERR_REPLAYED; /* nonces start at 1 */
    i = ticket_replay_find(r, t->issuer);
    if (t->nonce > i->highest) {
        /* The window moves in whole words: those it enters are forgotten. */
        uint64_t from = i->highest / 64 + 1, to = t->nonce / 64;
        if (to >= from && to - from >= ARRAY_LEN(i->bits))
            memset(i->bits, 0, sizeof i->bits);
        else
            for (uint64_t w = from; w <= to; w++)
                i->bits[w % ARRAY_LEN(i->bits)] = 0;
        i->highest = t->nonce;
    } else if (i->highest / 64 - t->nonce / 64 >= ARRAY_LEN(i->bits)) {
        return ERR_REPLAYED;
    }
    if (i->bits[word] & bit)
        return ERR_REPLAYED;
    i->bits[word] |= bit;
    return OK;
}
