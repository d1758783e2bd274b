/* scram_server: the side that knows the verifier. */
#include "core/sasl/scram.h"

#include "core/sasl/scram__common.h"
#include "text/base64.h"

enum { SERVER_NEW, SERVER_NAMED, SERVER_ASKED, SERVER_SPENT };

void scram_server_init(struct scram_server *s)
{
    memset(s, 0, sizeof *s);
}

void scram_server_done(struct scram_server *s)
{
    if (s)
        secret_wipe(s, sizeof *s);
}

slice scram_server_name(const struct scram_server *s)
{
    return slice_of(s->name, s->name_n);
}

/* saslname = 1*(value-safe-char / "=2C" / "=3D"): RFC 5802 §7 */
static enum err server_saslname(slice in, uint8_t *out, size_t cap, size_t *out_n)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        if (c == 0)
            return ERR_SYNTAX;
        if (c == '=') {
            slice code = slice_sub(in, i + 1, i + 3);
            if (slice_eq(code, SLICE("2C")))
                c = ',';
            else if (!slice_eq(code, SLICE("3D")))
                return ERR_SYNTAX;
            i += 2;
        }
        if (n == cap)
            return ERR_LIMIT;
        out[n++] = c;
    }
    if (n == 0)
        return ERR_SYNTAX;
    *out_n = n;
    return OK;
}

/* client-first-message = gs2-header client-first-message-bare
 * gs2-header = ("p=" cb-name / "n" / "y") "," [ "a=" saslname ] ","
 * client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]: RFC 5802 §7 */
static enum err server_first(struct scram_server *s, slice message)
{
    uint8_t other[SCRAM_NAME_MAX];
    size_t other_n = 0;
    struct cursor c = cursor_of(message);
    slice authzid = {0}, name, nonce;
    bool has_authzid;
    enum err e;

    if (message.n > SCRAM_MESSAGE_MAX)
        return ERR_LIMIT;
    if (cursor_peek(&c) == 'p' && cursor_peek_at(&c, 1) == '=')
        return ERR_UNSUPPORTED;
    if (!cursor_take(&c, 'n') && !cursor_take(&c, 'y'))
        return ERR_SYNTAX;
    if (!cursor_take(&c, ','))
        return ERR_SYNTAX;
    has_authzid = scram__attribute(&c, 'a', &authzid);
    if (!has_authzid && !cursor_take(&c, ','))
        return ERR_SYNTAX;
    if (!scram__append(s->gs2, &s->gs2_n, sizeof s->gs2, slice_sub(message, 0, message.n - c.rest.n)) ||
        !scram__append(s->auth, &s->auth_n, sizeof s->auth, c.rest))
        return ERR_LIMIT;
    if (cursor_peek(&c) == 'm')
        return ERR_UNSUPPORTED; /* RFC 5802 §5.1: an extension that must be understood */
    if (!scram__attribute(&c, 'n', &name) || !scram__attribute(&c, 'r', &nonce) || !scram__nonce_good(nonce))
        return ERR_SYNTAX;
    if (nonce.n > SCRAM_NONCE_MAX)
        return ERR_LIMIT;
    if ((e = server_saslname(name, s->name, sizeof s->name, &s->name_n)) != OK)
        return e;
    if (has_authzid) {
        if ((e = server_saslname(authzid, other, sizeof other, &other_n)) != OK)
            return e;
        if (!slice_eq(slice_of(other, other_n), scram_server_name(s)))
            return ERR_DENIED;
    }
    return scram__append(s->nonce, &s->nonce_n, sizeof s->nonce, nonce) ? OK : ERR_LIMIT;
}

enum err scram_server_first(struct scram_server *s, slice message)
{
    enum err e = s->state == SERVER_NEW ? server_first(s, message) : ERR_STATE;
    s->state = e == OK ? SERVER_NAMED : SERVER_SPENT;
    return e;
}

/* server-first-message = nonce "," salt "," iteration-count: RFC 5802 §7 */
static enum err server_challenge(struct scram_server *s, const struct scram_verifier *v, slice nonce,
                                 struct buf *out)
{
    struct buf b CLEANUP(buf_done) = {.max = SCRAM_MESSAGE_MAX};
    must(scram__nonce_good(nonce));
    must(v->salt_n <= sizeof v->salt && v->iterations >= 1);
    buf_str(&b, "r=");
    buf_append(&b, slice_of(s->nonce, s->nonce_n));
    buf_append(&b, nonce);
    if (nonce.n > SCRAM_NONCE_MAX || !scram__append(s->nonce, &s->nonce_n, sizeof s->nonce, nonce))
        return ERR_LIMIT;
    buf_str(&b, ",s=");
    base64_encode(slice_of(v->salt, v->salt_n), &b);
    buf_str(&b, ",i=");
    buf_u64(&b, v->iterations);
    if (buf_failed(&b) || !scram__append(s->auth, &s->auth_n, sizeof s->auth, SLICE(",")) ||
        !scram__append(s->auth, &s->auth_n, sizeof s->auth, buf_view(&b)))
        return ERR_LIMIT;
    s->verifier = *v;
    return buf_append(out, buf_view(&b));
}

enum err scram_server_challenge(struct scram_server *s, const struct scram_verifier *v, slice nonce,
                                struct buf *out)
{
    enum err e = s->state == SERVER_NAMED ? server_challenge(s, v, nonce, out) : ERR_STATE;
    s->state = e == OK ? SERVER_ASKED : SERVER_SPENT;
    return e;
}

/* Is the proof the one that only who knows ClientKey can make?
 * ClientKey := ClientProof XOR HMAC(StoredKey, AuthMessage); H(ClientKey) = StoredKey: RFC 5802 §3 */
static bool server_proof_fits(const struct scram_server *s, const uint8_t proof[SCRAM_KEY_SIZE])
{
    uint8_t client_key[SCRAM_KEY_SIZE], stored[SCRAM_KEY_SIZE];
    bool fits;
    scram__hmac(s->verifier.stored_key, slice_of(s->auth, s->auth_n), client_key);
    for (size_t i = 0; i < SCRAM_KEY_SIZE; i++)
        client_key[i] ^= proof[i];
    digest_sha256(slice_of(client_key, sizeof client_key), stored);
    fits = slice_eq_secret(slice_of(stored, sizeof stored), slice_of(s->verifier.stored_key, SCRAM_KEY_SIZE));
    secret_wipe(client_key, sizeof client_key);
    return fits;
}

/* client-final-message = channel-binding "," nonce ["," extensions] "," proof: RFC 5802 §7 */
static enum err server_final(struct scram_server *s, slice message, struct buf *out)
{
    struct cursor c = cursor_of(message);
    uint8_t binding[sizeof s->gs2], proof[SCRAM_KEY_SIZE], signature[SCRAM_KEY_SIZE];
    size_t binding_n = 0, proof_n = 0, comma = slice_rindex(message, ',');
    slice b, nonce, p, ignored;
    enum err e;

    if (message.n > SCRAM_MESSAGE_MAX)
        return ERR_LIMIT;
    if (!scram__attribute(&c, 'c', &b) || !scram__attribute(&c, 'r', &nonce))
        return ERR_SYNTAX;
    while (!cursor_end(&c) && cursor_peek(&c) != 'p')
        if (cursor_peek(&c) == 'm' || !scram__attribute(&c, (uint8_t)cursor_peek(&c), &ignored))
            return ERR_SYNTAX;
    if (!scram__attribute(&c, 'p', &p) || !cursor_end(&c))
        return ERR_SYNTAX;
    /* RFC 5802 §7: "c=" carries the GS2 header again, so that nobody changed it on the way */
    if ((e = scram__decode(b, binding, sizeof binding, &binding_n)) != OK)
        return e;
    if (!slice_eq(slice_of(binding, binding_n), slice_of(s->gs2, s->gs2_n)) ||
        !slice_eq(nonce, slice_of(s->nonce, s->nonce_n)))
        return ERR_SYNTAX;
    if (scram__decode(p, proof, sizeof proof, &proof_n) != OK || proof_n != sizeof proof)
        return ERR_SYNTAX;
    if (!scram__append(s->auth, &s->auth_n, sizeof s->auth, SLICE(",")) ||
        !scram__append(s->auth, &s->auth_n, sizeof s->auth, slice_sub(message, 0, comma)))
        return ERR_LIMIT;
    if (!server_proof_fits(s, proof))
        return ERR_AUTH;
    scram__hmac(s->verifier.server_key, slice_of(s->auth, s->auth_n), signature);
    buf_str(out, "v=");
    base64_encode(slice_of(signature, sizeof signature), out);
    return buf_failed(out) ? ERR_LIMIT : OK;
}

enum err scram_server_final(struct scram_server *s, slice message, struct buf *out)
{
    enum err e = s->state == SERVER_ASKED ? server_final(s, message, out) : ERR_STATE;
    s->state = SERVER_SPENT;
    return e;
}
