/* States of an exchange. "asks" is what directory was asked last; outcomes leave through tell(), in a later
 * turn.
 *
 *     FIRST ........... the client's first SASL message is awaited (PLAIN, SCRAM without initial response)
 *     LOGIN_NAME, LOGIN_PASSWORD   the two answers of mechanism LOGIN
 *     STARTED ......... directory was sent client-first (ours or the client's)
 *     FINAL ........... SCRAM: the client's proof is awaited
 *     FINISHED ........ directory was sent client-final
 *     LAST ............ SCRAM: server-final was sent, the client's empty answer is awaited (RFC 4954 §4, RFC
 * 9051 §6.2.2: no data with the success reply) WAITING ......... the outcome is known and lies in x->outcome
 * until its time has come */
#include "proc/edge/auth.h"

#include "base/arena.h"
#include "core/sasl/plain.h"
#include "ipc/x_directory.h"
#include "proc/edge/auth_cache.h"
#include "proc/edge/conn.h"
#include "sys/entropy.h"

#include <stdlib.h>

#define AUTH_DIRECTORY_MS (10 * MS_SECOND)
#define AUTH_WAIT_MS_MAX  (30 * MS_SECOND)
#define AUTH_ARENA        ((size_t)8 * 1024)

enum auth_state { FIRST, LOGIN_NAME, LOGIN_PASSWORD, STARTED, FINAL, FINISHED, LAST, WAITING };

struct auth_exchange {
    struct auth *auth;
    enum auth_state state;
    slice mechanism;   /* for the journal; static memory */
    bool plays_client; /* PLAIN and LOGIN: we run SCRAM's client side */
    uint64_t handle;   /* directory's name for the exchange */
    struct scram_client scram;
    struct secret name, password; /* prepared; wiped with the exchange */
    uint8_t salted[SCRAM_KEY_SIZE];
    bool derived; /* salted was worked out, not remembered */
    struct arena arena;
    struct auth_outcome outcome;
    struct auth_outcome accepted; /* LAST: what is told after the empty answer */
    struct loop_task task;
    struct loop_timer timer;
};

static void auth_tell_now(void *arg);

void auth_init(struct auth *a, struct edge *e, const struct conn *c, auth_fn fn, void *arg)
{
    *a = (struct auth){.edge = e, .conn = c, .fn = fn, .arg = arg};
}

static void exchange_free(struct auth_exchange *x)
{
    loop_task_cancel(&x->task);
    loop_timer_done(&x->timer);
    scram_client_done(&x->scram);
    arena_done(&x->arena);
    secret_wipe(x, sizeof(*x));
    free(x);
}

void auth_cancel(struct auth *a)
{
    if (!a->x)
        return;
    role_forget(a->edge->role, a->x);
    exchange_free(a->x);
    a->x = NULL;
}

void auth_done(struct auth *a)
{
    auth_cancel(a);
    *a = (struct auth){0};
}

static struct auth_exchange *exchange_new(struct auth *a)
{
    auth_cancel(a);
    struct auth_exchange *x = calloc(1, sizeof(*x));
    must(x);
    x->auth = a;
    scram_client_init(&x->scram);
    arena_init(&x->arena, "auth", AUTH_ARENA);
    loop_task_init(&x->task, auth_tell_now, x);
    loop_timer_init(a->edge->loop, &x->timer, auth_tell_now, x);
    a->x = x;
    return x;
}

/* Texts are the same for all failures of a kind. */
static slice auth_text(enum auth_step step)
{
    switch (step) {
    case AUTH_ACCEPTED:
        return SLICE("Welcome");
    case AUTH_DENIED:
        return SLICE("The name or the password is wrong");
    case AUTH_SUSPENDED:
        return SLICE("This account is suspended; ask whoever runs this server");
    case AUTH_LIMITED:
        return SLICE("Too many failed logins from your network; try again in a few minutes");
    case AUTH_MALFORMED:
        return SLICE("The login data do not follow the mechanism");
    case AUTH_UNKNOWN:
        return SLICE("This login mechanism is not offered here");
    case AUTH_UNAVAILABLE:
        return SLICE("Logins do not work right now; try again in a minute");
    case AUTH_CHALLENGE:
        break;
    }
    return (slice){0};
}

/* The outcome is told in a later turn, not before wait_ms. */
static void tell(struct auth_exchange *x, const struct auth_outcome *o, time_ms wait_ms)
{
    x->outcome = *o;
    if (!x->outcome.text.n)
        x->outcome.text = auth_text(o->step);
    if (wait_ms > 0)
        loop_timer_after(&x->timer, wait_ms < AUTH_WAIT_MS_MAX ? wait_ms : AUTH_WAIT_MS_MAX);
    else
        loop_later(x->auth->edge->loop, &x->task);
}

static void tell_step(struct auth_exchange *x, enum auth_step step)
{
    x->state = WAITING;
    tell(x, &(struct auth_outcome){.step = step}, 0);
}

static void tell_challenge(struct auth_exchange *x, enum auth_state state, slice data)
{
    struct auth_outcome o = {.step = AUTH_CHALLENGE};
    if (!arena_dup(&x->arena, data, &o.data)) {
        tell_step(x, AUTH_UNAVAILABLE);
        return;
    }
    x->state = state;
    tell(x, &o, 0);
}

static void auth_tell_now(void *arg)
{
    struct auth_exchange *x = arg;
    struct auth *a = x->auth;
    if (x->outcome.step == AUTH_CHALLENGE) {
        a->fn(a->arg, &x->outcome); /* may cancel: x is not touched any more */
        return;
    }
    if (x->outcome.step ==
        AUTH_ACCEPTED) /* failures are told by directory, which knows whether the account exists */
        edge_tell(a->edge, a->conn,
                  (struct journal_event){.kind = JOURNAL_LOGIN_OK,
                                         .address = x->outcome.address,
                                         .name = slice_str(service_name(a->conn->service)),
                                         .text = x->mechanism});
    a->x = NULL; /* the function may begin another one */
    a->fn(a->arg, &x->outcome);
    exchange_free(x);
}

static enum auth_step step_of(enum err e)
{
    switch (e) {
    case OK:
        return AUTH_ACCEPTED;
    case ERR_AUTH:
    case ERR_DENIED:
    case ERR_NOT_FOUND:
    case ERR_EXPIRED:
        return AUTH_DENIED;
    case ERR_SUSPENDED:
        return AUTH_SUSPENDED;
    case ERR_BUSY:
        return AUTH_LIMITED;
    case ERR_SYNTAX:
    case ERR_UNSUPPORTED:
    case ERR_LIMIT:
        return AUTH_MALFORMED;
    default:
        return AUTH_UNAVAILABLE;
    }
}

/* Directory's answers. */

static void on_result(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct auth_exchange *x = arg;
    const struct auth_result *r = message;
    (void)fds, (void)n_fds;
    if (e != OK) {
        tell_step(x, AUTH_UNAVAILABLE);
        return;
    }
    e = err_from_wire(r->err);
    if (e == OK && x->plays_client)
        e = scram_client_verify(&x->scram, r->server_final);
    struct auth_outcome o = {.step = step_of(e)};
    if (e == OK) {
        o.account = r->account;
        if (!arena_dup(&x->arena, r->address, &o.address) || !arena_dup(&x->arena, r->ticket, &o.ticket))
            o.step = AUTH_UNAVAILABLE;
        if (x->derived)
            auth_cache_put(x->auth->edge->auth_cache, secret_view(&x->password),
                           slice_of(x->scram.salt, x->scram.salt_n), x->scram.iterations, x->salted);
    }
    if (o.step != AUTH_ACCEPTED || x->plays_client) {
        x->state = WAITING;
        tell(x, &o, o.step == AUTH_ACCEPTED ? 0 : r->wait_ms);
        return;
    }
    x->accepted = o;
    tell_challenge(x, LAST, r->server_final);
}

static void ask_finish(struct auth_exchange *x, slice client_final)
{
    struct auth_finish ask = {.handle = x->handle, .client_final = client_final};
    x->state = FINISHED;
    if (role_call(x->auth->edge->role, ROLE_DIRECTORY, X_DIRECTORY_AUTH_FINISH, &ask, NULL, 0,
                  AUTH_DIRECTORY_MS, on_result, x) != OK)
        tell_step(x, AUTH_UNAVAILABLE);
}

/* We play the client: the proof from the remembered or newly derived salted password. */
static void play_proof(struct auth_exchange *x, slice server_first)
{
    struct auth_cache *cache = x->auth->edge->auth_cache;
    if (scram_client_challenge(&x->scram, server_first) != OK) {
        tell_step(x, AUTH_UNAVAILABLE); /* directory broke the protocol */
        return;
    }
    slice salt = slice_of(x->scram.salt, x->scram.salt_n);
    x->derived = !auth_cache_get(cache, secret_view(&x->password), salt, x->scram.iterations, x->salted);
    if (x->derived)
        scram_salted_password(secret_view(&x->password), salt, x->scram.iterations, x->salted);
    struct buf final;
    buf_init(&final, SCRAM_MESSAGE_MAX);
    if (scram_client_proof(&x->scram, x->salted, &final) == OK)
        ask_finish(x, buf_view(&final));
    else
        tell_step(x, AUTH_UNAVAILABLE);
    buf_done(&final);
}

static void on_challenge(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct auth_exchange *x = arg;
    const struct auth_challenge *r = message;
    (void)fds, (void)n_fds;
    if (e != OK) {
        tell_step(x, AUTH_UNAVAILABLE);
        return;
    }
    e = err_from_wire(r->err);
    x->handle = r->handle;
    if (e != OK)
        tell_step(x, step_of(e));
    else if (x->plays_client)
        play_proof(x, r->server_first);
    else
        tell_challenge(x, FINAL, r->server_first);
}

static void ask_start(struct auth_exchange *x, slice client_first)
{
    const struct conn *c = x->auth->conn;
    struct auth_start ask = {.service = (uint8_t)c->service,
                             .client_first = client_first,
                             .client_ip = ip_slice(&c->ip),
                             .tls = conn_is_tls(c)};
    x->state = STARTED;
    if (role_call(x->auth->edge->role, ROLE_DIRECTORY, X_DIRECTORY_AUTH_START, &ask, NULL, 0,
                  AUTH_DIRECTORY_MS, on_challenge, x) != OK)
        tell_step(x, AUTH_UNAVAILABLE);
}

/* Name and password are here. What cannot be a password is told like a wrong one. */
static void play_first(struct auth_exchange *x, slice name, slice password)
{
    uint8_t random[SCRAM_RANDOM_SIZE], nonce[SCRAM_NONCE_SIZE];
    struct buf first;
    x->plays_client = true;
    entropy_bytes(random, sizeof(random));
    scram_nonce(random, nonce);
    buf_init(&first, SCRAM_MESSAGE_MAX);
    if (scram_password_prepare(password, &x->password) == OK &&
        scram_client_first(&x->scram, name, slice_of(nonce, sizeof(nonce)), &first) == OK)
        ask_start(x, buf_view(&first));
    else
        tell_step(x, AUTH_DENIED);
    buf_done(&first);
}

static void plain_message(struct auth_exchange *x, slice message)
{
    struct plain p;
    enum err e = plain_parse(message, &p);
    if (e == OK)
        play_first(x, p.name, p.password);
    else
        tell_step(x, step_of(e));
}

/* Mechanisms: how each begins. */

static void begin_plain(struct auth_exchange *x, bool has_initial, slice initial)
{
    x->plays_client = true;
    if (has_initial)
        plain_message(x, initial);
    else
        tell_challenge(x, FIRST, (slice){0});
}

static void begin_scram(struct auth_exchange *x, bool has_initial, slice initial)
{
    if (has_initial)
        ask_start(x, initial);
    else
        tell_challenge(x, FIRST, (slice){0});
}

static void login_name(struct auth_exchange *x, slice name)
{
    if (secret_set(&x->name, name) == OK)
        tell_challenge(x, LOGIN_PASSWORD, SLICE("Password:"));
    else
        tell_step(x, AUTH_DENIED);
}

/* No standard, but what some clients speak only (draft-murchison-sasl-login). */
static void begin_login(struct auth_exchange *x, bool has_initial, slice initial)
{
    if (has_initial)
        login_name(x, initial);
    else
        tell_challenge(x, LOGIN_NAME, SLICE("Username:"));
}

static const struct {
    slice name;
    void (*begin)(struct auth_exchange *x, bool has_initial, slice initial);
} mechanisms[] = {
    {SLICE_INIT("SCRAM-SHA-256"), begin_scram},
    {SLICE_INIT("PLAIN"), begin_plain},
    {SLICE_INIT("LOGIN"), begin_login},
};

void auth_start(struct auth *a, slice mechanism, bool has_initial, slice initial)
{
    struct auth_exchange *x = exchange_new(a);
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        if (slice_eq_nocase(mechanism, mechanisms[i].name)) {
            x->mechanism = mechanisms[i].name;
            mechanisms[i].begin(x, has_initial, initial);
            return;
        }
    }
    tell_step(x, AUTH_UNKNOWN);
}

void auth_password(struct auth *a, slice name, slice password)
{
    struct auth_exchange *x = exchange_new(a);
    x->mechanism = SLICE("password");
    play_first(x, name, password);
}

void auth_continue(struct auth *a, slice data)
{
    struct auth_exchange *x = a->x;
    if (!x) {
        tell_step(exchange_new(a), AUTH_MALFORMED);
        return;
    }
    switch (x->state) {
    case FIRST:
        if (x->plays_client)
            plain_message(x, data);
        else
            ask_start(x, data);
        break;
    case LOGIN_NAME:
        login_name(x, data);
        break;
    case LOGIN_PASSWORD:
        play_first(x, secret_view(&x->name), data);
        break;
    case FINAL:
        ask_finish(x, data);
        break;
    case LAST:
        x->state = WAITING;
        if (data.n == 0)
            tell(x, &x->accepted, 0);
        else
            tell_step(x, AUTH_MALFORMED);
        break;
    case STARTED:
    case FINISHED:
    case WAITING:
        break; /* the protocol asked out of turn; the outcome in hand comes all the same */
    }
}
