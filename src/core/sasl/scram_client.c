/* scram_client: the side that knows the password. */
#include "core/sasl/scram.h"

#include "core/sasl/scram__common.h"
#include "text/base64.h"

enum { CLIENT_NEW, CLIENT_NAMED, CLIENT_ASKED, CLIENT_PROVED, CLIENT_SPENT };

void scram_client_init(struct scram_client *c)
{
    memset(c, 0, sizeof *c);
}

void scram_client_done(struct scram_client *c)
{
    if (c)
        secret_wipe(c, sizeof *c);
}

static enum err client_first(struct scram_client *c, slice name, slice nonce, struct buf *out)
{
    struct buf b CLEANUP(buf_done) = {.max = SCRAM_MESSAGE_MAX};
    must(scram__nonce_good(nonce));
    if (name.n == 0 || slice_has(name, 0))
        return ERR_SYNTAX;
    if (name.n > SCRAM_NAME_MAX)
        return ERR_LIMIT;
    buf_str(&b, "n=");
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == ',')
            buf_str(&b, "=2C");
        else if (name.p[i] == '=')
            buf_str(&b, "=3D");
        else
            buf_byte(&b, name.p[i]);
    }
    buf_str(&b, ",r=");
    buf_append(&b, nonce);
    if (buf_failed(&b) || b.n + 3 > SCRAM_MESSAGE_MAX ||
        !scram__append(c->nonce, &c->nonce_n, sizeof c->nonce, nonce) ||
        !scram__append(c->auth, &c->auth_n, sizeof c->auth, buf_view(&b)))
        return ERR_LIMIT;
    buf_str(out, "n,,");
    buf_append(out, buf_view(&b));
    return buf_failed(out) ? ERR_LIMIT : OK;
}

enum err scram_client_first(struct scram_client *c, slice name, slice nonce, struct buf *out)
{
    enum err e = c->state == CLIENT_NEW ? client_first(c, name, nonce, out) : ERR_STATE;
    c->state = e == OK ? CLIENT_NAMED : CLIENT_SPENT;
    return e;
}

static enum err client_challenge(struct scram_client *c, slice message)
{
    struct cursor at = cursor_of(message);
    slice nonce, salt, iterations;
    enum err e;
    if (message.n > SCRAM_MESSAGE_MAX)
        return ERR_LIMIT;
    if (cursor_peek(&at) == 'm')
        return ERR_UNSUPPORTED;
    if (!scram__attribute(&at, 'r', &nonce) || !scram__attribute(&at, 's', &salt) ||
        !scram__attribute(&at, 'i', &iterations) || !scram__nonce_good(nonce))
        return ERR_SYNTAX;
    /* RFC 5802 §5.1: the server's nonce begins with ours, and adds to it */
    if (nonce.n <= c->nonce_n || !slice_starts(nonce, slice_of(c->nonce, c->nonce_n)))
        return ERR_SYNTAX;
    if ((e = scram__decode(salt, c->salt, sizeof c->salt, &c->salt_n)) != OK)
        return e;
    if (c->salt_n == 0 || !slice_u32(iterations, &c->iterations))
        return ERR_SYNTAX;
    if (c->iterations < SCRAM_ITERATIONS_MIN || c->iterations > SCRAM_ITERATIONS_MAX)
        return ERR_LIMIT;
    if (!scram__append(c->full_nonce, &c->full_nonce_n, sizeof c->full_nonce, nonce) ||
        !scram__append(c->auth, &c->auth_n, sizeof c->auth, SLICE(",")) ||
        !scram__append(c->auth, &c->auth_n, sizeof c->auth, message))
        return ERR_LIMIT;
    return OK;
}

enum err scram_client_challenge(struct scram_client *c, slice message)
{
    enum err e = c->state == CLIENT_NAMED ? client_challenge(c, message) : ERR_STATE;
    c->state = e == OK ? CLIENT_ASKED : CLIENT_SPENT;
    return e;
}

/* ClientProof := ClientKey XOR HMAC(StoredKey, AuthMessage): RFC 5802 §3 */
static enum err client_proof(struct scram_client *c, const uint8_t salted[SCRAM_KEY_SIZE], struct buf *out)
{
    uint8_t key[SCRAM_KEY_SIZE], stored[SCRAM_KEY_SIZE], proof[SCRAM_KEY_SIZE], server_key[SCRAM_KEY_SIZE];
    size_t from = out->n;
    slice auth;

    buf_str(out, "c=biws,r="); /* base64("n,,") */
    buf_append(out, slice_of(c->full_nonce, c->full_nonce_n));
    if (buf_failed(out) || !scram__append(c->auth, &c->auth_n, sizeof c->auth, SLICE(",")) ||
        !scram__append(c->auth, &c->auth_n, sizeof c->auth, slice_from(buf_view(out), from)))
        return ERR_LIMIT;
    auth = slice_of(c->auth, c->auth_n);
    scram__hmac(salted, SLICE("Client Key"), key);
    scram_keys(salted, stored, server_key);
    scram__hmac(stored, auth, proof);
    for (size_t i = 0; i < sizeof proof; i++)
        proof[i] ^= key[i];
    scram__hmac(server_key, auth, c->server_signature);
    secret_wipe(key, sizeof key);
    secret_wipe(server_key, sizeof server_key);
    buf_str(out, ",p=");
    base64_encode(slice_of(proof, sizeof proof), out);
    return buf_failed(out) ? ERR_LIMIT : OK;
}

enum err scram_client_proof(struct scram_client *c, const uint8_t salted[SCRAM_KEY_SIZE], struct buf *out)
{
    enum err e = c->state == CLIENT_ASKED ? client_proof(c, salted, out) : ERR_STATE;
    c->state = e == OK ? CLIENT_PROVED : CLIENT_SPENT;
    return e;
}

/* server-final-message = (server-error / verifier) ["," extensions]: RFC 5802 §7 */
static enum err client_verify(const struct scram_client *c, slice message)
{
    struct cursor at = cursor_of(message);
    uint8_t signature[SCRAM_KEY_SIZE];
    size_t n = 0;
    slice v;
    if (message.n > SCRAM_MESSAGE_MAX)
        return ERR_LIMIT;
    if (cursor_peek(&at) == 'e')
        return ERR_AUTH;
    if (!scram__attribute(&at, 'v', &v) || scram__decode(v, signature, sizeof signature, &n) != OK)
        return ERR_SYNTAX;
    return slice_eq_secret(slice_of(signature, n), slice_of(c->server_signature, SCRAM_KEY_SIZE)) ? OK
                                                                                                  : ERR_AUTH;
}

enum err scram_client_verify(struct scram_client *c, slice message)
{
    enum err e = c->state == CLIENT_PROVED ? client_verify(c, message) : ERR_STATE;
    c->state = CLIENT_SPENT;
    return e;
}
