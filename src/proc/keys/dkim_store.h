/* dkim_store: the DKIM keys of all our domains: a folder with one file a key (dkim_file.h), an index of it in
 * memory, and the private keys that were used lately.
 *
 * What it is not: a judgement on when a key should sign; doctor decides that (policy/key_rotation.h).
 *
 * Invariants
 *  1. The folder is the truth; the index holds what was read from it. A file is read when it is first needed.
 *  2. A damaged file costs that one key: it is told once through trouble, listed as ERR_CORRUPT, never signs.
 *     Its selector stays taken.
 *  3. A key signs digests of 32 octets for its own domain only, and only while it is in state signing (or for
 *     DKIM_REST_GRACE_MS after, for mail that was under way).
 *  4. At most DKIM_LOADED_MAX private keys are in memory, in OpenSSL's secure heap; others are read again.
 *  5. At most DKIM_SIGN_RATE signatures a second are made.
 * Limits: DKIM_KEYS_MAX files; names of DKIM_ID_MAX octets. */
#ifndef POSTHORN_PROC_KEYS_DKIM_STORE_H
#define POSTHORN_PROC_KEYS_DKIM_STORE_H

#include "crypto/digest.h"
#include "proc/keys/dkim_file.h"

#define DKIM_KEYS_MAX      100000
#define DKIM_LOADED_MAX    1024
#define DKIM_SIGN_RATE     2000 /* RSA-2048: more than a core can do beside handshakes */
#define DKIM_REST_GRACE_MS (10 * MS_MINUTE)
#define DKIM_SIGNERS_MAX   4 /* keys of a domain that sign at once: the newest of each algorithm */

struct dkim_store;

typedef void (*dkim_trouble_fn)(void *arg, const char *text);

/* Reads the names in the folder (its descriptor is the store's from now on). ERR_IO: it cannot be read. */
NODISCARD enum err dkim_store_open(int folder, dkim_trouble_fn trouble, void *arg, struct dkim_store **out);
/* Wipes the keys. NULLs the pointer; NULL is fine. */
void dkim_store_close(struct dkim_store **s);
size_t dkim_store_count(const struct dkim_store *s);
/* Private keys in memory now. */
size_t dkim_store_loaded(const struct dkim_store *s);

/* The row behind id (0-length: the first), in order of id. err ERR_CORRUPT: a damaged one, of which only the
 * names are known. ERR_NOT_FOUND: no more. Slices live until the next call. */
NODISCARD enum err dkim_store_next(struct dkim_store *s, slice after, struct doctor_key *out);

struct dkim_signer {
    slice selector; /* lives as long as the key */
    enum dkim_key_algorithm algorithm;
};
/* The keys that sign for a domain now: how many. */
size_t dkim_store_signers(struct dkim_store *s, slice domain, struct dkim_signer out[DKIM_SIGNERS_MAX]);
/* ERR_NOT_FOUND: no such key; ERR_STATE: it does not sign; ERR_SYNTAX: no digest of SHA-256; ERR_BUSY: too
 * many in this second; ERR_CORRUPT: its file is damaged. */
NODISCARD enum err dkim_store_sign(struct dkim_store *s, slice domain, slice selector, slice digest,
                                   time_ms now_unix, time_ms now_mono, struct buf *out);

/* Could a key of this name be added? ERR_SYNTAX, ERR_LIMIT, ERR_EXISTS, with words. */
NODISCARD enum err dkim_store_may_add(const struct dkim_store *s, slice domain, slice selector,
                                      struct err_detail *detail);
/* Keeps a new key, in state waiting. As above, or what the disk says. */
NODISCARD enum err dkim_store_add(struct dkim_store *s, slice domain, slice selector,
                                  enum dkim_key_algorithm algorithm, slice public, slice pem,
                                  time_ms now_unix, struct err_detail *detail);
/* ERR_NOT_FOUND; ERR_STATE: no key goes back to waiting; or what the disk says. The same state again is fine
 * and changes nothing, but a rest begins anew, and times that lie in the future are now. */
NODISCARD enum err dkim_store_set(struct dkim_store *s, slice id, enum dkim_key_state state, time_ms now_unix,
                                  struct err_detail *detail);
NODISCARD enum err dkim_store_remove(struct dkim_store *s, slice id);

#endif
