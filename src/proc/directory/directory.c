/* directory: the shell: sets up, passes messages on, keeps usage. */
#include "proc/directory/directory.h"

#include "crypto/digest.h"
#include "ipc/directory_accounts.h"
#include "ipc/x_settings.h"
#include "sys/clock.h"
#include "sys/entropy.h"

#include <stdlib.h>

#define KEEPER_SCRATCH ((size_t)512 * 1024)
#define KEEPER_SAVE_MS (60 * MS_SECOND)
#define KEEPER_DB      "directory.db"

/* ---- tickets */

static bool keeper_hex(slice hex, uint8_t *out, size_t n)
{
    static const slice digits = SLICE_INIT("0123456789abcdef");
    if (hex.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t high = slice_index(digits, hex.p[2 * i]), low = slice_index(digits, hex.p[2 * i + 1]);
        if (high > 15 || low > 15)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

enum err keeper_ticket(struct house_keeper *k, uint64_t account, enum ticket_scope scope, time_ms life_ms,
                       slice *out)
{
    struct ticket t = {
        .account = account, .scope = scope, .epoch = k->epoch, .issuer = k->issuer, .nonce = k->nonce + 1};
    uint8_t *bytes;
    if (!k->epoch)
        return ERR_BUSY;
    bytes = arena_alloc(&k->scratch, TICKET_SIZE);
    if (!bytes)
        return ERR_LIMIT;
    k->nonce++;
    t.expires_mono = clock_mono() + life_ms;
    ticket_encode(&t, &k->ticket_key, bytes);
    *out = slice_of(bytes, TICKET_SIZE);
    return OK;
}

void keeper_revoke(struct house_keeper *k, uint64_t account, bool removed)
{
    struct account_revoked m = {account, removed};
    struct chan *c = role_chan(k->role, ROLE_ACCOUNTS, 0);
    if (c)
        IGNORE_RESULT(chan_send(c, DIRECTORY_ACCOUNTS_REVOKED, &m, NULL, 0),
                      "accounts is going down then, and its sessions with it");
}

/* ---- accounts' questions and reports */

static void keeper_info(struct house_keeper *k, struct chan *c, uint64_t id,
                        const struct account_info_ask *ask)
{
    struct directory_account a;
    enum err e = directory_account_get(k->store, ask->account, &a);
    struct account_info m = {.err = (uint32_t)e};
    if (e == OK) {
        m.address = slice_str(a.address);
        m.quota_bytes = a.quota_bytes;
    }
    IGNORE_RESULT(chan_reply(c, id, DIRECTORY_ACCOUNTS_INFO, &m, NULL, 0),
                  "it asks again when it wants to know");
}

static void keeper_accounts(struct house_keeper *k, struct chan *c, uint16_t type, uint64_t id,
                            const void *message)
{
    const struct broker_usage *usage = message;
    if (type == DIRECTORY_ACCOUNTS_EPOCH)
        k->epoch = ((const struct broker_epoch *)message)->epoch;
    else if (type == DIRECTORY_ACCOUNTS_USAGE)
        directory_usage(k->store, usage->account, usage->bytes, usage->messages);
    else if (type == DIRECTORY_ACCOUNTS_INFO_ASK)
        keeper_info(k, c, id, message);
}

/* ---- the role */

static void keeper_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                           const void *message, int *fds, size_t n_fds)
{
    struct house_keeper *k = keeper_of(r);
    (void)fds, (void)n_fds;
    if (peer->def == &directory_accounts_channel) {
        keeper_accounts(k, peer->chan, type, id, message);
    } else if (peer->def == &x_directory_channel) {
        arena_reset(&k->scratch);
        if (type == X_DIRECTORY_RCPT_ASK)
            ask_rcpt(k, peer->chan, id, message);
        else if (type == X_DIRECTORY_AUTH_START)
            login_start(k, peer->chan, id, message);
        else if (type == X_DIRECTORY_AUTH_FINISH)
            login_finish(k, peer->chan, id, message);
        else if (type == X_DIRECTORY_SENDER_ASK)
            ask_sender(k, peer->chan, id, message);
    } else if (peer->def == &x_settings_channel) {
        arena_reset(&k->scratch);
        settings_message(k, peer->chan, type, id, message);
    }
    /* after a failed write the file is opened anew, as the supervisor starts us anew */
    if (directory_broken(k->store))
        role_fail(r, "the directory database could not be written: the disk refused; starting over");
}

static void keeper_peer(struct role_self *r, struct role_peer *peer)
{
    struct house_keeper *k = keeper_of(r);
    if (peer->role == ROLE_ACCOUNTS && !peer->chan)
        k->epoch = 0;
    if (peer->def == &x_directory_channel && !peer->chan)
        login_forget(k, NULL);
}

static void keeper_save(void *arg)
{
    struct house_keeper *k = arg;
    IGNORE_RESULT(directory_usage_save(k->store), "accounts tell it again; nothing depends on it");
    loop_timer_after(&k->save_timer, KEEPER_SAVE_MS);
}

static enum err keeper_prepare(struct role_self *r, struct err_detail *detail)
{
    struct house_keeper *k = calloc(1, sizeof *k);
    must(k);
    k->role = r;
    r->state = k;
    arena_init(&k->scratch, "directory question", KEEPER_SCRATCH);
    list_init(&k->admins);
    k->issuer = entropy_u64();
    k->throttle.key = entropy_hash_key();
    login_init(k);
    digest_warm_up();
    if (!keeper_hex(role_setting(r, "ticket-key", 0), k->ticket_key.bytes, sizeof k->ticket_key.bytes)) {
        err_detail_set(detail, "the supervisor gave no ticket key");
        return ERR_BUG;
    }
    return OK;
}

static enum err keeper_start(struct role_self *r, struct err_detail *detail)
{
    struct house_keeper *k = keeper_of(r);
    struct directory_options o = {.path = KEEPER_DB,
                                  .key = entropy_hash_key(),
                                  .quota_default = role_setting_u64(r, "account-size", 0)};
    enum err e;
    entropy_bytes(o.secret, sizeof o.secret);
    db_setup();
    e = directory_open(&o, &k->store, detail);
    secret_wipe(o.secret, sizeof o.secret);
    if (e != OK)
        return e;
    loop_timer_init(r->loop, &k->save_timer, keeper_save, k);
    loop_timer_after(&k->save_timer, KEEPER_SAVE_MS);
    e = control_begin(k);
    if (e != OK)
        err_detail_set(detail, "the control socket cannot be served: %s", err_text(e));
    return e;
}

static void keeper_drain(struct role_self *r, time_ms ms)
{
    struct house_keeper *k = keeper_of(r);
    (void)ms;
    control_end(k);
    IGNORE_RESULT(directory_usage_save(k->store), "accounts tell it again; nothing depends on it");
    directory_close(&k->store);
    role_exit(r);
}

static void keeper_status(struct role_self *r)
{
    const struct house_keeper *k = keeper_of(r);
    role_fact(r, "logins", "%llu", (unsigned long long)k->logins_passed);
    role_fact(r, "failed logins", "%llu", (unsigned long long)k->logins_failed);
}

const struct role_spec directory_spec = {
    .role = ROLE_DIRECTORY,
    .rights = &directory_rights,
    .prepare = keeper_prepare,
    .start = keeper_start,
    .on_message = keeper_message,
    .on_peer = keeper_peer,
    .on_drain = keeper_drain,
    .on_status = keeper_status,
};
