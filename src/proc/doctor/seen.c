#include "proc/doctor/seen.h"

#include "base/ip.h"
#include "policy/address_class.h"
#include "policy/key_rotation.h"
#include "proc/doctor/check.h"
#include "survey/dns.h"

#include <stdlib.h>

#define SEEN_ARENA ((size_t)512 * 1024)
#define SEEN_PORT  53

struct seen {
    struct doctor *doctor;
    struct arena arena;
    struct dns_table table;
    struct dns_name name;
    slice record;
    size_t open;
    slice behind;
    seen_fn fn;
    void *arg;
    struct loop_task end;
};

/* One server that is asked. */
struct seen_one {
    struct seen *seen;
    slice server;
};

static void seen_end(void *arg)
{
    struct seen *s = arg;
    s->fn(s->arg, s->behind);
    arena_done(&s->arena);
    free(s);
}

/* What one server shows. */
static enum rotation_seen seen_shown(const struct seen *s, const struct dns_packet_answer *a)
{
    struct buf texts[2] = {{.max = 4096}, {.max = 4096}};
    slice shown[2];
    size_t n = 0;
    enum rotation_seen r;
    for (size_t i = 0; i < a->n && n < ARRAY_LEN(shown); i++)
        if (dns_rr_txt(a->rdata[i], &texts[n]) == OK) {
            shown[n] = buf_view(&texts[n]);
            n++;
        }
    r = rotation_compare(s->record, shown, n);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        buf_done(&texts[i]);
    return r;
}

static void seen_answered(void *arg, enum err e, const struct survey_dns_reply *r)
{
    struct seen_one one = *(struct seen_one *)arg;
    struct seen *s = one.seen;
    free(arg);
    if (!e && r->authoritative && (r->answer.rcode == DNS_NOERROR || r->answer.rcode == DNS_NXDOMAIN) &&
        dns_name_eq(&r->answer.canonical, &s->name) && seen_shown(s, &r->answer) != ROTATION_SEEN_EQUAL)
        s->behind = one.server;
    if (--s->open == 0)
        seen_end(s);
}

static bool seen_allowed(struct doctor *d, const struct ip *ip, uint16_t *out_port)
{
    uint32_t test_port, seconds;
    check_test(d, &test_port, &seconds);
    *out_port = test_port ? (uint16_t)test_port : SEEN_PORT;
    return test_port || address_class(ip) == ADDRESS_GLOBAL;
}

/* An address of the server: its first of version 4, else of version 6. */
static bool seen_address(struct seen *s, const struct dns_name *server, struct ip *out)
{
    const struct dns_answer *v4 = dns_table_get(&s->table, dns_name_view(server), DNS_A);
    const struct dns_answer *v6 = dns_table_get(&s->table, dns_name_view(server), DNS_AAAA);
    if (v4 && v4->n)
        return dns_rr_a(v4->rdata[0], out) == OK;
    return v6 && v6->n && dns_rr_aaaa(v6->rdata[0], out) == OK;
}

/* The name servers of the nearest zone at or above the name, or NULL. Notes every question at once. */
static const struct dns_answer *seen_servers(struct seen *s)
{
    const struct dns_answer *found = NULL;
    slice name = dns_name_view(&s->name);
    while (name.n) {
        const struct dns_answer *a = dns_table_get(&s->table, name, DNS_NS);
        if (!found && a && a->n)
            found = a;
        name = slice_from(name, slice_index(name, '.') + 1);
    }
    return found;
}

static void seen_ask(struct seen *s, const struct dns_name *server)
{
    struct seen_one *one;
    struct ip ip;
    uint16_t port;
    if (!seen_address(s, server, &ip) || !seen_allowed(s->doctor, &ip, &port))
        return;
    one = calloc(1, sizeof *one);
    must(one);
    one->seen = s;
    if (!arena_dup(&s->arena, dns_name_view(server), &one->server))
        one->server = SLICE("one of its servers");
    s->open++;
    survey_dns_ask(s->doctor->role->loop, &ip, port, &s->name, DNS_TXT, false, seen_answered, one);
}

/* The addresses are there: ask. */
static void seen_found(void *arg)
{
    struct seen *s = arg;
    const struct dns_answer *ns = seen_servers(s);
    for (size_t i = 0; ns && i < ns->n && i < SEEN_SERVERS_MAX; i++) {
        struct dns_name server;
        if (dns_rr_name(ns->rdata[i], &server) == OK)
            seen_ask(s, &server);
    }
    if (!s->open)
        loop_later(s->doctor->role->loop, &s->end);
}

/* The servers' names are there: ask for their addresses. */
static void seen_named(void *arg)
{
    struct seen *s = arg;
    const struct dns_answer *ns = seen_servers(s);
    for (size_t i = 0; ns && i < ns->n && i < SEEN_SERVERS_MAX; i++) {
        struct dns_name server;
        struct ip ip;
        if (dns_rr_name(ns->rdata[i], &server) == OK)
            IGNORE_RESULT(seen_address(s, &server, &ip), "it notes the questions");
    }
    doctor_ask(s->doctor, &s->table, false, seen_found, s);
}

void seen_everywhere(struct doctor *d, slice name, slice record, seen_fn fn, void *arg)
{
    struct seen *s = calloc(1, sizeof *s);
    must(s);
    s->doctor = d;
    s->fn = fn;
    s->arg = arg;
    arena_init(&s->arena, "seen", SEEN_ARENA);
    loop_task_init(&s->end, seen_end, s);
    if (dns_name_parse(name, &s->name) != OK || !arena_dup(&s->arena, record, &s->record) ||
        !dns_table_init(&s->table, &s->arena, 128 + 2 * SEEN_SERVERS_MAX)) {
        loop_later(d->role->loop, &s->end);
        return;
    }
    IGNORE_RESULT(seen_servers(s), "it notes the questions");
    doctor_ask(d, &s->table, false, seen_named, s);
}
