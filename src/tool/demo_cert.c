#include "tool/demo_cert.h"

#include "sys/entropy.h"

#define ERR_STATE openssl_err_state /* base/err.h has a code of that name */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CERT_DAYS 800 /* some clients refuse more than 825 */
#define NAMES     "DNS:localhost,DNS:mail.demo.test,DNS:demo.test,IP:127.0.0.1,IP:::1"

static void free_key(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void free_cert(X509 **c)
{
    X509_free(*c);
}

static void close_file(FILE **f)
{
    if (*f)
        fclose(*f);
}

static void cert_path(const char *folder, const char *name, char out[1200])
{
    snprintf(out, 1200, "%.1100s/%s", folder, name);
}

/* Is a certificate there, good for a week more, with its key and CA beside it? */
static bool cert_is_good(const char *folder)
{
    char cert[1200], key[1200], ca[1200];
    time_t week = time(NULL) + 7 * 86400;
    FILE *f CLEANUP(close_file) = NULL;
    X509 *x CLEANUP(free_cert) = NULL;
    cert_path(folder, "cert.pem", cert);
    cert_path(folder, "key.pem", key);
    cert_path(folder, "ca.pem", ca);
    if (access(key, R_OK) != 0 || access(ca, R_OK) != 0)
        return false;
    f = fopen(cert, "re");
    if (!f)
        return false;
    x = PEM_read_X509(f, NULL, NULL, NULL);
    return x && X509_cmp_time(X509_get0_notAfter(x), &week) > 0;
}

static bool cert_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;
    bool good;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    good = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return good;
}

/* A certificate of key, signed by issuer_key; issuer NULL: by itself, as a CA. */
static X509 *cert_build(EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const char *name)
{
    X509 *x = X509_new();
    X509_NAME *subject = x ? X509_get_subject_name(x) : NULL;
    bool good = x && X509_set_version(x, 2) == 1 &&
                ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), entropy_u64() >> 1) == 1 &&
                X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
                X509_gmtime_adj(X509_getm_notAfter(x), CERT_DAYS * 86400L) && X509_set_pubkey(x, key) == 1 &&
                X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                                           0) == 1 &&
                X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject) == 1 &&
                cert_extension(x, issuer ? issuer : x, NID_subject_key_identifier, "hash") &&
                cert_extension(x, issuer ? issuer : x, NID_authority_key_identifier, "keyid") &&
                cert_extension(x, x, NID_basic_constraints,
                               issuer ? "critical,CA:FALSE" : "critical,CA:TRUE,pathlen:0") &&
                cert_extension(x, x, NID_key_usage,
                               issuer ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign") &&
                (!issuer || (cert_extension(x, x, NID_ext_key_usage, "serverAuth,clientAuth") &&
                             cert_extension(x, x, NID_subject_alt_name, NAMES))) &&
                X509_sign(x, issuer_key, EVP_sha256()) > 0;
    if (good)
        return x;
    X509_free(x);
    return NULL;
}

/* Writes name.new, then puts it in place. */
static bool cert_write(const char *folder, const char *name, mode_t mode, const X509 *cert,
                       const EVP_PKEY *key)
{
    char path[1200], fresh[1210];
    FILE *f CLEANUP(close_file) = NULL;
    int fd;
    bool good;
    cert_path(folder, name, path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    f = fd >= 0 ? fdopen(fd, "w") : NULL;
    good = f &&
           (cert ? PEM_write_X509(f, cert) == 1
                 : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1) &&
           fflush(f) == 0;
    return good && rename(fresh, path) == 0;
}

enum err demo_cert_make(const char *folder, struct err_detail *detail)
{
    EVP_PKEY *ca_key CLEANUP(free_key) = NULL, *key CLEANUP(free_key) = NULL;
    X509 *ca CLEANUP(free_cert) = NULL, *cert CLEANUP(free_cert) = NULL;
    if (cert_is_good(folder))
        return OK;
    ca_key = EVP_EC_gen("P-256");
    key = EVP_EC_gen("P-256");
    ca = ca_key ? cert_build(ca_key, NULL, ca_key, "Posthorn demo, throw-away") : NULL;
    cert = ca && key ? cert_build(key, ca, ca_key, "mail.demo.test") : NULL;
    if (!cert) {
        err_detail_set(detail, "OpenSSL could not make the demo's certificate");
        return ERR_TLS;
    }
    if (cert_write(folder, "ca.pem", 0644, ca, NULL) && cert_write(folder, "key.pem", 0600, NULL, key) &&
        cert_write(folder, "cert.pem", 0644, cert, NULL))
        return OK;
    err_detail_set(detail, "the demo's certificate could not be written to %.150s: %s", folder,
                   strerror(errno));
    return ERR_IO;
}
