/* scram: passwords, verifiers and the pieces that both sides share. */
#include "core/sasl/scram.h"

#include "core/sasl/scram__common.h"
#include "text/base64.h"
#include "text/utf8.h"

#include <utf8proc.h>

#define PREPARE_MAX 512 /* code points on the way; a struct secret holds fewer bytes anyway */

static_assert(SCRAM_KEY_SIZE == DIGEST_SHA256_SIZE, "SCRAM-SHA-256");

bool scram__attribute(struct cursor *c, uint8_t x, slice *out)
{
    size_t n;
    if (cursor_peek(c) != x || cursor_peek_at(c, 1) != '=')
        return false;
    cursor_skip(c, 2);
    n = slice_index(c->rest, ',');
    *out = slice_sub(c->rest, 0, n);
    cursor_skip(c, n + 1);
    return true;
}

bool scram__append(uint8_t *to, size_t *n, size_t cap, slice s)
{
    if (s.n > cap - *n)
        return false;
    if (s.n)
        memcpy(to + *n, s.p, s.n);
    *n += s.n;
    return true;
}

bool scram__nonce_good(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
            return false;
    return s.n > 0 && s.n <= 2 * SCRAM_NONCE_MAX;
}

enum err scram__decode(slice text, uint8_t *out, size_t cap, size_t *out_n)
{
    struct buf b CLEANUP(buf_done) = {.max = cap};
    enum err e = base64_decode(text, &b);
    if (e != OK)
        return e;
    if (b.n)
        memcpy(out, b.p, b.n);
    *out_n = b.n;
    secret_wipe(b.p, b.n);
    return OK;
}

void scram__hmac(const uint8_t key[SCRAM_KEY_SIZE], slice s, uint8_t out[SCRAM_KEY_SIZE])
{
    digest_hmac_sha256(slice_of(key, SCRAM_KEY_SIZE), s, out);
}

/* ---- passwords */

/* RFC 3454 C.1.2: blanks that become a plain one. */
static bool prepare_blank(int32_t c)
{
    return c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200B) || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

/* RFC 3454 B.1: commonly mapped to nothing. */
static bool prepare_nothing(int32_t c)
{
    return c == 0xAD || c == 0x34F || c == 0x1806 || (c >= 0x180B && c <= 0x180D) || c == 0x200C ||
           c == 0x200D || c == 0x2060 || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF;
}

/* RFC 4013 §2.3, the part that cannot be typed on purpose: controls, private use, non-characters. */
static bool prepare_prohibited(int32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029 ||
           (c >= 0xD800 && c <= 0xF8FF) || (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE ||
           c >= 0xF0000;
}

static enum err prepare_unicode(slice password, struct secret *out)
{
    int32_t mapped[PREPARE_MAX];
    uint8_t text[PREPARE_MAX * UTF8_MAX];
    utf8proc_int32_t code[PREPARE_MAX + 1]; /* reencode writes a NUL behind */
    utf8proc_ssize_t n;
    size_t used = 0, text_n = 0;
    enum err e = OK;

    while (password.n && e == OK) {
        uint32_t c;
        size_t step = utf8_next(password, &c);
        if (step == 0)
            return ERR_SYNTAX;
        password = slice_from(password, step);
        if (prepare_nothing((int32_t)c))
            continue;
        if (prepare_prohibited((int32_t)c))
            e = ERR_SYNTAX;
        else if (used == PREPARE_MAX)
            e = ERR_LIMIT;
        else
            mapped[used++] = prepare_blank((int32_t)c) ? ' ' : (int32_t)c;
    }
    for (size_t i = 0; i < used && e == OK; i++)
        text_n += utf8_put(text + text_n, (uint32_t)mapped[i]);
    if (e == OK) {
        utf8proc_option_t how = UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_STABLE;
        n = utf8proc_decompose(text, (utf8proc_ssize_t)text_n, code, PREPARE_MAX, how);
        if (n < 0)
            e = ERR_SYNTAX;
        else if (n > PREPARE_MAX)
            e = ERR_LIMIT;
        else if ((n = utf8proc_normalize_utf32(code, n, how)) < 0)
            e = ERR_SYNTAX;
        for (text_n = 0, used = 0; e == OK && used < (size_t)n; used++)
            text_n += utf8_put(text + text_n, (uint32_t)code[used]);
        if (e == OK)
            e = text_n ? secret_set(out, slice_of(text, text_n)) : ERR_SYNTAX;
    }
    secret_wipe(mapped, sizeof mapped);
    secret_wipe(code, sizeof code);
    secret_wipe(text, sizeof text);
    return e;
}

enum err scram_password_prepare(slice password, struct secret *out)
{
    if (password.n == 0)
        return ERR_SYNTAX;
    if (password.n > sizeof out->bytes)
        return ERR_LIMIT;
    if (!utf8_is_ascii(password))
        return prepare_unicode(password, out);
    for (size_t i = 0; i < password.n; i++)
        if (prepare_prohibited(password.p[i]))
            return ERR_SYNTAX;
    return secret_set(out, password);
}

/* SaltedPassword := Hi(Normalize(password), salt, i): RFC 5802 §3 */
void scram_salted_password(slice prepared, slice salt, uint32_t iterations, uint8_t out[SCRAM_KEY_SIZE])
{
    digest_pbkdf2_sha256(prepared, salt, iterations, out);
}

/* ClientKey := HMAC(SaltedPassword, "Client Key"), StoredKey := H(ClientKey),
 * ServerKey := HMAC(SaltedPassword, "Server Key"): RFC 5802 §3 */
void scram_keys(const uint8_t salted[SCRAM_KEY_SIZE], uint8_t out_stored[SCRAM_KEY_SIZE],
                uint8_t out_server[SCRAM_KEY_SIZE])
{
    uint8_t client_key[SCRAM_KEY_SIZE];
    scram__hmac(salted, SLICE("Client Key"), client_key);
    digest_sha256(slice_of(client_key, sizeof client_key), out_stored);
    scram__hmac(salted, SLICE("Server Key"), out_server);
    secret_wipe(client_key, sizeof client_key);
}

void scram_nonce(const uint8_t random[SCRAM_RANDOM_SIZE], uint8_t out[SCRAM_NONCE_SIZE])
{
    struct buf b CLEANUP(buf_done) = {.max = SCRAM_NONCE_SIZE};
    must(base64_encode(slice_of(random, SCRAM_RANDOM_SIZE), &b) == OK && b.n == SCRAM_NONCE_SIZE);
    memcpy(out, b.p, SCRAM_NONCE_SIZE);
}

enum err scram_verifier_make(slice password, const uint8_t salt[SCRAM_SALT_SIZE], struct scram_verifier *out)
{
    struct secret prepared CLEANUP(secret_done) = {.n = 0};
    uint8_t salted[SCRAM_KEY_SIZE];
    enum err e = scram_password_prepare(password, &prepared);
    if (e != OK)
        return e;
    scram_salted_password(secret_view(&prepared), slice_of(salt, SCRAM_SALT_SIZE), SCRAM_ITERATIONS, salted);
    memset(out, 0, sizeof *out);
    memcpy(out->salt, salt, SCRAM_SALT_SIZE);
    out->salt_n = SCRAM_SALT_SIZE;
    out->iterations = SCRAM_ITERATIONS;
    scram_keys(salted, out->stored_key, out->server_key);
    secret_wipe(salted, sizeof salted);
    return OK;
}

void scram_verifier_fake(slice key, slice name, struct scram_verifier *out)
{
    uint8_t of_name[SCRAM_KEY_SIZE], salt[SCRAM_KEY_SIZE];
    digest_hmac_sha256(key, name, of_name);
    memset(out, 0, sizeof *out);
    scram__hmac(of_name, SLICE("salt"), salt);
    memcpy(out->salt, salt, SCRAM_SALT_SIZE);
    out->salt_n = SCRAM_SALT_SIZE;
    out->iterations = SCRAM_ITERATIONS;
    scram__hmac(of_name, SLICE("stored"), out->stored_key);
    scram__hmac(of_name, SLICE("server"), out->server_key);
}

enum err scram_verifier_print(const struct scram_verifier *v, struct buf *out)
{
    buf_str(out, "SCRAM-SHA-256$");
    buf_u64(out, v->iterations);
    buf_byte(out, ':');
    base64_encode(slice_of(v->salt, v->salt_n), out);
    buf_byte(out, '$');
    base64_encode(slice_of(v->stored_key, SCRAM_KEY_SIZE), out);
    buf_byte(out, ':');
    base64_encode(slice_of(v->server_key, SCRAM_KEY_SIZE), out);
    return buf_failed(out) ? ERR_LIMIT : OK;
}

enum err scram_verifier_parse(slice text, struct scram_verifier *out)
{
    struct scram_verifier v = {0};
    slice scheme, rest, front, back, iterations, salt, stored, server;
    size_t n = 0, m = 0;
    if (!slice_split(text, '$', &scheme, &rest) || !slice_eq(scheme, SLICE("SCRAM-SHA-256")) ||
        !slice_split(rest, '$', &front, &back) || !slice_split(front, ':', &iterations, &salt) ||
        !slice_split(back, ':', &stored, &server) || !slice_u32(iterations, &v.iterations))
        return ERR_SYNTAX;
    if (v.iterations < SCRAM_ITERATIONS_MIN || v.iterations > SCRAM_ITERATIONS_MAX)
        return ERR_LIMIT;
    if (scram__decode(salt, v.salt, sizeof v.salt, &v.salt_n) != OK || v.salt_n == 0 ||
        scram__decode(stored, v.stored_key, SCRAM_KEY_SIZE, &n) != OK || n != SCRAM_KEY_SIZE ||
        scram__decode(server, v.server_key, SCRAM_KEY_SIZE, &m) != OK || m != SCRAM_KEY_SIZE)
        return ERR_SYNTAX;
    *out = v;
    return OK;
}
