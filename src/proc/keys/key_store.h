/* key_store: the private keys of this server, and what may be done with them: sign the texts of TLS
 * handshakes.
 *
 * What it is not: a service that signs whatever it is handed. A text has to have the form that TLS gives it
 * (key_text_allowed), so that a taken-over edge cannot have anything else signed with these keys.
 *
 * Invariants
 *  1. Private keys lie in OpenSSL's secure heap: locked, apart from other memory, wiped when freed (THREATS
 * 50).
 *  2. A key signs with the schemes of its kind only; the certificate and the key belong together.
 *  3. At most KEY_SIGN_RATE signatures a second are made, over all askers. */
#ifndef POSTHORN_PROC_KEYS_KEY_STORE_H
#define POSTHORN_PROC_KEYS_KEY_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/time.h"

#define KEY_STORE_MAX  16
#define KEY_PEM_MAX    ((size_t)64 * 1024)
#define KEY_SIGN_RATE  4000
#define KEY_SIGNED_MAX 512
#define KEY_DIGEST     32

struct key_store;

struct key_store *key_store_new(void);
void key_store_free(struct key_store **s);
/* Adds a pair. cert_pem: certificate and its issuers; key_pem: the private key (wiped by its owner).
 * ERR_CONFIG with detail: what is wrong with them and what to do. *out_key is the number to sign with. */
NODISCARD enum err key_store_add(struct key_store *s, slice cert_pem, slice key_pem, uint32_t *out_key,
                                 struct err_detail *detail);
size_t key_store_count(const struct key_store *s);
/* The chain of the i-th pair, as it was given. Lives as long as the store. */
slice key_store_chain(const struct key_store *s, size_t i);
/* SHA-256 of the i-th public key (SubjectPublicKeyInfo), KEY_DIGEST octets. Lives as long as the store. */
const uint8_t *key_store_digest(const struct key_store *s, size_t i);
/* Signs text with the scheme (sys/tls_scheme.h). ERR_NOT_FOUND: no such key; ERR_UNSUPPORTED: not a scheme of
 * this key; ERR_DENIED: the text is not one of a TLS handshake; ERR_BUSY: too many in this second. */
NODISCARD enum err key_store_sign(struct key_store *s, uint32_t key, uint16_t scheme, slice text,
                                  time_ms now_mono, struct buf *out);
/* Is this what a TLS handshake signs? RFC 8446 §4.4.3 (CertificateVerify), RFC 8422 §5.4 (ServerKeyExchange).
 */
bool key_text_allowed(slice text);

#endif
