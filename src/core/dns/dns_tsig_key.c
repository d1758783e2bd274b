#include "core/dns/dns_tsig_key.h"

#include "text/base64.h"

#include <stdio.h>

static const char *const tsig_algorithms[] = {
    [DNS_TSIG_SHA256] = "hmac-sha256",
    [DNS_TSIG_SHA512] = "hmac-sha512",
};
static_assert(ARRAY_LEN(tsig_algorithms) == DNS_TSIG_ALGORITHM__COUNT, "every algorithm has a name");

const char *dns_tsig_algorithm_name(enum dns_tsig_algorithm a)
{
    return tsig_algorithms[a];
}

static enum err tsig_algorithm(slice text, enum dns_tsig_algorithm *out)
{
    if (text.n && text.p[text.n - 1] == '.')
        text.n--;
    for (size_t i = 0; i < ARRAY_LEN(tsig_algorithms); i++)
        if (slice_eq_nocase(text, slice_str(tsig_algorithms[i]))) {
            *out = (enum dns_tsig_algorithm)i;
            return OK;
        }
    return ERR_UNSUPPORTED;
}

static enum err tsig_secret(slice text, struct secret *out)
{
    struct buf b CLEANUP(buf_done) = {.max = DNS_TSIG_SECRET_MAX};
    enum err e = base64_decode(text, &b);
    if (e == OK && b.n < 16)
        e = ERR_SYNTAX; /* such a short one can be guessed */
    if (e == OK)
        e = secret_set(out, buf_view(&b));
    if (b.p)
        secret_wipe(b.p, b.cap);
    return e;
}

/* ---- the file: words, quoted words, and the three signs { } ; */

static bool tsig_comment(struct cursor *c)
{
    slice skipped;
    if (cursor_peek(c) == '#' || (cursor_peek(c) == '/' && cursor_peek_at(c, 1) == '/'))
        return cursor_line(c, &skipped);
    if (cursor_peek(c) != '/' || cursor_peek_at(c, 1) != '*')
        return false;
    cursor_skip(c, 2);
    cursor_skip(c, slice_find(c->rest, SLICE("*/")));
    cursor_skip(c, 2);
    return true;
}

static bool tsig_blank(int b)
{
    return b == ' ' || b == '\t' || b == '\r' || b == '\n';
}

/* The next word or sign; empty at the end of the file. */
static slice tsig_word(struct cursor *c)
{
    slice all;
    size_t n = 0;
    for (;;) {
        if (tsig_blank(cursor_peek(c)))
            cursor_skip(c, 1);
        else if (!tsig_comment(c))
            break;
    }
    all = c->rest;
    if (cursor_peek(c) == '"') {
        size_t end = slice_index(slice_from(all, 1), '"');
        cursor_skip(c, end + 2);
        return slice_sub(all, 1, end + 1);
    }
    if (cursor_peek(c) == '{' || cursor_peek(c) == '}' || cursor_peek(c) == ';')
        n = 1;
    else
        while (n < all.n && !tsig_blank(all.p[n]) && all.p[n] != '{' && all.p[n] != '}' && all.p[n] != ';')
            n++;
    cursor_skip(c, n);
    return slice_sub(all, 0, n);
}

/* algorithm WORD; and secret WORD; in any order. */
static enum err tsig_clauses(struct cursor *c, struct dns_tsig_key *key, struct err_detail *detail)
{
    bool algorithm = false, secret = false;
    for (;;) {
        slice word = tsig_word(c), value;
        if (slice_eq(word, SLICE("}")))
            break;
        value = tsig_word(c);
        if (slice_eq_nocase(word, SLICE("algorithm"))) {
            if (tsig_algorithm(value, &key->algorithm) != OK) {
                err_detail_set(detail,
                               "the algorithm of the key is neither hmac-sha256 nor hmac-sha512; make "
                               "a new key with `keymgr -t NAME hmac-sha256` or `tsig-keygen`");
                return ERR_UNSUPPORTED;
            }
            algorithm = true;
        } else if (slice_eq_nocase(word, SLICE("secret"))) {
            if (tsig_secret(value, &key->secret) != OK) {
                err_detail_set(detail, "the secret of the key is no base64 of 16 to %d octets",
                               DNS_TSIG_SECRET_MAX);
                return ERR_SYNTAX;
            }
            secret = true;
        } else {
            err_detail_set(detail, "only \"algorithm\" and \"secret\" may stand in the key");
            return ERR_SYNTAX;
        }
        if (!slice_eq(tsig_word(c), SLICE(";"))) {
            err_detail_set(detail, "a \";\" is missing behind a value");
            return ERR_SYNTAX;
        }
    }
    if (algorithm && secret)
        return OK;
    err_detail_set(detail, "the key has no %s", algorithm ? "secret" : "algorithm");
    return ERR_SYNTAX;
}

enum err dns_tsig_key_file(slice text, struct dns_tsig_key *out, struct err_detail *detail)
{
    struct cursor c = cursor_of(text);
    struct dns_tsig_key key = {0};
    enum err e = ERR_SYNTAX;
    if (!slice_eq_nocase(tsig_word(&c), SLICE("key")))
        err_detail_set(detail, "it does not begin with: key \"NAME\" {");
    else if (dns_name_parse(tsig_word(&c), &key.name) != OK || key.name.n == 0)
        err_detail_set(detail, "the name of the key is no domain name");
    else if (!slice_eq(tsig_word(&c), SLICE("{")))
        err_detail_set(detail, "a \"{\" is missing behind the key's name");
    else
        e = tsig_clauses(&c, &key, detail);
    if (e == OK && slice_eq(tsig_word(&c), SLICE(";")) && tsig_word(&c).n) {
        err_detail_set(detail, "there is more than one key in it");
        e = ERR_SYNTAX;
    }
    if (e == OK)
        *out = key;
    secret_done(&key.secret);
    return e;
}

void dns_tsig_key_print(const struct dns_tsig_key *key, char out[DNS_TSIG_KEY_TEXT])
{
    struct buf b CLEANUP(buf_done) = {.max = 2 * DNS_TSIG_SECRET_MAX};
    static_assert(DNS_NAME_MAX + 2 * DNS_TSIG_SECRET_MAX + 32 < DNS_TSIG_KEY_TEXT, "room for the longest");
    must(base64_encode(secret_view(&key->secret), &b) == OK);
    snprintf(out, DNS_TSIG_KEY_TEXT, "%s %s %.*s", key->name.text, dns_tsig_algorithm_name(key->algorithm),
             SLICE_FMT(buf_view(&b)));
    secret_wipe(b.p, b.cap);
}

enum err dns_tsig_key_parse(slice text, struct dns_tsig_key *out)
{
    struct dns_tsig_key key = {0};
    slice name, algorithm, secret;
    enum err e;
    if (!slice_split(text, ' ', &name, &text) || !slice_split(text, ' ', &algorithm, &secret))
        return ERR_SYNTAX;
    e = dns_name_parse(name, &key.name);
    if (e == OK)
        e = tsig_algorithm(algorithm, &key.algorithm);
    if (e == OK)
        e = tsig_secret(secret, &key.secret);
    if (e == OK)
        *out = key;
    secret_done(&key.secret);
    return e;
}
