#include "proc/judge/house.h"

#include "base/hash.h"
#include "ipc/doctor_keys.h"
#include "ipc/x_keys.h"
#include "ipc/x_settings.h"
#include "sys/entropy.h"

#include <stdlib.h>

#define HOUSE_AGAIN_MS     200
#define HOUSE_NO_ANSWER_MS 1000 /* until somebody is asked again who gave none */

struct judge_house {
    struct role_self *role;
    void (*came)(void *arg);
    void *arg;
    struct hash_key hash_key;
    struct map domains;
    struct list ages;
    size_t n;
    struct loop_timer again;
};

static void house_again(void *arg);

struct judge_house *judge_house_new(struct role_self *role, void (*came)(void *arg), void *arg)
{
    struct judge_house *h = calloc(1, sizeof *h);
    must(h);
    *h = (struct judge_house){.role = role, .came = came, .arg = arg, .hash_key = entropy_hash_key()};
    list_init(&h->ages);
    loop_timer_init(role->loop, &h->again, house_again, h);
    return h;
}

static void domain_free(struct house_domain *d)
{
    struct judge_house *h = d->house;
    if (d->open)
        role_forget(h->role, d);
    list_remove(&d->age);
    (void)map_remove(&h->domains, d->key);
    h->n--;
    buf_done(&d->text);
    free(d);
}

void judge_house_free(struct judge_house **p)
{
    struct judge_house *h = *p;
    if (!h)
        return;
    LIST_EACH_SAFE(it, &h->ages)
    domain_free(LIST_OF(it, struct house_domain, age));
    loop_timer_done(&h->again);
    map_done(&h->domains);
    free(h);
    *p = NULL;
}

/* ---- answers */

static void domain_settle(struct house_domain *d, enum house_state state)
{
    d->open = false;
    d->state = state;
    d->until =
        loop_now(d->house->role->loop) + (state == HOUSE_NO_ANSWER ? HOUSE_NO_ANSWER_MS : HOUSE_KEEP_MS);
    d->house->came(d->house->arg);
}

/* The other role is gone: again in a moment, for a while. */
static bool domain_patient(struct house_domain *d, enum err e)
{
    if (e != ERR_CLOSED || loop_now(d->house->role->loop) >= d->patient_until)
        return false;
    d->open = false;
    loop_timer_after(&d->house->again, HOUSE_AGAIN_MS);
    return true;
}

static void keys_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct house_domain *d = arg;
    const struct dkim_keys *m = message;
    struct dns_name selector;
    (void)fds, (void)n_fds; /* none */
    if (domain_patient(d, e))
        return;
    d->no_keys = e != OK;
    for (size_t i = 0; e == OK && i < m->n_keys && d->n_keys < HOUSE_KEYS_MAX; i++) {
        if (dns_name_parse(m->keys[i].selector, &selector))
            continue;
        d->keys[d->n_keys++] =
            (struct house_key){.selector = selector, .ed25519 = m->keys[i].algorithm == DKIM_KEY_ED25519};
    }
    domain_settle(d, HOUSE_KNOWN);
    if (d->no_keys)
        d->until = loop_now(d->house->role->loop) + HOUSE_NO_ANSWER_MS;
}

static void ask_keys(struct house_domain *d)
{
    const struct dkim_keys_ask ask = {.domain = dns_name_view(&d->name)};
    enum err e;
    d->asking_keys = d->open = true;
    e = role_call(d->house->role, ROLE_KEYS, X_KEYS_DKIM_ASK, &ask, NULL, 0, HOUSE_ASK_MS, keys_answered, d);
    if (e)
        keys_answered(d, e, NULL, NULL, 0);
}

static slice keep(struct house_domain *d, slice value)
{
    size_t from = d->text.n;
    (void)buf_append(&d->text, slice_sub(value, 0, HOUSE_VALUE_MAX)); /* it has room for both */
    return slice_of(d->text.p + from, d->text.n - from);
}

static void settings_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct house_domain *d = arg;
    const struct settings_domain *m = message;
    (void)fds, (void)n_fds; /* none */
    if (domain_patient(d, e))
        return;
    d->open = false;
    if (e == OK && err_from_wire(m->err) == ERR_NOT_FOUND) {
        domain_settle(d, HOUSE_NOT_OURS);
        return;
    }
    if (e != OK || m->err != OK || !buf_reserve(&d->text, (size_t)2 * HOUSE_VALUE_MAX)) {
        domain_settle(d, HOUSE_NO_ANSWER);
        return;
    }
    d->sign = true;
    for (size_t i = 0; i < m->n_values; i++) {
        if (slice_eq(m->values[i].name, SLICE("sign")))
            d->sign = !slice_eq(m->values[i].value, SLICE("off"));
        else if (slice_eq(m->values[i].name, SLICE("sign-headers")))
            d->sign_headers = keep(d, m->values[i].value);
        else if (slice_eq(m->values[i].name, SLICE("trust-sealers")))
            d->trust_sealers = keep(d, m->values[i].value);
    }
    if (d->sign)
        ask_keys(d);
    else
        domain_settle(d, HOUSE_KNOWN);
}

static void ask_settings(struct house_domain *d)
{
    const struct settings_domain_ask ask = {.domain = dns_name_view(&d->name)};
    enum err e;
    d->open = true;
    e = role_call(d->house->role, ROLE_DIRECTORY, X_SETTINGS_DOMAIN_ASK, &ask, NULL, 0, HOUSE_ASK_MS,
                  settings_answered, d);
    if (e)
        settings_answered(d, e, NULL, NULL, 0);
}

static void house_again(void *arg)
{
    struct judge_house *h = arg;
    LIST_EACH_SAFE(it, &h->ages)
    {
        struct house_domain *d = LIST_OF(it, struct house_domain, age);
        if (d->state == HOUSE_WAIT && !d->open) {
            if (d->asking_keys)
                ask_keys(d);
            else
                ask_settings(d);
        }
    }
}

/* ---- questions */

static void domain_ask(struct house_domain *d)
{
    d->state = HOUSE_WAIT;
    d->asking_keys = d->sign = d->no_keys = false;
    d->n_keys = 0;
    d->sign_headers = d->trust_sealers = (slice){0};
    buf_clear(&d->text);
    d->patient_until = loop_now(d->house->role->loop) + HOUSE_PATIENCE_MS;
    d->until = d->patient_until + 2 * HOUSE_ASK_MS; /* whatever happens to the answers */
    ask_settings(d);
}

static struct house_domain *domain_new(struct judge_house *h, const struct dns_name *name, uint64_t key)
{
    struct house_domain *d;
    if (h->n >= HOUSE_DOMAINS_MAX)
        domain_free(LIST_OF(h->ages.next, struct house_domain, age));
    d = calloc(1, sizeof *d);
    must(d);
    *d = (struct house_domain){
        .house = h, .name = *name, .key = key, .text = {.max = (size_t)2 * HOUSE_VALUE_MAX}};
    list_init(&d->age);
    (void)map_put(&h->domains, key, d);
    h->n++;
    return d;
}

const struct house_domain *judge_house_domain(struct judge_house *h, slice domain)
{
    struct dns_name name;
    struct house_domain *d;
    uint64_t key;
    if (dns_name_parse(domain, &name))
        return NULL;
    key = hash_slice(&h->hash_key, dns_name_view(&name));
    d = map_get(&h->domains, key);
    if (d && !dns_name_eq(&d->name, &name))
        return NULL; /* two names with one key: it does not happen */
    if (d && loop_now(h->role->loop) < d->until) {
        list_remove(&d->age);
        list_append(&h->ages, &d->age);
        return d;
    }
    if (!d)
        d = domain_new(h, &name, key);
    else if (d->open)
        role_forget(h->role, d); /* its answer went with an old channel */
    list_remove(&d->age);
    list_append(&h->ages, &d->age);
    domain_ask(d);
    return d;
}

/* ---- signatures */

static void house_signed(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct house_signing *s = arg;
    const struct signature *m = message;
    (void)fds, (void)n_fds; /* none */
    if (e == OK)
        e = err_from_wire(m->err);
    s->fn(s->arg, e, e == OK ? m->bytes : (slice){0});
}

void judge_house_sign(struct judge_house *h, slice domain, slice selector, slice digest,
                      struct house_signing *s)
{
    const struct dkim_sign_ask ask = {.domain = domain, .selector = selector, .digest = digest};
    enum err e =
        role_call(h->role, ROLE_KEYS, X_KEYS_DKIM_SIGN, &ask, NULL, 0, HOUSE_ASK_MS, house_signed, s);
    if (e)
        house_signed(s, e, NULL, NULL, 0);
}
