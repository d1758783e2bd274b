/* dkim_kit: keys, a zone with their records, signatures of any form made from the parts, and a verifier that
 * answers its own questions. */
#ifndef POSTHORN_TEST_UNIT_DKIM_DKIM_KIT_H
#define POSTHORN_TEST_UNIT_DKIM_DKIM_KIT_H

#include "core/dkim/sign.h"
#include "core/dns/dns_zone_text.h"
#include "core/mail/header.h"
#include "crypto/private_key.h"
#include "lib/test.h"

#define KIT_NOW ((time_ms)1700000000 * MS_SECOND)

struct dkim_kit {
    struct private_key *rsa, *ed25519;
    struct buf rsa_text, ed25519_text; /* their p= */
    struct arena zone_arena, arena;    /* arena: of the last verification */
    struct dns_zone zone;
    struct dkim_keys_cache *cache;
    const struct dkim_result *results;
    size_t n;
    size_t questions; /* that were asked for the last message */
};

void dkim_kit_init(struct dkim_kit *k);
void dkim_kit_done(struct dkim_kit *k);
/* The records that are there: text as of dns_zone_text. Without this: r._domainkey.example.org with the RSA
 * key, e._domainkey.example.org with the Ed25519 key. */
void dkim_kit_zone(struct dkim_kit *k, const char *format, ...) FORMAT(2, 3);
/* The usual records again. */
void dkim_kit_zone_usual(struct dkim_kit *k);

/* How a signature is made: tags without bh= and b=, "{h}" of them is what is signed. */
struct dkim_form {
    bool ed25519;
    enum dkim_canon header, body;
    const char *tags; /* "v=1; a=...; ..." */
    const char *h;    /* the fields that are hashed */
};
/* message with a DKIM-Signature field in front. The signature is right for what the tags say, whatever they
 * are. Only the first body_bytes of the body are signed (SIZE_MAX: all). */
void dkim_kit_sign(struct dkim_kit *k, const struct dkim_form *form, slice message, size_t body_bytes,
                   struct buf *out);
/* Fills results and n. The body is fed in pieces of split octets (0: at once). */
void dkim_kit_verify(struct dkim_kit *k, slice message, size_t split, time_ms now);
/* The one result there has to be. */
const struct dkim_result *dkim_kit_one(struct dkim_kit *k, slice message);

#endif
