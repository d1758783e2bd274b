#include "proc/doctor/records.h"

#include "core/spf/spf.h"
#include "ipc/admin_words.h"
#include "ipc/doctor_keys.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS_MS       (20 * MS_SECOND)
#define RECORDS_ARENA    ((size_t)4 << 20)
#define RECORDS_KEYS     64
#define RECORDS_INCLUDES 32
#define RECORDS_SERVICES 64
#define RECORDS_ADDRS    16
#define RECORDS_TLSA     64

struct records {
    struct doctor *doctor;
    struct arena arena;
    struct dns_plan_input in;
    struct dns_plan_key keys[RECORDS_KEYS];
    struct dns_plan_include includes[RECORDS_INCLUDES];
    struct dns_plan_service services[RECORDS_SERVICES];
    struct ip addresses[RECORDS_ADDRS];
    slice tlsa[RECORDS_TLSA];
    struct dns_table table;
    size_t open; /* lines of work under way: keys, certificates, DNS */
    enum err err;
    char text[256];
    records_fn fn;
    void *arg;
    struct loop_task end;
};

static void records_end(void *arg)
{
    struct records *r = arg;
    struct dns_plan plan;
    if (!r->err) {
        r->err = dns_plan_make(&r->in, &r->arena, &plan);
        snprintf(r->text, sizeof r->text, "%s",
                 r->err == ERR_SYNTAX
                     ? "the name of the domain, of this host or of the zone is no name of the DNS"
                     : "the plan of the records is too large");
    }
    if (r->err)
        r->fn(r->arg, r->err, slice_str(r->text), NULL, NULL);
    else
        r->fn(r->arg, OK, (slice){0}, &r->in, &plan);
    arena_done(&r->arena);
    free(r);
}

/* A line of work is done, or failed; the last one ends it all. */
static void records_done(struct records *r, enum err e, const char *who)
{
    if (e && !r->err) {
        r->err = e;
        snprintf(r->text, sizeof r->text, "%s (%s); see posthorn status", who, err_text(e));
    }
    if (--r->open == 0)
        loop_later(r->doctor->role->loop, &r->end);
}

/* ---- keys */

static enum err records_next_key(struct records *r, slice after);

static enum err records_keep_key(struct records *r, const struct doctor_key *m)
{
    struct dns_plan_key *k = &r->keys[r->in.n_keys];
    if (r->in.n_keys == RECORDS_KEYS)
        return ERR_LIMIT;
    if (!arena_dup(&r->arena, m->selector, &k->selector) || !arena_dup(&r->arena, m->record, &k->record))
        return ERR_LIMIT;
    k->state = (enum dns_plan_key_state)m->state;
    r->in.n_keys++;
    return OK;
}

static void records_key(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct records *r = arg;
    const struct doctor_key *m = message;
    (void)fds, (void)n_fds;
    if (!e)
        e = err_from_wire(m->err);
    if (e == ERR_NOT_FOUND || (!e && !slice_eq_nocase(m->domain, r->in.domain))) {
        records_done(r, OK, NULL);
        return;
    }
    if (!e)
        e = records_keep_key(r, m);
    else if (e == ERR_CORRUPT && slice_eq_nocase(m->domain, r->in.domain))
        e = OK; /* a damaged key file: keys says so, and this key signs nothing */
    if (!e)
        e = records_next_key(r, m->id);
    if (e)
        records_done(r, e, "keys does not say which DKIM keys there are");
}

static enum err records_next_key(struct records *r, slice after)
{
    struct doctor_key_list m = {after};
    return role_call(r->doctor->role, ROLE_KEYS, DOCTOR_KEYS_LIST, &m, NULL, 0, RECORDS_MS, records_key, r);
}

/* Ids are DOMAIN,SELECTOR in order, so a domain's keys follow "DOMAIN,". */
static void records_keys(struct records *r)
{
    char after[DNS_NAME_MAX + 2];
    enum err e;
    snprintf(after, sizeof after, "%.*s,", (int)size_min(r->in.domain.n, DNS_NAME_MAX),
             (const char *)(r->in.domain.n ? r->in.domain.p : (const uint8_t *)""));
    r->open++;
    e = records_next_key(r, slice_str(after));
    if (e)
        records_done(r, e, "keys does not answer");
}

/* ---- certificates */

static void records_certificates(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct records *r = arg;
    const struct doctor_certificates *m = message;
    (void)fds, (void)n_fds;
    for (size_t i = 0; !e && i < m->n_certificates && i < RECORDS_TLSA; i++) {
        if (!arena_dup(&r->arena, m->certificates[i].spki_sha256, &r->tlsa[r->in.n_tlsa]))
            e = ERR_LIMIT;
        else
            r->in.n_tlsa++;
    }
    records_done(r, e, "keys does not say which TLS certificates there are");
}

/* ---- the DNS: what included SPF records cost, and our addresses when nobody said them */

static void records_dns(void *arg);

/* How many lookups a domain's SPF record costs: a client that no record names makes every term count. False:
 * answers are missing. */
static bool records_spf_cost(struct records *r, slice name, int *out)
{
    struct spf_ask ask = {.domain = name, .local = SLICE("postmaster"), .receiver = r->in.hostname};
    struct spf_result result = {0};
    ask.client = ip_from_v4((const uint8_t[4]){240, 0, 0, 1});
    ask.helo = r->in.hostname;
    if (spf_check(&ask, &r->table, &r->arena, &result) == AUTH_WAIT)
        return false;
    *out = (int)result.lookups;
    return true;
}

static bool records_addresses(struct records *r)
{
    static const uint16_t types[] = {DNS_A, DNS_AAAA};
    const struct dns_answer *answers[2];
    for (size_t t = 0; t < 2; t++)
        answers[t] = dns_table_get(&r->table, r->in.hostname, types[t]);
    if (!answers[0] || !answers[1])
        return false;
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < answers[t]->n && r->in.n_addresses < RECORDS_ADDRS; i++)
            if ((t == 0 ? dns_rr_a : dns_rr_aaaa)(answers[t]->rdata[i], &r->addresses[r->in.n_addresses]) ==
                OK)
                r->in.n_addresses++;
    return true;
}

static void records_dns(void *arg)
{
    struct records *r = arg;
    bool wait = false;
    for (size_t i = 0; i < r->in.n_includes; i++)
        if (r->includes[i].lookups < 0 && !records_spf_cost(r, r->includes[i].name, &r->includes[i].lookups))
            wait = true;
    if (r->in.n_addresses == 0 && !records_addresses(r))
        wait = true;
    if (wait)
        doctor_ask(r->doctor, &r->table, false, records_dns, r);
    else
        records_done(r, OK, NULL);
}

/* ---- settings */

/* "SERVICE ADDRESS:PORT[ plaintext]". A loopback address counts only when the configuration says that others
 * see us there. */
static void records_listener(struct records *r, slice text)
{
    struct dns_plan_service s = {0};
    slice rest, address;
    struct ip ip;
    uint32_t port;
    size_t colon;
    bool seen = false;
    slice_split(text, ' ', &s.name, &rest);
    slice_split(rest, ' ', &address, &rest);
    colon = slice_rindex(address, ':');
    if (!slice_u32(slice_from(address, colon + 1), &port) || port > UINT16_MAX ||
        r->in.n_services == RECORDS_SERVICES)
        return;
    address = slice_sub(address, 0, colon);
    if (address.n > 2 && address.p[0] == '[')
        address = slice_sub(address, 1, address.n - 1);
    if (ip_parse(address, &ip) != OK)
        return;
    for (size_t i = 0; i < r->in.n_addresses; i++)
        seen = seen || ip_eq(&ip, &r->addresses[i]);
    if (ip_is_loopback(&ip) && !seen)
        return;
    s.port = (uint16_t)port;
    r->services[r->in.n_services++] = s;
}

static void records_configuration(struct records *r)
{
    struct role_self *role = r->doctor->role;
    slice s;
    for (size_t i = 0; (s = role_setting(role, "address", i)).n && r->in.n_addresses < RECORDS_ADDRS; i++)
        if (ip_parse(s, &r->addresses[r->in.n_addresses]) == OK)
            r->in.n_addresses++;
    for (size_t i = 0; (s = role_setting(role, "listen", i)).n; i++)
        records_listener(r, s);
    r->in.zone = role_setting(role, "zone", 0);
    r->in.hostname = r->doctor->hostname;
}

static enum err records_domain(struct records *r, const struct doctor_domain *domain)
{
    slice list, item;
    if (!arena_dup(&r->arena, domain->name, &r->in.domain) ||
        !arena_dup(&r->arena, doctor_domain_setting(domain, "dmarc", SLICE("none")), &r->in.dmarc) ||
        !arena_dup(&r->arena, doctor_domain_setting(domain, "spf-include", (slice){0}), &list))
        return ERR_LIMIT;
    r->in.sign = slice_eq(doctor_domain_setting(domain, "sign", SLICE("on")), SLICE("on"));
    while (list.n && r->in.n_includes < RECORDS_INCLUDES) {
        slice_split(list, ',', &item, &list);
        item = slice_trim(item);
        if (item.n)
            r->includes[r->in.n_includes++] = (struct dns_plan_include){item, -1};
    }
    return OK;
}

void records_plan(struct doctor *d, const struct doctor_domain *domain, records_fn fn, void *arg)
{
    struct records *r = calloc(1, sizeof *r);
    enum err e;
    must(r);
    r->doctor = d;
    r->fn = fn;
    r->arg = arg;
    r->in.keys = r->keys;
    r->in.includes = r->includes;
    r->in.services = r->services;
    r->in.addresses = r->addresses;
    r->in.tlsa = r->tlsa;
    r->open = 1;
    loop_task_init(&r->end, records_end, r);
    arena_init(&r->arena, "records", RECORDS_ARENA);
    e = records_domain(r, domain);
    if (!e && !dns_table_init(&r->table, &r->arena, 512))
        e = ERR_LIMIT;
    if (!e) {
        records_configuration(r);
        records_keys(r);
        r->open++;
        records_dns(r);
        r->open++;
        enum err asked = role_call(d->role, ROLE_KEYS, DOCTOR_KEYS_CERTIFICATES_ASK, NULL, NULL, 0,
                                   RECORDS_MS, records_certificates, r);
        if (asked)
            records_done(r, asked, "keys does not answer");
    }
    records_done(r, e, "the domain's settings are too large");
}

/* ---- posthorn dns */

void records_string(struct buf *b, const char *name, slice value)
{
    buf_print(b, ",\"%s\":\"", name);
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        if (c == '"' || c == '\\')
            buf_byte(b, '\\');
        if (c < ' ' || c > '~')
            buf_print(b, "\\u%04x", (unsigned)c);
        else
            buf_byte(b, c);
    }
    buf_byte(b, '"');
}

static void records_row(struct doctor_call *call, const struct dns_plan_record *p)
{
    struct buf b CLEANUP(buf_done) = {.max = ADMIN_WORDS_JSON_MAX};
    struct buf joined CLEANUP(buf_done) = {.max = 65536};
    buf_print(&b, "{\"kind\":\"%s\",\"owner\":\"%s\",\"must\":%s,\"ttl\":%lu", dns_plan_kind_name(p->kind),
              dns_plan_owner_name(p->owner), p->must ? "true" : "false", (unsigned long)p->ttl_s);
    records_string(&b, "name", dns_name_view(&p->name));
    records_string(&b, "type", slice_str(dns_type_name(p->type)));
    records_string(&b, "data", p->text);
    if (p->type == DNS_TXT && dns_rr_txt(p->rdata, &joined) == OK)
        records_string(&b, "joined", buf_view(&joined));
    records_string(&b, "why", p->why);
    buf_byte(&b, '}');
    doctor_row(call, buf_view(&b));
}

static void records_show(void *arg, enum err e, slice text, const struct dns_plan_input *input,
                         const struct dns_plan *plan)
{
    struct doctor_call *call = arg;
    struct buf b CLEANUP(buf_done) = {.max = ADMIN_WORDS_JSON_MAX};
    if (e) {
        doctor_end(call, e, text);
        return;
    }
    buf_str(&b, "{\"kind\":\"plan\"");
    records_string(&b, "domain", input->domain);
    records_string(&b, "hostname", input->hostname);
    records_string(&b, "zone", input->zone);
    buf_byte(&b, '}');
    doctor_row(call, buf_view(&b));
    for (size_t i = 0; i < plan->n; i++)
        records_row(call, &plan->records[i]);
    for (size_t i = 0; i < plan->n_notes; i++) {
        buf_clear(&b);
        buf_str(&b, "{\"kind\":\"note\"");
        records_string(&b, "text", plan->notes[i]);
        buf_byte(&b, '}');
        doctor_row(call, buf_view(&b));
    }
    doctor_end(call, OK, (slice){0});
}

struct records_call {
    struct doctor *doctor;
    struct doctor_call *call;
};

static void records_domain_came(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct records_call c = *(struct records_call *)arg;
    free(arg);
    if (e || n != 1)
        doctor_end(c.call, e ? e : ERR_NOT_FOUND,
                   e == ERR_NOT_FOUND || !e
                       ? SLICE("that is no domain of this server; `posthorn domain list` shows them")
                       : SLICE("directory does not say how the domain is set; see posthorn status"));
    else
        records_plan(c.doctor, &domains[0], records_show, c.call);
}

static void records_verb(struct doctor *d, struct doctor_call *call)
{
    struct records_call *c = malloc(sizeof *c);
    struct dns_name name;
    must(c);
    if (dns_name_parse(doctor_arg(call, 0), &name) != OK || name.n == 0) {
        free(c);
        doctor_end(call, ERR_SYNTAX, SLICE("that is no name of a domain"));
        return;
    }
    *c = (struct records_call){d, call};
    doctor_domains(d, dns_name_view(&name), records_domain_came, c);
}

static const struct doctor_verb records_verbs[] = {
    {"dns", 1, 1, records_verb},
};

const struct doctor_part doctor_dns_part = {
    .name = "dns",
    .verbs = records_verbs,
    .n_verbs = ARRAY_LEN(records_verbs),
};
