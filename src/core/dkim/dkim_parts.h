/* dkim_parts: the steps that DKIM is made of, for verifying (verify.c), signing (sign.c) and ARC, whose
 * signatures are DKIM's with other field names (RFC 8617 §4.1): canonical forms, the choice of header fields,
 * keys from the DNS.
 *
 * Nothing here decides whether a message passes. Bodies come as they travelled in SMTP, lines ended by CRLF;
 * LF alone is an octet like any other (RFC 6376 §5.3). */
#ifndef POSTHORN_CORE_DKIM_DKIM_PARTS_H
#define POSTHORN_CORE_DKIM_DKIM_PARTS_H

#include "core/auth/auth.h"
#include "core/dkim/dkim.h"
#include "core/dns/dns_table.h"
#include "crypto/digest.h"
#include "text/tag_list.h"

/* --- canonical.c: canonical forms (RFC 6376 §3.4), hashed as they are made --- */

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

#define DKIM_SINK_ROOM 4096

/* Where canonical octets go: short runs are gathered, long ones are hashed where they lie. */
struct dkim_sink {
    struct digest_stream hash;
    size_t n;
    uint8_t room[DKIM_SINK_ROOM];
};

/* The hash of a body. Empty lines at the end of the body count for nothing, so those at the end of what came
 * so far are held as a number (invariant: held lines use no memory, however many come). */
struct dkim_body_hash {
    struct dkim_sink sink;
    enum dkim_canon canon;
    uint64_t held; /* CRLFs not yet hashed */
    bool held_cr;  /* and a CR behind them that ends the piece */
    bool blank;    /* relaxed: white space not yet hashed; it is behind the CRLFs held */
    bool blank_cr; /* and a CR behind that */
    bool any;      /* something other than empty lines came */
};

/* *h is all zero, or was used before. */
void dkim_body_hash_begin(struct dkim_body_hash *h, enum dkim_canon canon);
/* Any split of the body gives the same digest. */
void dkim_body_hash_feed(struct dkim_body_hash *h, slice piece);
void dkim_body_hash_end(struct dkim_body_hash *h, uint8_t out[DIGEST_SHA256_SIZE]);
void dkim_body_hash_done(struct dkim_body_hash *h);

/* The hash of header fields: begin, fields in their order, the signature field itself last, end. */
struct dkim_header_hash {
    struct dkim_sink sink;
    enum dkim_canon canon;
};

void dkim_header_hash_begin(struct dkim_header_hash *h, enum dkim_canon canon);
/* raw: the whole field, name to line end (RFC 6376 §3.4.1, §3.4.2). */
void dkim_header_hash_field(struct dkim_header_hash *h, slice raw);
/* The field that holds the signature, which is signed with its b= emptied and without its last line end
 * (RFC 6376 §3.7). b: the value of b= as tag_list gave it, lying inside raw; a null pointer when raw has its
 * b= empty already. */
void dkim_header_hash_signature(struct dkim_header_hash *h, slice raw, slice b);
void dkim_header_hash_end(struct dkim_header_hash *h, uint8_t out[DIGEST_SHA256_SIZE]);
void dkim_header_hash_done(struct dkim_header_hash *h);

/* --- fields.c: the fields of a header block, found by name from the bottom up --- */

#define DKIM_FIELDS_MAX 1000 /* of a header block that is looked at */
#define DKIM_NAMES_MAX  250  /* in one h= */
#define DKIM_NAME_MAX   128  /* octets of a name that can be signed: the longest registered one has 41 */
/* Octets of fields that are hashed for all signatures of a message together. A header may have 10 MB, and ten
 * signatures would have all of it hashed ten times: a second's work for one message (THREATS 6). */
#define DKIM_HASHED_MAX ((size_t)2 << 20)

struct dkim_field {
    slice name; /* as written */
    slice value, raw;
    uint32_t above; /* the next one further up in the same chain, plus 1; 0: none */
    uint32_t key;   /* of the name, fields.c's own */
    uint32_t taken; /* stamp of the signature that signed it last */
};

struct dkim_fields {
    struct dkim_field *at; /* top to bottom */
    size_t n;
    uint32_t chain[64]; /* lowest field of each chain, plus 1 */
    uint32_t stamp;
    size_t hashed;      /* octets, against DKIM_HASHED_MAX */
    slice itself;       /* raw of the signature field that is checked, which no h= takes; may be empty */
    const char *defect; /* NULL, or why no signature over this block can be valid (THREATS 22) */
};

/* Reads a header block, with or without its empty line. A line that is no field, NUL, a bare CR or LF, or
 * more than DKIM_FIELDS_MAX fields set defect. False at the arena's cap. */
NODISCARD bool dkim_fields_read(slice header, struct arena *a, struct dkim_fields *out);
/* How many fields have that name (ASCII case folded). */
size_t dkim_fields_count(const struct dkim_fields *f, slice name);
/* Begins a choice of fields: none is taken. */
void dkim_fields_begin(struct dkim_fields *f);
/* The lowest field of that name that was not taken since and is not f->itself (RFC 6376 §3.5: h= is never
 * about the signature's own field); takes it. NULL: there is no more, the name counts as an empty string
 * (RFC 6376 §5.4.2). */
const struct dkim_field *dkim_fields_take(struct dkim_fields *f, slice name);
/* Hashes the fields that h= names (RFC 6376 §3.7), in its order. False: with those hashed before it would be
 * more than DKIM_HASHED_MAX; the hash is good for nothing then. */
NODISCARD bool dkim_fields_hash(struct dkim_fields *f, slice h, struct dkim_header_hash *hash);

/* --- signature.c: what the tags of a signature may be. Each fills *out and returns NULL, or returns why not,
 * in words (static memory) --- */

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256 };

/* a=: the two that are used today (RFC 8301 §3.1, RFC 8463 §3). */
const char *dkim_tag_algorithm(slice a, enum dkim_algorithm *out);
/* c=: "header/body", the second part may be missing (RFC 6376 §3.5). */
const char *dkim_tag_canon(slice c, enum dkim_canon *out_header, enum dkim_canon *out_body);
/* d= and s=: names by dns_name; d= has at least two labels (RFC 6376 §3.5). out->text is lower case. */
const char *dkim_tag_domain(slice d, struct dns_name *out);
const char *dkim_tag_selector(slice s, struct dns_name *out);
/* h=: 1 to DKIM_NAMES_MAX field names. */
const char *dkim_tag_names(slice h);
/* bh=: 32 octets. */
const char *dkim_tag_digest(slice bh, uint8_t out[DIGEST_SHA256_SIZE]);
/* b=: appended to out, which has room for DKIM_SIGNATURE_MAX. */
#define DKIM_SIGNATURE_MAX 1024
const char *dkim_tag_signature(slice b, struct buf *out);
/* t= and x=: seconds since 1970; out in ms. */
const char *dkim_tag_time(slice t, time_ms *out);

/* --- key_record.c: the key record (RFC 6376 §3.6) --- */

/* "SELECTOR._domainkey.DOMAIN". False when that is too long for a name. */
NODISCARD bool dkim_key_name(slice selector, slice domain, struct dns_name *out);

struct dkim_key_record {
    slice p;      /* the key in base64, with the white space it came with; empty: revoked */
    bool rsa;     /* k=rsa, else k=ed25519 */
    bool testing; /* t=y */
    bool strict;  /* t=s: i= has to have the very domain of d= */
};

/* Reads one record's text; views into it. Is it a key for mail, for this algorithm? NULL, or why not. */
const char *dkim_key_record_parse(slice text, enum dkim_algorithm algorithm, struct dkim_key_record *out);

/* A key, found and judged. */
struct dkim_key {
    enum auth_result result; /* AUTH_PASS: usable; else what this makes of the signature */
    slice reason;            /* why not, in words, lives in the arena */
    struct dkim_key_record record;
};

/* Looks for the key of a selector of a domain. AUTH_WAIT: the question is noted. Of several records the first
 * that is a key for this algorithm is taken, of at most 10 (RFC 6376 §3.6.2.2 leaves it open). */
NODISCARD enum auth_step dkim_key_find(struct dns_table *dns, slice selector, slice domain,
                                       enum dkim_algorithm algorithm, struct arena *a, struct dkim_key *out);

/* Checks a signature over a digest with a key that dkim_key_find() gave. AUTH_PASS, AUTH_FAIL (not a
 * signature of this key over this), AUTH_POLICY (the key is too short), AUTH_PERMERROR (the key is no key);
 * *out_reason says why not, static or in the arena. cache may be NULL. */
enum auth_result dkim_key_check(struct dkim_keys_cache *cache, const struct dkim_key *key,
                                const uint8_t digest[DIGEST_SHA256_SIZE], slice signature, struct arena *a,
                                unsigned *out_bits, slice *out_reason);

/* --- verify.c: one hash of the body for DKIM and ARC --- */

/* Has v hash this form of the body too, for somebody else; before the first piece. False at the arena's cap.
 */
NODISCARD bool dkim_verify_body_want(struct dkim_verify *v, enum dkim_canon canon);
/* The digest of that form, after dkim_verify_body_end(); it was wanted. */
const uint8_t *dkim_verify_body_digest(const struct dkim_verify *v, enum dkim_canon canon);

/* printf into the arena; an empty slice at its cap. */
slice dkim_words(struct arena *a, const char *format, ...) FORMAT(2, 3);

#endif
