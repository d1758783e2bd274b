/* conf: parser. A table of settings, a table of services, a table of limits; one line at a time. */
#include "conf/conf.h"

#include "conf/conf__value.h"

#include <stdarg.h>
#include <stdio.h>

#define WORDS_MAX 8

/* One line, split. */
struct conf_line {
    unsigned number;
    slice words[WORDS_MAX];
    size_t n;
    slice rest; /* all behind the name, trimmed, without the comment */
};

struct conf_parse_state {
    struct conf *c;
    struct conf_problems *problems;
    slice folder;
    unsigned seen[32];                      /* line of each setting that may be there once */
    unsigned limit_seen[CONF_LIMIT__COUNT]; /* and of each limit */
};

static const struct {
    const char *name;
    bool tls_at_once;
} conf_services[] = {
    [CONF_SMTP] = {"smtp", false},
    [CONF_SUBMISSION] = {"submission", false},
    [CONF_SUBMISSIONS] = {"submissions", true},
    [CONF_IMAP] = {"imap", false},
    [CONF_IMAPS] = {"imaps", true},
};
static_assert(ARRAY_LEN(conf_services) == CONF_SERVICE__COUNT, "every service has a row");

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const struct {
    const char *name;
    bool size; /* takes K, M, G, T */
    uint64_t preset, min, max;
} conf_limits[] = {
    [CONF_LIMIT_MESSAGE_SIZE] = {"message-size", true, 50 * MIB, 64 * KIB, 1 * GIB},
    [CONF_LIMIT_RECIPIENTS] = {"recipients", false, 100, 100, 10000}, /* RFC 5321 §4.5.3.1.8: at least 100 */
    [CONF_LIMIT_SUBMISSION_RECIPIENTS] = {"submission-recipients", false, 1000, 1, 10000},
    [CONF_LIMIT_CONNECTIONS] = {"connections", false, 10000, 1, 1000000},
    [CONF_LIMIT_CONNECTIONS_PER_NETWORK] = {"connections-per-network", false, 20, 1, 100000},
    [CONF_LIMIT_EDGES] = {"edges", false, 0, 0, 64},
    [CONF_LIMIT_BODY_MEMORY] = {"body-memory", true, 512 * MIB, 1 * MIB, 1024 * GIB},
    [CONF_LIMIT_ACCOUNT_SIZE] = {"account-size", true, 0, 0, 1024 * 1024 * GIB},
    [CONF_LIMIT_QUEUE_DAYS] = {"queue-days", false, 5, 1, 30}, /* RFC 5321 §4.5.4.1: 4-5 days */
    [CONF_LIMIT_EXPUNGED_DAYS] = {"expunged-days", false, 30, 0, 3650},
    [CONF_LIMIT_JOURNAL_DAYS] = {"journal-days", false, 90, 1, 3650},
    [CONF_LIMIT_JOURNAL_SIZE] = {"journal-size", true, 1 * GIB, 1 * MIB, 1024 * GIB},
    [CONF_LIMIT_REPORT_PERIOD] = {"report-period", false, 86400, 1, 86400}, /* RFC 9990 §3.4: a day */
};
static_assert(ARRAY_LEN(conf_limits) == CONF_LIMIT__COUNT, "every limit has a row");

const char *conf_service_name(enum conf_service s)
{
    return conf_services[s].name;
}

bool conf_service_tls_at_once(enum conf_service s)
{
    return conf_services[s].tls_at_once;
}

const char *conf_limit_name(enum conf_limit l)
{
    return conf_limits[l].name;
}

/* ---- mistakes ---- */

void conf_problem_add(struct conf_problems *problems, unsigned line, const char *hint, const char *format,
                      ...)
{
    struct conf_problem *p;
    va_list ap;
    if (problems->n == CONF_PROBLEM_MAX) {
        problems->more++;
        return;
    }
    p = &problems->at[problems->n++];
    p->line = line;
    va_start(ap, format);
    (void)vsnprintf(p->text, sizeof p->text, format, ap); /* a long one is cut */
    va_end(ap);
    snprintf(p->hint, sizeof p->hint, "%s", hint ? hint : "");
    /* What is quoted from the file was written by somebody: nothing of it may steer a terminal. */
    for (char *at = p->text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
    for (char *at = p->hint; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
}

/* Quoted text is cut at 64 bytes. */
#define Q(s) (int)size_min((s).n, 64), (const char *)((s).n ? (const void *)(s).p : "")

/* "Did you mean X?", else the list of what there is. */
static void conf_hint_names(char out[256], slice word, const char *const *names, size_t n, const char *what)
{
    const char *near = conf_nearest(word, names, n);
    size_t used;
    if (near) {
        snprintf(out, 256, "did you mean \"%s\"?", near);
        return;
    }
    used = (size_t)snprintf(out, 256, "%s: ", what);
    for (size_t i = 0; i < n && used + strlen(names[i]) + 3 < 256; i++)
        used += (size_t)snprintf(out + used, 256 - used, "%s%s", i ? ", " : "", names[i]);
}

/* ---- values ---- */

static void conf_path_set(struct conf_parse_state *st, const struct conf_line *l, slice word,
                          char out[CONF_PATH_MAX])
{
    bool join = word.n && word.p[0] != '/' && st->folder.n;
    if (word.n == 0) {
        conf_problem_add(st->problems, l->number, NULL, "the path is empty");
        return;
    }
    if (word.n + (join ? st->folder.n + 1 : 0) >= CONF_PATH_MAX) {
        conf_problem_add(st->problems, l->number, NULL, "the path is longer than %d bytes",
                         CONF_PATH_MAX - 1);
        return;
    }
    if (join)
        snprintf(out, CONF_PATH_MAX, "%.*s/%.*s", SLICE_FMT(st->folder), SLICE_FMT(word));
    else
        snprintf(out, CONF_PATH_MAX, "%.*s", SLICE_FMT(word));
}

/* ---- settings, one function each; words[0] is the name and the count was checked against the table ---- */

static void set_hostname(struct conf_parse_state *st, const struct conf_line *l)
{
    slice w = l->words[1];
    if (!conf__host_parse(w, st->c->hostname))
        conf_problem_add(st->problems, l->number,
                         "use letters, digits, hyphens and dots, like mail.example.org",
                         "\"%.*s\" is no host name", Q(w));
    else if (!slice_has(slice_str(st->c->hostname), '.'))
        conf_problem_add(st->problems, l->number, "write the full name, like mail.example.org",
                         "the host name \"%.*s\" has no domain; other servers want a full one in EHLO", Q(w));
}

static void set_data(struct conf_parse_state *st, const struct conf_line *l)
{
    st->c->data_line = l->number;
    conf_path_set(st, l, l->words[1], st->c->data);
}

static void set_user(struct conf_parse_state *st, const struct conf_line *l)
{
    slice w = l->words[1];
    bool good = w.n > 0 && w.n <= 32 && (ascii_is_alpha(w.p[0]) || w.p[0] == '_');
    for (size_t i = 0; good && i < w.n; i++)
        good = ascii_is_alpha(w.p[i]) || ascii_is_digit(w.p[i]) || w.p[i] == '_' || w.p[i] == '-';
    if (!good)
        conf_problem_add(st->problems, l->number, NULL, "\"%.*s\" is no user name", Q(w));
    else if (slice_eq(w, SLICE("root")))
        conf_problem_add(st->problems, l->number, "leave the line out: it is then \"posthorn\"",
                         "the mail service may not run as root");
    else
        snprintf(st->c->user, sizeof st->c->user, "%.*s", SLICE_FMT(w));
}

/* The nameserver has listeners of its own: they are bound as UDP and TCP, and no edge gets them. */
static void set_listen_dns(struct conf_parse_state *st, const struct conf_line *l)
{
    struct conf_address a;
    char text[CONF_ADDRESS_TEXT];
    if (l->n > 3)
        conf_problem_add(st->problems, l->number, "take the word away",
                         "\"%.*s\" is not understood behind the address of the name server", Q(l->words[3]));
    if (!conf__address_parse(l->words[2], ':', &a)) {
        conf_problem_add(st->problems, l->number,
                         "write ADDRESS:PORT with a numeric address, like 198.51.100.25:53",
                         "\"%.*s\" is no address with a port", Q(l->words[2]));
        return;
    }
    conf_address_print(&a, text);
    for (size_t i = 0; i < st->c->dns_listen_count; i++)
        if (st->c->dns_listens[i].port == a.port && ip_eq(&st->c->dns_listens[i].ip, &a.ip)) {
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "%s is taken already by dns", text);
            return;
        }
    if (st->c->dns_listen_count == CONF_DNS_MAX)
        conf_problem_add(st->problems, l->number, NULL, "more than %d listen dns lines", CONF_DNS_MAX);
    else
        st->c->dns_listens[st->c->dns_listen_count++] = a;
}

static void set_listen(struct conf_parse_state *st, const struct conf_line *l)
{
    static const char *const names[] = {"smtp", "submission", "submissions", "imap", "imaps", "dns"};
    struct conf_listen item = {.service = CONF_SERVICE__COUNT, .line = l->number};
    char hint[256], text[CONF_ADDRESS_TEXT];
    static_assert(ARRAY_LEN(names) == CONF_SERVICE__COUNT + 1, "the same services, and dns");

    if (slice_eq(l->words[1], SLICE("dns"))) {
        set_listen_dns(st, l);
        return;
    }
    for (size_t i = 0; i < CONF_SERVICE__COUNT; i++)
        if (slice_eq(l->words[1], slice_str(conf_services[i].name)))
            item.service = (enum conf_service)i;
    if (item.service == CONF_SERVICE__COUNT) {
        conf_hint_names(hint, l->words[1], names, ARRAY_LEN(names), "the services are");
        conf_problem_add(st->problems, l->number, hint, "there is no service \"%.*s\"", Q(l->words[1]));
    }
    if (!conf__address_parse(l->words[2], ':', &item.address)) {
        conf_problem_add(st->problems, l->number,
                         "write ADDRESS:PORT with a numeric address, like 0.0.0.0:25 or [::]:25",
                         "\"%.*s\" is no address with a port", Q(l->words[2]));
        return;
    }
    conf_address_print(&item.address, text);
    if (l->n == 4) {
        item.plaintext = true; /* also when misspelt: no second complaint about a missing certificate */
        if (!slice_eq(l->words[3], SLICE("plaintext")))
            conf_problem_add(st->problems, l->number, "the only word allowed here is \"plaintext\"",
                             "\"%.*s\" is not understood after the address", Q(l->words[3]));
        else if (!ip_is_loopback(&item.address.ip))
            conf_problem_add(st->problems, l->number, "take the word away, or listen on 127.0.0.1 or [::1]",
                             "passwords would cross the network readable: plaintext is for loopback "
                             "addresses only, not for %s",
                             text);
        else if (item.service != CONF_SERVICE__COUNT && conf_service_tls_at_once(item.service))
            conf_problem_add(st->problems, l->number, "take the word away",
                             "%s speaks TLS from the first byte; plaintext makes no sense there",
                             conf_service_name(item.service));
    }
    if (item.service == CONF_SERVICE__COUNT)
        return;
    for (size_t i = 0; i < st->c->listen_count; i++) {
        const struct conf_listen *o = &st->c->listens[i];
        if (o->address.port == item.address.port && ip_eq(&o->address.ip, &item.address.ip)) {
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "%s is taken already by %s in line %u", text, conf_service_name(o->service),
                             o->line);
            return;
        }
    }
    if (st->c->listen_count == CONF_LISTEN_MAX)
        conf_problem_add(st->problems, l->number, NULL, "more than %d listen lines", CONF_LISTEN_MAX);
    else
        st->c->listens[st->c->listen_count++] = item;
}

static void set_tls(struct conf_parse_state *st, const struct conf_line *l)
{
    st->c->tls_line = l->number;
    conf_path_set(st, l, l->words[1], st->c->tls_cert);
    conf_path_set(st, l, l->words[2], st->c->tls_key);
}

static void set_resolver(struct conf_parse_state *st, const struct conf_line *l)
{
    static const char *const names[] = {"system", "forward"};
    char hint[256];
    if (slice_eq(l->words[1], SLICE("system"))) {
        if (l->n > 2)
            conf_problem_add(st->problems, l->number, "write \"resolver forward ADDRESS@PORT\" to name one",
                             "\"resolver system\" takes no address");
        return;
    }
    if (!slice_eq(l->words[1], SLICE("forward"))) {
        conf_hint_names(hint, l->words[1], names, ARRAY_LEN(names), "there are");
        conf_problem_add(st->problems, l->number, hint, "there is no resolver \"%.*s\"", Q(l->words[1]));
        return;
    }
    if (l->n == 2)
        conf_problem_add(st->problems, l->number, "write ADDRESS@PORT behind it, like 127.0.0.1@53",
                         "\"resolver forward\" needs the address of a name server");
    st->c->resolver_forward = true;
    for (size_t i = 2; i < l->n; i++) {
        struct conf_address a;
        slice w = l->words[i];
        if (!conf__address_parse(w, '@', &a))
            conf_problem_add(st->problems, l->number, "write ADDRESS@PORT, like 127.0.0.1@53",
                             "\"%.*s\" is no address of a name server", Q(w));
        else if (st->c->forward_count == CONF_FORWARD_MAX)
            conf_problem_add(st->problems, l->number, NULL, "more than %d name servers", CONF_FORWARD_MAX);
        else
            st->c->forwards[st->c->forward_count++] = a;
    }
}

static void set_trust_anchor(struct conf_parse_state *st, const struct conf_line *l)
{
    st->c->trust_anchor_line = l->number;
    conf_path_set(st, l, l->words[1], st->c->trust_anchor);
}

static void set_route(struct conf_parse_state *st, const struct conf_line *l)
{
    struct conf_route r = {.line = l->number};
    slice domain = l->words[1], host;
    bool v6, good = true;
    struct ip ip;

    if (slice_eq(domain, SLICE("*")))
        memcpy(r.domain, "*", 2);
    else if (slice_starts(domain, SLICE("*.")) && domain.n < 250) {
        char below[CONF_NAME_MAX];
        good = conf__host_parse(slice_from(domain, 2), below);
        if (good)
            snprintf(r.domain, sizeof r.domain, "*.%.250s", below);
    } else
        good = conf__host_parse(domain, r.domain);
    if (!good)
        conf_problem_add(st->problems, l->number,
                         "write a domain (example.org), all below one (*.example.org) or all (*)",
                         "\"%.*s\" is no domain", Q(domain));
    if (!conf__host_port_split(l->words[2], ':', &host, &v6, &r.port) ||
        (v6 ? ip_parse(host, &ip) != OK || !slice_has(host, ':') : !conf__host_parse(host, r.host))) {
        conf_problem_add(st->problems, l->number,
                         "write HOST:PORT, like smtp.example.net:25 or [2001:db8::1]:25",
                         "\"%.*s\" is no host with a port", Q(l->words[2]));
        return;
    }
    if (v6)
        snprintf(r.host, sizeof r.host, "%.*s", SLICE_FMT(host));
    if (!good)
        return;
    for (size_t i = 0; i < st->c->route_count; i++)
        if (strcmp(st->c->routes[i].domain, r.domain) == 0) {
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "%s has a route already, in line %u", r.domain, st->c->routes[i].line);
            return;
        }
    if (st->c->route_count == CONF_ROUTE_MAX)
        conf_problem_add(st->problems, l->number, NULL, "more than %d route lines", CONF_ROUTE_MAX);
    else
        st->c->routes[st->c->route_count++] = r;
}

static void set_address(struct conf_parse_state *st, const struct conf_line *l)
{
    struct ip ip;
    if (ip_parse(l->words[1], &ip) != OK || ip_is_none(&ip)) {
        conf_problem_add(st->problems, l->number, "write one numeric address, like 198.51.100.25",
                         "\"%.*s\" is no address of this server", Q(l->words[1]));
        return;
    }
    for (size_t i = 0; i < st->c->address_count; i++)
        if (ip_eq(&st->c->addresses[i], &ip)) {
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "the address %.*s is there already", Q(l->words[1]));
            return;
        }
    if (st->c->address_count == CONF_ADDRESS_MAX)
        conf_problem_add(st->problems, l->number, NULL, "more than %d address lines", CONF_ADDRESS_MAX);
    else
        st->c->addresses[st->c->address_count++] = ip;
}

static void set_zone(struct conf_parse_state *st, const struct conf_line *l)
{
    slice w = l->words[1], bare = w;
    if (bare.n && bare.p[0] == '_') /* "_posthorn.example.org" is a zone, though no host name */
        bare = slice_from(bare, 1);
    if (!conf__host_parse(bare, st->c->zone) || !slice_has(bare, '.'))
        conf_problem_add(st->problems, l->number,
                         "write the zone that was delegated to this server, like roll.example.org",
                         "\"%.*s\" is no zone", Q(w));
    else if (bare.n != w.n) {
        char below[CONF_NAME_MAX];
        memcpy(below, st->c->zone, sizeof below);
        snprintf(st->c->zone, sizeof st->c->zone, "_%.250s", below);
    }
}

static void set_dns_update(struct conf_parse_state *st, const struct conf_line *l)
{
    st->c->dns_update_line = l->number;
    if (!conf__address_parse(l->words[1], '@', &st->c->dns_update))
        conf_problem_add(st->problems, l->number,
                         "write the numeric address of the primary name server, like 192.0.2.53@53",
                         "\"%.*s\" is no address of a name server", Q(l->words[1]));
    conf_path_set(st, l, l->words[2], st->c->dns_update_key);
}

static const char *const conf_judge_names[] = {[CONF_FORWARDER] = "forwarder",
                                               [CONF_ARC_SEALER] = "arc-sealer",
                                               [CONF_DNSBL] = "dnsbl",
                                               [CONF_DNSWL] = "dnswl"};
static_assert(ARRAY_LEN(conf_judge_names) == CONF_JUDGE__COUNT, "every kind has a name");

const char *conf_judge_name(enum conf_judge_kind k)
{
    return conf_judge_names[k];
}

/* "192.0.2.0/24", "2001:db8::1": printed back as it came. */
static bool conf_network(slice w, char out[CONF_NAME_MAX])
{
    slice address, bits;
    uint32_t n;
    struct ip ip;
    bool has = slice_split(w, '/', &address, &bits);
    if (ip_parse(address, &ip) ||
        (has && (!slice_u32(bits, &n) || n == 0 || n > (ip_is_v4(&ip) ? 32u : 128u))))
        return false;
    snprintf(out, CONF_NAME_MAX, "%.*s", SLICE_FMT(w));
    return true;
}

static void set_judge(struct conf_parse_state *st, const struct conf_line *l)
{
    struct conf_judge j = {.kind = CONF_FORWARDER};
    slice w = l->words[1];
    while (j.kind < CONF_JUDGE__COUNT && !slice_eq(l->words[0], slice_str(conf_judge_names[j.kind])))
        j.kind++;
    if (!(j.kind == CONF_FORWARDER && conf_network(w, j.text)) &&
        !(conf__host_parse(w, j.text) && slice_has(w, '.'))) {
        conf_problem_add(
            st->problems, l->number,
            j.kind == CONF_FORWARDER ? "write a network like 192.0.2.0/24, or a name like lists.example.org"
                                     : "write a domain name, like example.org",
            "\"%.*s\" is no %s", Q(w), j.kind == CONF_FORWARDER ? "network or name" : "domain name");
        return;
    }
    for (size_t i = 0; i < st->c->judge_count; i++)
        if (st->c->judge[i].kind == j.kind && strcmp(st->c->judge[i].text, j.text) == 0) {
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "%s %s is there already", conf_judge_names[j.kind], j.text);
            return;
        }
    if (st->c->judge_count == CONF_JUDGE_MAX)
        conf_problem_add(st->problems, l->number, NULL,
                         "more than %d forwarder, arc-sealer, dnsbl and dnswl lines", CONF_JUDGE_MAX);
    else
        st->c->judge[st->c->judge_count++] = j;
}

static void set_admin(struct conf_parse_state *st, const struct conf_line *l)
{
    slice w = l->words[1];
    size_t at = slice_rindex(w, '@');
    char domain[CONF_NAME_MAX];
    if (w.n >= sizeof st->c->admin || at == 0 || at >= w.n || at > 64 ||
        !conf__host_parse(slice_from(w, at + 1), domain) || slice_has(w, '<') || slice_has(w, '"'))
        conf_problem_add(st->problems, l->number, "write one address, like admin@example.org",
                         "\"%.*s\" is no mail address", Q(w));
    else
        snprintf(st->c->admin, sizeof st->c->admin, "%.*s", SLICE_FMT(w));
}

static bool doctor_test(struct conf_parse_state *st, const struct conf_line *l)
{
    uint64_t port, seconds;
    if (l->n != 4 || !slice_u64(l->words[2], &port) || !slice_u64(l->words[3], &seconds) || !port ||
        port > UINT16_MAX || !seconds || seconds > 3600)
        return false;
    st->c->doctor.test = true;
    st->c->doctor.test_dns_port = (uint16_t)port;
    st->c->doctor.test_probe_s = (uint16_t)seconds;
    return true;
}

static bool doctor_outward(struct conf_parse_state *st, const struct conf_line *l)
{
    struct conf_doctor *d = &st->c->doctor;
    for (size_t i = 2; i < l->n; i++) {
        if (l->words[i].n >= CONF_NAME_MAX || d->outward_count == CONF_OUTWARD_MAX)
            return false;
        snprintf(d->outward[d->outward_count++], CONF_NAME_MAX, "%.*s", SLICE_FMT(l->words[i]));
    }
    return l->n > 2;
}

static void set_doctor(struct conf_parse_state *st, const struct conf_line *l)
{
    static const char *const names[] = {"on", "off", "trust", "outward", "rdap", "test"};
    slice word = l->words[1];
    char hint[256];
    bool good = l->n == 2;
    if (slice_eq(word, SLICE("on")) || slice_eq(word, SLICE("off"))) {
        st->c->doctor.off = slice_eq(word, SLICE("off"));
    } else if (slice_eq(word, SLICE("trust"))) {
        good = l->n == 3;
        if (good)
            conf_path_set(st, l, l->words[2], st->c->doctor.trust);
    } else if (slice_eq(word, SLICE("outward"))) {
        good = doctor_outward(st, l);
    } else if (slice_eq(word, SLICE("rdap"))) {
        st->c->doctor.rdap_off = l->n == 3 && slice_eq(l->words[2], SLICE("off"));
        good = st->c->doctor.rdap_off || (l->n == 3 && slice_eq(l->words[2], SLICE("on")));
    } else if (slice_eq(word, SLICE("test"))) {
        good = doctor_test(st, l);
    } else {
        conf_hint_names(hint, word, names, ARRAY_LEN(names), "there are");
        conf_problem_add(st->problems, l->number, hint, "there is no doctor setting \"%.*s\"", Q(word));
        return;
    }
    if (!good)
        conf_problem_add(st->problems, l->number,
                         "write doctor on, doctor off, doctor rdap off, doctor trust FILE or doctor outward NAME...",
                         "\"doctor %.*s\" has too many or too few words behind it, or a wrong one", Q(word));
}

static void set_hold_remote(struct conf_parse_state *st, const struct conf_line *l)
{
    if (l->rest.n >= sizeof st->c->hold_remote)
        conf_problem_add(st->problems, l->number, NULL, "the reason is longer than %zu bytes",
                         sizeof st->c->hold_remote - 1);
    else
        snprintf(st->c->hold_remote, sizeof st->c->hold_remote, "%.*s", SLICE_FMT(l->rest));
}

static void set_limit(struct conf_parse_state *st, const struct conf_line *l)
{
    const char *names[CONF_LIMIT__COUNT];
    char hint[256];
    uint64_t v;
    size_t i;
    for (i = 0; i < CONF_LIMIT__COUNT; i++)
        names[i] = conf_limits[i].name;
    for (i = 0; i < CONF_LIMIT__COUNT && !slice_eq(l->words[1], slice_str(names[i])); i++)
        ;
    if (i == CONF_LIMIT__COUNT) {
        conf_hint_names(hint, l->words[1], names, ARRAY_LEN(names), "the limits are");
        conf_problem_add(st->problems, l->number, hint, "there is no limit \"%.*s\"", Q(l->words[1]));
        return;
    }
    if (st->limit_seen[i])
        conf_problem_add(st->problems, l->number, "take one of the two lines away",
                         "the limit %s was set already, in line %u", names[i], st->limit_seen[i]);
    st->limit_seen[i] = l->number;
    if (conf_limits[i].size ? !conf_size_parse(l->words[2], &v) : !slice_u64(l->words[2], &v)) {
        conf_problem_add(st->problems, l->number,
                         conf_limits[i].size ? "write bytes as digits and K, M, G or T, like 50M"
                                             : "write digits only",
                         "\"%.*s\" is no %s", Q(l->words[2]), conf_limits[i].size ? "size" : "number");
        return;
    }
    if (v < conf_limits[i].min || v > conf_limits[i].max) {
        snprintf(hint, sizeof hint, "it goes from %llu to %llu", (unsigned long long)conf_limits[i].min,
                 (unsigned long long)conf_limits[i].max);
        conf_problem_add(st->problems, l->number, hint, "%.*s is out of range for %s", Q(l->words[2]),
                         names[i]);
        return;
    }
    st->c->limits[i] = v;
}

static const struct conf_setting {
    const char *name, *usage;
    size_t words_min, words_max; /* the name counted; 0: any number, the line is taken as it is */
    bool once;
    void (*set)(struct conf_parse_state *st, const struct conf_line *l);
} conf_settings[] = {
    {"hostname", "hostname NAME", 2, 2, true, set_hostname},
    {"data", "data FOLDER", 2, 2, true, set_data},
    {"user", "user NAME", 2, 2, true, set_user},
    {"listen", "listen SERVICE ADDRESS:PORT [plaintext]", 3, 4, false, set_listen},
    {"tls", "tls CERTIFICATE-FILE KEY-FILE", 3, 3, true, set_tls},
    {"resolver", "resolver system, or resolver forward ADDRESS@PORT", 2, 2 + CONF_FORWARD_MAX, true,
     set_resolver},
    {"trust-anchor", "trust-anchor FILE", 2, 2, true, set_trust_anchor},
    {"route", "route DOMAIN HOST:PORT", 3, 3, false, set_route},
    {"hold-remote", "hold-remote REASON", 2, 0, true, set_hold_remote},
    {"limit", "limit NAME VALUE", 3, 3, false, set_limit},
    {"forwarder", "forwarder NETWORK|NAME", 2, 2, false, set_judge},
    {"arc-sealer", "arc-sealer DOMAIN", 2, 2, false, set_judge},
    {"dnsbl", "dnsbl ZONE", 2, 2, false, set_judge},
    {"dnswl", "dnswl ZONE", 2, 2, false, set_judge},
    {"address", "address IP", 2, 2, false, set_address},
    {"admin", "admin ADDRESS", 2, 2, true, set_admin},
    {"doctor", "doctor on|off|rdap on|off|trust FILE|outward NAME...", 2, 0, false, set_doctor},
    {"zone", "zone NAME", 2, 2, true, set_zone},
    {"dns-update", "dns-update ADDRESS@PORT KEY-FILE", 3, 3, true, set_dns_update},
};
static_assert(ARRAY_LEN(conf_settings) <= ARRAY_LEN(((struct conf_parse_state *)0)->seen), "room for each");

/* ---- lines ---- */

static bool conf_blank(int c)
{
    return c == ' ' || c == '\t';
}

/* Splits into words; "..." keeps blanks inside one word. A '#' at the start of a word begins a comment. */
static bool conf_line_split(struct conf_parse_state *st, slice text, struct conf_line *l)
{
    struct cursor c = cursor_of(text);
    const uint8_t *rest = NULL, *end = text.p;
    l->n = 0;
    l->rest = (slice){0};
    for (;;) {
        slice word;
        while (conf_blank(cursor_peek(&c)))
            cursor_skip(&c, 1);
        if (cursor_end(&c) || cursor_peek(&c) == '#')
            break;
        if (l->n == 1)
            rest = c.rest.p;
        if (cursor_take(&c, '"')) {
            size_t n = slice_index(c.rest, '"');
            if (n == c.rest.n) {
                conf_problem_add(st->problems, l->number, "put a \" at its end",
                                 "a quoted word does not end");
                return false;
            }
            word = slice_sub(c.rest, 0, n);
            cursor_skip(&c, n + 1);
            if (!cursor_end(&c) && !conf_blank(cursor_peek(&c))) {
                conf_problem_add(st->problems, l->number, "put a blank behind the closing quote",
                                 "a quoted word goes on after its closing quote");
                return false;
            }
        } else {
            size_t n = 0;
            while (n < c.rest.n && !conf_blank(c.rest.p[n]))
                n++;
            word = slice_sub(c.rest, 0, n);
            cursor_skip(&c, n);
        }
        end = c.rest.n ? c.rest.p : text.p + text.n;
        if (l->n < WORDS_MAX)
            l->words[l->n] = word;
        l->n++;
    }
    if (rest)
        l->rest = slice_of(rest, (size_t)(end - rest));
    return true;
}

static void conf_line_parse(struct conf_parse_state *st, struct conf_line *l, slice text)
{
    const char *names[ARRAY_LEN(conf_settings)];
    char hint[256];
    for (size_t i = 0; i < text.n; i++)
        if ((text.p[i] < ' ' && text.p[i] != '\t') || text.p[i] == 127) {
            conf_problem_add(st->problems, l->number, "take it away; is this a text file?",
                             "a control character (byte %u) is in the line", (unsigned)text.p[i]);
            return;
        }
    if (!conf_line_split(st, text, l) || l->n == 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(conf_settings); i++) {
        const struct conf_setting *s = &conf_settings[i];
        names[i] = s->name;
        if (!slice_eq(l->words[0], slice_str(s->name)))
            continue;
        snprintf(hint, sizeof hint, "write: %s", s->usage);
        if (l->n < s->words_min)
            conf_problem_add(st->problems, l->number, hint, "%s: something is missing", s->name);
        else if (s->words_max && l->n > s->words_max)
            conf_problem_add(st->problems, l->number, hint, "%s: there is more in the line than it takes",
                             s->name);
        else if (s->once && st->seen[i])
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "%s was set already, in line %u", s->name, st->seen[i]);
        else
            s->set(st, l);
        if (!st->seen[i])
            st->seen[i] = l->number;
        return;
    }
    conf_hint_names(hint, l->words[0], names, ARRAY_LEN(names), "the settings are");
    conf_problem_add(st->problems, l->number, hint, "there is no setting \"%.*s\"", Q(l->words[0]));
}

/* What only the whole file shows. */
static void conf_check_whole(struct conf_parse_state *st)
{
    const struct conf *c = st->c;
    if (c->zone[0] && c->dns_listen_count == 0)
        conf_problem_add(st->problems, 0,
                         "add a line: listen dns 198.51.100.25:53, with this server's address",
                         "nobody answers for the zone %s: there is no listen dns line", c->zone);
    if (c->listen_count == 0 && c->dns_listen_count)
        conf_problem_add(st->problems, 0, "add a line: listen smtp 0.0.0.0:25",
                         "no mail could come in: there is no listen line but for dns");
    if (!c->zone[0] && c->dns_listen_count)
        conf_problem_add(st->problems, 0, "add a line: zone roll.example.org",
                         "listen dns has nothing to answer: there is no zone line");
    for (size_t i = 0; i < ARRAY_LEN(conf_settings); i++) {
        const char *name = conf_settings[i].name;
        if (st->seen[i])
            continue;
        if (strcmp(name, "hostname") == 0)
            conf_problem_add(st->problems, 0, "add a line: hostname mail.example.org",
                             "the server has no name: hostname is missing");
        else if (strcmp(name, "data") == 0)
            conf_problem_add(st->problems, 0, "add a line: data /var/lib/posthorn",
                             "there is no place to keep mail: data is missing");
        else if (strcmp(name, "listen") == 0)
            conf_problem_add(st->problems, 0, "add a line: listen smtp 0.0.0.0:25",
                             "nobody could connect: there is no listen line");
        else if (strcmp(name, "tls") == 0)
            for (size_t k = 0; k < c->listen_count; k++)
                if (c->listens[k].service != CONF_SMTP && !c->listens[k].plaintext)
                    conf_problem_add(st->problems, c->listens[k].line,
                                     "add a line: tls CERTIFICATE-FILE KEY-FILE",
                                     "%s needs a certificate, and there is no tls line",
                                     conf_service_name(c->listens[k].service));
    }
}

bool conf_parse(slice text, slice folder, struct conf *out, struct conf_problems *out_problems)
{
    struct conf_parse_state st = {.c = out, .problems = out_problems, .folder = folder};
    struct conf_line l = {0};
    struct cursor c;
    slice line;

    memset(out, 0, sizeof *out);
    out_problems->n = out_problems->more = 0;
    memcpy(out->user, "posthorn", sizeof "posthorn");
    for (size_t i = 0; i < CONF_LIMIT__COUNT; i++)
        out->limits[i] = conf_limits[i].preset;
    if (text.n > CONF_TEXT_MAX) {
        conf_problem_add(out_problems, 0, NULL, "the file is larger than %d KB", CONF_TEXT_MAX / 1024);
        return false;
    }
    c = cursor_of(text);
    while (cursor_line(&c, &line)) {
        l.number++;
        conf_line_parse(&st, &l, line);
    }
    conf_check_whole(&st);
    return out_problems->n == 0;
}

const struct conf_route *conf_route_find(const struct conf_route *routes, size_t n, slice domain)
{
    const struct conf_route *best = NULL;
    size_t best_n = 0;
    if (domain.n && domain.p[domain.n - 1] == '.')
        domain.n--;
    for (size_t i = 0; i < n; i++) {
        slice d = slice_str(routes[i].domain);
        if (slice_eq_nocase(d, domain))
            return &routes[i];
        if (d.p[0] == '*' && d.n > best_n &&
            (d.n == 1 || (domain.n >= d.n && slice_ends_nocase(domain, slice_from(d, 1))))) {
            best = &routes[i];
            best_n = d.n;
        }
    }
    return best;
}
