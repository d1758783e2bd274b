/* What posthorn doctor looks at without a server: the same survey as role doctor, from this process, with a
 * resolver of the machine instead of our own. */
#include "policy/address_class.h"
#include "survey/stub.h"
#include "survey/survey.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/net.h"
#include "tool/cmd_doctor.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <unistd.h>

#define HERE_ARENA    ((size_t)16 << 20)
#define RESOLVERS_MAX 4
#define DNS_PORT      53
#define SMTP_PORT     25

struct here {
    const struct tool *tool;
    struct arena arena;
    struct loop *loop;
    struct setup setup;
    struct setup_domain *domains;
    struct survey_stub stub;
    struct survey_options options;
    struct survey_outward outward[3];
    struct ip addresses[CONF_ADDRESS_MAX];
    slice resolvers[RESOLVERS_MAX];
    struct dns_table table; /* the host's addresses, when nobody said them */
    json_t *findings;
    bool done, good;
};

/* Well-known lists, for an address that nothing is known of yet. */
static const slice here_lists[] = {SLICE_INIT("zen.spamhaus.org"), SLICE_INIT("bl.spamcop.net")};

static bool here_file(const char *path, struct buf *out)
{
    int fd CLEANUP(fd_done) = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    while (fd >= 0 && n > 0) {
        uint8_t *room = buf_reserve(out, 4096);
        n = room ? read(fd, room, 4096) : 0;
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
    return fd >= 0;
}

/* "192.0.2.1@53"; the port may be left out. */
static bool here_address(slice text, uint16_t port, struct ip *out_ip, uint16_t *out_port)
{
    slice host, number;
    uint32_t n = port;
    bool has = slice_split(text, '@', &host, &number);
    if (ip_parse(host, out_ip) || (has && (!slice_u32(number, &n) || n > UINT16_MAX)))
        return false;
    *out_port = (uint16_t)n;
    return true;
}

static bool here_resolver(struct here *h)
{
    const struct tool *t = h->tool;
    struct buf conf CLEANUP(buf_done) = {.max = 65536};
    struct cursor c;
    slice line;
    struct ip ip;
    h->stub.loop = h->loop;
    h->stub.port = DNS_PORT;
    h->setup.resolvers = h->resolvers;
    if (tool_has(t, TOOL_RESOLVER)) {
        if (here_address(slice_str(t->options[TOOL_RESOLVER]), DNS_PORT, &h->stub.server, &h->stub.port))
            return true;
        (void)tool_fail("\"%.60s\" is no resolver; write ADDRESS@PORT, like 127.0.0.1@53",
                        t->options[TOOL_RESOLVER]);
        return false;
    }
    if (t->conf.forward_count) {
        h->stub.server = t->conf.forwards[0].ip;
        h->stub.port = t->conf.forwards[0].port;
        return true;
    }
    (void)here_file("/etc/resolv.conf", &conf);
    c = cursor_of(buf_view(&conf));
    while (h->setup.n_resolvers < RESOLVERS_MAX && cursor_line(&c, &line)) {
        struct cursor words = cursor_of(line);
        if (!cursor_take_nocase(&words, SLICE("nameserver")) || ip_parse(slice_trim(words.rest), &ip))
            continue;
        if (!h->setup.n_resolvers)
            h->stub.server = ip;
        if (arena_dup(&h->arena, slice_trim(words.rest), &h->resolvers[h->setup.n_resolvers]))
            h->setup.n_resolvers++;
    }
    if (h->setup.n_resolvers)
        return true;
    (void)tool_fail("/etc/resolv.conf names no resolver; name one with --resolver ADDRESS@PORT");
    return false;
}

/* ---- the machine */

static void here_machine(struct facts *f, const char *folder)
{
    struct timex t = {.modes = 0};
    struct statvfs st;
    struct sysinfo info;
    int state = adjtimex(&t);
    f->now = clock_unix();
    f->clock_synchronised = state < 0                                        ? FACTS_UNKNOWN
                            : state == TIME_ERROR || (t.status & STA_UNSYNC) ? FACTS_NO
                                                                             : FACTS_YES;
    if (statvfs(folder, &st) == 0 && st.f_blocks) {
        f->disk_known = true;
        f->disk_free = (uint64_t)st.f_bavail * st.f_frsize;
        f->disk_total = (uint64_t)st.f_blocks * st.f_frsize;
    }
    if (sysinfo(&info) == 0)
        f->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
}

static enum facts_known here_has(const struct ip *ip)
{
    struct ifaddrs *all = NULL;
    enum facts_known found = FACTS_NO;
    if (getifaddrs(&all) != 0)
        return FACTS_UNKNOWN;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        struct ip one = {{0}};
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
            one = ip_from_v4(
                (const uint8_t *)&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr);
        else if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6)
            memcpy(one.b, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, 16);
        if (!ip_is_none(&one) && ip_eq(&one, ip))
            found = FACTS_YES;
    }
    freeifaddrs(all);
    return found;
}

static void here_binds(struct here *h, struct facts *f)
{
    static const uint16_t ports[] = {25, 465, 993};
    struct ip any = ip_from_v4((const uint8_t[4]){0, 0, 0, 0});
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        struct err_detail detail = {""};
        int fd CLEANUP(fd_done) = -1;
        struct facts_bind *b = &f->binds[f->n_binds++];
        b->port = ports[i];
        b->err = net_listen(&any, ports[i], &fd, &detail);
        if (b->err && !arena_dup(&h->arena, slice_str(detail.text), &b->why))
            b->why = (slice){0};
    }
}

/* ---- what should be */

static bool here_domain(struct here *h, const char *name, const struct dns_plan_service *services,
                        size_t n_services)
{
    struct setup_domain *d = &h->domains[h->setup.n_domains];
    struct dns_name parsed;
    if (dns_name_parse(slice_str(name), &parsed) || !parsed.n) {
        (void)tool_fail("\"%.200s\" is no name of a domain", name);
        return false;
    }
    if (!arena_dup(&h->arena, dns_name_view(&parsed), &d->name))
        return false;
    d->in = (struct dns_plan_input){.domain = d->name,
                                    .hostname = h->setup.hostname,
                                    .addresses = h->addresses,
                                    .n_addresses = h->setup.n_addresses,
                                    .services = services,
                                    .n_services = n_services,
                                    .zone = slice_str(h->tool->conf.zone)};
    if (dns_plan_make(&d->in, &h->arena, &d->plan)) {
        (void)tool_fail(
            "the records of %.200s cannot be planned: is the hostname of the configuration a name?", name);
        return false;
    }
    h->setup.n_domains++;
    return true;
}

static uint16_t here_port(const struct tool *t, enum conf_service service)
{
    uint16_t port = 0;
    for (size_t i = 0; i < t->conf.listen_count; i++) {
        const struct conf_listen *l = &t->conf.listens[i];
        bool named = false;
        for (size_t k = 0; k < t->conf.address_count; k++)
            named |= ip_eq(&t->conf.addresses[k], &l->address.ip);
        if (l->service == service && (named || !ip_is_loopback(&l->address.ip)))
            port = l->address.port;
    }
    return port;
}

static bool here_plan(struct here *h, const char *const *domains, size_t n)
{
    static const struct {
        enum conf_service service;
        const char *name;
    } rows[] = {{CONF_SMTP, "smtp"},
                {CONF_SUBMISSION, "submission"},
                {CONF_SUBMISSIONS, "submissions"},
                {CONF_IMAPS, "imaps"}};
    struct dns_plan_service *services = ARENA_ARRAY(&h->arena, ARRAY_LEN(rows), struct dns_plan_service);
    uint16_t *const ports[] = {&h->setup.smtp_port, &h->setup.submission_port, &h->setup.submissions_port,
                               &h->setup.imaps_port};
    size_t n_services = 0;
    h->domains = ARENA_ARRAY(&h->arena, n, struct setup_domain);
    if (!services || !h->domains)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        *ports[i] = here_port(h->tool, rows[i].service);
        if (*ports[i])
            services[n_services++] = (struct dns_plan_service){slice_str(rows[i].name), *ports[i]};
    }
    h->setup.domains = h->domains;
    for (size_t i = 0; i < n; i++)
        if (!here_domain(h, domains[i], services, n_services))
            return false;
    return true;
}

/* ---- the run */

static void here_surveyed(void *arg, enum err e, const struct findings *f)
{
    struct here *h = arg;
    h->done = true;
    h->good = e == OK;
    if (e)
        (void)tool_fail("the look from outside did not come to its end: %s", err_text(e));
    for (size_t i = 0; !e && i < f->n; i++)
        doctor_add(h->findings, &f->at[i]);
}

static void here_outward(struct here *h, const char *domain)
{
    static const char *const usual[] = {"gmail.com", "icloud.com"};
    const char *given = h->tool->options[TOOL_OUTWARD];
    size_t n = 0;
    slice name, port;
    uint32_t number;
    if (given) {
        h->outward[n] = (struct survey_outward){slice_str(given), SMTP_PORT};
        if (slice_split(slice_str(given), '@', &name, &port) && slice_u32(port, &number) &&
            number <= UINT16_MAX)
            h->outward[n] = (struct survey_outward){name, (uint16_t)number};
        n++;
    } else {
        h->outward[n++] = (struct survey_outward){slice_str(domain), SMTP_PORT};
        for (size_t i = 0; i < ARRAY_LEN(usual); i++)
            h->outward[n++] = (struct survey_outward){slice_str(usual[i]), SMTP_PORT};
    }
    h->options.outward = h->outward;
    h->options.n_outward = n;
}

struct here_answer {
    struct here *here;
    size_t question;
};

static void here_answered(void *arg, const struct dns_answer *a)
{
    struct here_answer r = *(struct here_answer *)arg;
    free(arg);
    dns_table_put(&r.here->table, r.question, a);
}

/* The host's addresses by the DNS. */
static void here_find_addresses(struct here *h)
{
    static const uint16_t types[] = {DNS_A, DNS_AAAA};
    size_t question;
    slice name;
    uint16_t type;
    if (!dns_table_init(&h->table, &h->arena, 4))
        return;
    for (size_t i = 0; i < 2; i++)
        (void)dns_table_get(&h->table, h->setup.hostname, types[i]);
    while (dns_table_next(&h->table, &question, &name, &type)) {
        struct here_answer *r = malloc(sizeof *r);
        must(r);
        *r = (struct here_answer){h, question};
        survey_stub_ask(&h->stub, name, type, here_answered, r);
    }
    while (dns_table_open(&h->table))
        loop_turn(h->loop, true);
    for (size_t i = 0; i < 2; i++) {
        const struct dns_answer *a = dns_table_get(&h->table, h->setup.hostname, types[i]);
        for (size_t k = 0; a && k < a->n && h->setup.n_addresses < CONF_ADDRESS_MAX; k++)
            h->setup.n_addresses +=
                (i ? dns_rr_aaaa : dns_rr_a)(a->rdata[k], &h->addresses[h->setup.n_addresses]) == OK;
    }
    h->setup.addresses_found = true;
}

static bool here_setup(struct here *h, const char *const *domains, size_t n, const char *before)
{
    const struct tool *t = h->tool;
    char host[300];
    h->setup.addresses = h->addresses;
    h->setup.private_ok = t->conf.doctor.test;
    if (before) {
        snprintf(host, sizeof host, "mail.%.250s", domains[0]);
        if (!here_resolver(h) || !arena_dup(&h->arena, slice_str(host), &h->setup.hostname))
            return false;
        if (ip_parse(slice_str(before), &h->addresses[0])) {
            (void)tool_fail("\"%.60s\" is no address of this machine; write it as 198.51.100.7", before);
            return false;
        }
        h->setup.n_addresses = 1;
        h->setup.dnsbl = here_lists;
        h->setup.n_dnsbl = ARRAY_LEN(here_lists);
        h->setup.private_ok = tool_has(t, TOOL_RESOLVER) && ip_is_loopback(&h->stub.server);
    } else {
        h->setup.hostname = slice_str(t->conf.hostname);
        h->setup.n_addresses = t->conf.address_count;
        memcpy(h->addresses, t->conf.addresses, sizeof h->addresses);
        if (!here_resolver(h))
            return false;
        if (!h->setup.n_addresses)
            here_find_addresses(h);
    }
    return here_plan(h, domains, n);
}

static bool here_trust(struct here *h, struct survey_trust **out)
{
    static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    struct buf pem CLEANUP(buf_done) = {.max = 1 << 20};
    struct err_detail detail = {""};
    const char *own = h->tool->conf.doctor.trust;
    bool found = *own && here_file(own, &pem);
    for (size_t i = 0; !found && i < ARRAY_LEN(usual); i++)
        found = here_file(usual[i], &pem);
    if (survey_trust_new(buf_view(&pem), out, &detail) == OK)
        return true;
    (void)tool_fail("%s", detail.text);
    return false;
}

bool doctor_here(const struct tool *t, const char *const *domains, size_t n, const char *before,
                 json_t *findings)
{
    struct here *h = calloc(1, sizeof *h);
    struct survey_trust *trust = NULL;
    bool good;
    must(h);
    h->tool = t;
    h->findings = findings;
    h->loop = loop_new();
    arena_init(&h->arena, "doctor", HERE_ARENA);
    good = here_setup(h, domains, n, before) && here_trust(h, &trust);
    if (good) {
        h->options =
            (struct survey_options){.loop = h->loop,
                                    .setup = &h->setup,
                                    .lookup = {survey_stub_ask, &h->stub},
                                    .trust = trust,
                                    .dns_port = t->conf.doctor.test ? t->conf.doctor.test_dns_port : DNS_PORT,
                                    .private_ok = h->setup.private_ok,
                                    .before = before != NULL};
        here_machine(&h->options.facts, before ? "/var" : t->conf.data);
        if (before) {
            if (h->setup.private_ok)
                h->options.dns_port = h->stub.port;
            h->options.facts.address_here = here_has(&h->addresses[0]);
            here_binds(h, &h->options.facts);
            here_outward(h, domains[0]);
        }
        survey_run(&h->options, here_surveyed, h);
        while (!h->done)
            loop_turn(h->loop, true);
        good = h->good;
    }
    survey_trust_free(&trust);
    arena_done(&h->arena);
    loop_free(h->loop);
    free(h);
    return good;
}
