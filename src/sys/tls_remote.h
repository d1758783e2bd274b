/* tls_remote: private keys that are somewhere else, as OpenSSL sees them.
 *
 * A small OpenSSL 3 provider ("posthorn") whose keys know their public half and a callback, and whose
 * signatures are made by the callback (docs/decisions/0002-remote-keys.md). For EC P-256 and RSA, signing
 * only: a taken-over process finds no private key in its memory and can ask for TLS handshake signatures only
 * while it lives. */
#ifndef POSTHORN_SYS_TLS_REMOTE_H
#define POSTHORN_SYS_TLS_REMOTE_H

#include "sys/tls.h"
#include "sys/tls_openssl.h"

/* Loads OpenSSL's default provider and ours into the default library context. Once; again is harmless. */
NODISCARD enum err tls_remote_setup(void);
/* A key for libssl with the public half of `public` (borrowed). The signer's arg must outlive every use.
 * *out is freed with EVP_PKEY_free(). ERR_CONFIG: neither P-256 nor RSA of 2048 to 4096 bits. */
NODISCARD enum err tls_remote_key(EVP_PKEY *public, const struct tls_signer *signer, uint32_t key,
                                  EVP_PKEY **out);

#endif
