/* login: SCRAM exchanges, for whoever plays the client: a mail program, or edge for one that sends its
 * password.
 *
 * A name that does not exist goes the same way with a verifier made from this installation's secret, and
 * fails at the same place with the same words (THREATS 32). An exchange can be finished only on the channel
 * it began on, once, within a minute; there are at most LOGIN_MAX, a new one pushes the oldest out. */
#include "proc/directory/directory.h"

#include "sys/clock.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define LOGIN_MAX 2048
#define LOGIN_MS  (60 * MS_SECOND)

#define LOGIN_WRONG "the name or the password is wrong"
#define LOGIN_LATER "too many failed logins; wait some minutes and try again"

struct login {
    struct list link; /* by age */
    uint64_t handle;
    const struct chan *chan;
    time_ms until_mono;
    enum service service;
    struct ip ip;
    bool exists, suspended;
    uint64_t account;
    char address[DIRECTORY_ADDRESS_MAX + 1]; /* canonical; when it does not exist, what was tried, as a key */
    struct scram_server scram;
};

void login_init(struct house_keeper *k)
{
    list_init(&k->login_order);
    k->login_next = entropy_u64() >> 16; /* hard to guess across restarts; never 0 in practice or effect */
}

static void login_free(struct house_keeper *k, struct login *l)
{
    list_remove(&l->link);
    (void)map_remove(&k->logins, l->handle); /* it may not be in yet */
    scram_server_done(&l->scram);
    free(l);
}

void login_forget(struct house_keeper *k, const struct chan *c)
{
    /* a channel that is gone cannot finish anything: what is left over is pushed out by age */
    LIST_EACH_SAFE(it, &k->login_order)
    {
        struct login *l = LIST_OF(it, struct login, link);
        if ((c && l->chan == c) || l->until_mono <= clock_mono())
            login_free(k, l);
    }
}

static struct login *login_new(struct house_keeper *k, const struct chan *c)
{
    struct login *l;
    time_ms now = clock_mono();
    while (!list_empty(&k->login_order)) {
        l = LIST_OF(k->login_order.next, struct login, link);
        if (k->logins.n < LOGIN_MAX && l->until_mono > now)
            break;
        login_free(k, l);
    }
    l = calloc(1, sizeof *l);
    must(l);
    l->handle = ++k->login_next;
    l->chan = c;
    l->until_mono = now + LOGIN_MS;
    scram_server_init(&l->scram);
    list_append(&k->login_order, &l->link);
    IGNORE_RESULT(map_put(&k->logins, l->handle, l), "handles do not repeat");
    return l;
}

/* Who wants in: the account and its verifier, or one for a name that nobody has. Both are worked out for
 * every name, so that the time tells nothing. */
static enum err login_who(struct house_keeper *k, struct login *l, struct scram_verifier *out)
{
    struct directory_account a = {0};
    struct scram_verifier fake, real;
    slice name = scram_server_name(&l->scram);
    enum err found, e;
    if (directory_key(name, l->address) != OK) {
        size_t n = size_min(name.n, sizeof l->address - 1);
        memcpy(l->address, name.p, n);
        l->address[n] = 0;
    }
    scram_verifier_fake(directory_secret(k->store), slice_str(l->address), &fake);
    found = directory_account_find(k->store, slice_str(l->address), &a);
    e = directory_verifier(k->store, a.id, &real); /* nobody has the id 0 */
    l->exists = found == OK && e == OK;
    *out = l->exists ? real : fake;
    if (e == OK)
        secret_wipe(&real, sizeof real);
    secret_wipe(&fake, sizeof fake);
    if (found == OK) {
        l->account = a.id;
        l->suspended = a.suspended;
    }
    if (found != OK && found != ERR_NOT_FOUND)
        return found;
    return e == OK || e == ERR_NOT_FOUND ? OK : e;
}

static enum err login_begin(struct house_keeper *k, struct login *l, const struct auth_start *m,
                            struct buf *out)
{
    struct scram_verifier v;
    uint8_t random[SCRAM_RANDOM_SIZE], nonce[SCRAM_NONCE_SIZE];
    enum err e = ip_from_slice(m->client_ip, &l->ip);
    if (e == OK)
        e = scram_server_first(&l->scram, m->client_first);
    if (e == OK)
        e = login_who(k, l, &v);
    if (e != OK)
        return e;
    if (!throttle_allows(&k->throttle, &l->ip, slice_str(l->address), clock_mono()))
        return ERR_BUSY;
    entropy_bytes(random, sizeof random);
    scram_nonce(random, nonce);
    e = scram_server_challenge(&l->scram, &v, slice_of(nonce, sizeof nonce), out);
    secret_wipe(&v, sizeof v);
    return e;
}

void login_start(struct house_keeper *k, struct chan *c, uint64_t id, const struct auth_start *m)
{
    struct login *l = login_new(k, c);
    struct buf first CLEANUP(buf_done) = {.max = SCRAM_MESSAGE_MAX};
    struct auth_challenge answer = {0};
    enum err e;
    l->service = (enum service)m->service;
    e = login_begin(k, l, m, &first);
    answer.err = (uint32_t)e;
    if (e == OK) {
        answer.handle = l->handle;
        answer.server_first = buf_view(&first);
    } else {
        answer.text = slice_str(e == ERR_BUSY ? LOGIN_LATER : err_text(e));
        login_free(k, l);
    }
    IGNORE_RESULT(chan_reply(c, id, X_DIRECTORY_AUTH_CHALLENGE, &answer, NULL, 0), "the asker is gone");
}

static bool login_opens_account(enum service s)
{
    return s == SERVICE_IMAP || s == SERVICE_IMAPS;
}

static void login_tell_failed(struct house_keeper *k, const struct login *l, enum err e)
{
    char ip[IP_TEXT], peer[IP_TEXT + 2];
    ip_print(&l->ip, ip);
    (void)snprintf(peer, sizeof peer, "[%s]", ip);
    role_tell(k->role,
              (struct journal_event){.kind = JOURNAL_LOGIN_FAILED,
                                     .address = l->exists ? slice_str(l->address) : (slice){0},
                                     .peer = slice_str(peer),
                                     .name = slice_str(service_name(l->service)),
                                     .text = slice_str(e == ERR_SUSPENDED ? "the account is suspended"
                                                       : l->exists        ? "wrong password"
                                                                          : "no such account")});
}

static void login_failed(struct house_keeper *k, const struct login *l, struct auth_result *answer)
{
    bool alarm;
    k->logins_failed++;
    answer->wait_ms = throttle_failed(&k->throttle, &l->ip, slice_str(l->address), clock_mono(), &alarm);
    login_tell_failed(k, l, ERR_AUTH);
    if (alarm && l->exists)
        role_tell(k->role, (struct journal_event){
                               .kind = JOURNAL_TROUBLE,
                               .name = SLICE("password guessing"),
                               .address = slice_str(l->address),
                               .text = SLICE("somebody guesses passwords of this account; networks it did "
                                             "not log in from lately are refused for a while")});
}

/* The outcome of a proof; answer holds what goes with it. */
static enum err login_end(struct house_keeper *k, struct login *l, slice client_final, struct buf *out,
                          struct auth_result *answer)
{
    enum err e = scram_server_final(&l->scram, client_final, out);
    if (e == OK && !l->exists)
        e = ERR_AUTH; /* nobody can know that verifier's password; let nothing hang on it */
    if (e == ERR_AUTH) {
        login_failed(k, l, answer);
        return e;
    }
    if (e != OK)
        return e;
    throttle_passed(&k->throttle, &l->ip, slice_str(l->address), clock_mono());
    if (l->suspended) {
        login_tell_failed(k, l, ERR_SUSPENDED);
        return ERR_SUSPENDED;
    }
    if (login_opens_account(l->service))
        e = keeper_ticket(k, l->account, TICKET_IMAP, TICKET_SESSION_MS, &answer->ticket);
    if (e != OK)
        return e;
    k->logins_passed++;
    answer->server_final = buf_view(out);
    answer->account = l->account;
    answer->address = slice_str(l->address);
    return OK;
}

void login_finish(struct house_keeper *k, struct chan *c, uint64_t id, const struct auth_finish *m)
{
    struct login *l = map_get(&k->logins, m->handle);
    struct buf final CLEANUP(buf_done) = {.max = SCRAM_MESSAGE_MAX};
    struct auth_result answer = {0};
    enum err e = ERR_EXPIRED;
    if (l && l->chan == c && l->until_mono > clock_mono())
        e = login_end(k, l, m->client_final, &final, &answer);
    answer.err = (uint32_t)e;
    if (e == ERR_AUTH)
        answer.text = SLICE(LOGIN_WRONG);
    else if (e == ERR_SUSPENDED)
        answer.text = SLICE("this account is closed for now; ask who runs this server");
    else if (e != OK)
        answer.text = slice_str(err_text(e));
    IGNORE_RESULT(chan_reply(c, id, X_DIRECTORY_AUTH_RESULT, &answer, NULL, 0), "the asker is gone");
    if (l && l->chan == c)
        login_free(k, l);
}
