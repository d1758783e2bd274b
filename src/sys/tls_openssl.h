/* OpenSSL's headers, for the tls files and their tests. OpenSSL has a (deprecated) type ERR_STATE; base/err.h
 * has a code of that name. */
#ifndef POSTHORN_SYS_TLS_OPENSSL_H
#define POSTHORN_SYS_TLS_OPENSSL_H

#define ERR_STATE openssl_err_state
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#endif
