/* The settings: a function each, and their table at the end. words[0] is the name; the number of words was
 * checked against the table. Those that name addresses are in conf_setting_net.c. */
#include "conf/conf__setting.h"
#include "conf/conf__value.h"

#include <stdio.h>

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

const char *conf_limit_name(enum conf_limit l)
{
    return conf_limits[l].name;
}

void conf__limits_preset(struct conf *c)
{
    for (size_t i = 0; i < CONF_LIMIT__COUNT; i++)
        c->limits[i] = conf_limits[i].preset;
}

void conf__path_set(struct conf__state *st, const struct conf__line *l, slice word, char out[CONF_PATH_MAX])
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

static void set_hostname(struct conf__state *st, const struct conf__line *l)
{
    slice w = l->words[1];
    if (!conf__host_parse(w, st->c->hostname))
        conf_problem_add(st->problems, l->number,
                         "use letters, digits, hyphens and dots, like mail.example.org",
                         "\"%.*s\" is no host name", CONF__QUOTE(w));
    else if (!slice_has(slice_str(st->c->hostname), '.'))
        conf_problem_add(st->problems, l->number, "write the full name, like mail.example.org",
                         "the host name \"%.*s\" has no domain; other servers want a full one in EHLO",
                         CONF__QUOTE(w));
}

static void set_data(struct conf__state *st, const struct conf__line *l)
{
    st->c->data_line = l->number;
    conf__path_set(st, l, l->words[1], st->c->data);
}

static void set_user(struct conf__state *st, const struct conf__line *l)
{
    slice w = l->words[1];
    bool good = w.n > 0 && w.n <= 32 && (ascii_is_alpha(w.p[0]) || w.p[0] == '_');
    for (size_t i = 0; good && i < w.n; i++)
        good = ascii_is_alpha(w.p[i]) || ascii_is_digit(w.p[i]) || w.p[i] == '_' || w.p[i] == '-';
    if (!good)
        conf_problem_add(st->problems, l->number, NULL, "\"%.*s\" is no user name", CONF__QUOTE(w));
    else if (slice_eq(w, SLICE("root")))
        conf_problem_add(st->problems, l->number, "leave the line out: it is then \"posthorn\"",
                         "the mail service may not run as root");
    else
        snprintf(st->c->user, sizeof st->c->user, "%.*s", SLICE_FMT(w));
}

static void set_tls(struct conf__state *st, const struct conf__line *l)
{
    st->c->tls_line = l->number;
    conf__path_set(st, l, l->words[1], st->c->tls_cert);
    conf__path_set(st, l, l->words[2], st->c->tls_key);
}

static void set_trust_anchor(struct conf__state *st, const struct conf__line *l)
{
    st->c->trust_anchor_line = l->number;
    conf__path_set(st, l, l->words[1], st->c->trust_anchor);
}

static void set_zone(struct conf__state *st, const struct conf__line *l)
{
    slice w = l->words[1], bare = w;
    if (bare.n && bare.p[0] == '_') /* "_posthorn.example.org" is a zone, though no host name */
        bare = slice_from(bare, 1);
    if (!conf__host_parse(bare, st->c->zone) || !slice_has(bare, '.'))
        conf_problem_add(st->problems, l->number,
                         "write the zone that was delegated to this server, like roll.example.org",
                         "\"%.*s\" is no zone", CONF__QUOTE(w));
    else if (bare.n != w.n) {
        char below[CONF_NAME_MAX];
        memcpy(below, st->c->zone, sizeof below);
        snprintf(st->c->zone, sizeof st->c->zone, "_%.250s", below);
    }
}

static const char *const conf_judge_names[] = {[CONF_FORWARDER] = "forwarder",
                                               [CONF_MAILING_LIST] = "mailing-list",
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

static void set_judge(struct conf__state *st, const struct conf__line *l)
{
    struct conf_judge j = {.kind = CONF_FORWARDER};
    slice w = l->words[1];
    while (j.kind < CONF_JUDGE__COUNT && !slice_eq(l->words[0], slice_str(conf_judge_names[j.kind])))
        j.kind++;
    bool network = j.kind == CONF_FORWARDER || j.kind == CONF_MAILING_LIST;
    if (!(network && conf_network(w, j.text)) && !(conf__host_parse(w, j.text) && slice_has(w, '.'))) {
        conf_problem_add(st->problems, l->number,
                         network ? "write a network like 192.0.2.0/24, or a name like lists.example.org"
                                 : "write a domain name, like example.org",
                         "\"%.*s\" is no %s", CONF__QUOTE(w), network ? "network or name" : "domain name");
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
                         "more than %d forwarder, mailing-list, arc-sealer, dnsbl and dnswl lines",
                         CONF_JUDGE_MAX);
    else
        st->c->judge[st->c->judge_count++] = j;
}

static void set_admin(struct conf__state *st, const struct conf__line *l)
{
    slice w = l->words[1];
    size_t at = slice_rindex(w, '@');
    char domain[CONF_NAME_MAX];
    if (w.n >= sizeof st->c->admin || at == 0 || at >= w.n || at > 64 ||
        !conf__host_parse(slice_from(w, at + 1), domain) || slice_has(w, '<') || slice_has(w, '"'))
        conf_problem_add(st->problems, l->number, "write one address, like admin@example.org",
                         "\"%.*s\" is no mail address", CONF__QUOTE(w));
    else
        snprintf(st->c->admin, sizeof st->c->admin, "%.*s", SLICE_FMT(w));
}

static bool doctor_test(struct conf__state *st, const struct conf__line *l)
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

static bool doctor_outward(struct conf__state *st, const struct conf__line *l)
{
    struct conf_doctor *d = &st->c->doctor;
    for (size_t i = 2; i < l->n; i++) {
        if (l->words[i].n >= CONF_NAME_MAX || d->outward_count == CONF_OUTWARD_MAX)
            return false;
        snprintf(d->outward[d->outward_count++], CONF_NAME_MAX, "%.*s", SLICE_FMT(l->words[i]));
    }
    return l->n > 2;
}

static void set_doctor(struct conf__state *st, const struct conf__line *l)
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
            conf__path_set(st, l, l->words[2], st->c->doctor.trust);
    } else if (slice_eq(word, SLICE("outward"))) {
        good = doctor_outward(st, l);
    } else if (slice_eq(word, SLICE("rdap"))) {
        st->c->doctor.rdap_off = l->n == 3 && slice_eq(l->words[2], SLICE("off"));
        good = st->c->doctor.rdap_off || (l->n == 3 && slice_eq(l->words[2], SLICE("on")));
    } else if (slice_eq(word, SLICE("test"))) {
        good = doctor_test(st, l);
    } else {
        conf__hint_names(hint, word, names, ARRAY_LEN(names), "there are");
        conf_problem_add(st->problems, l->number, hint, "there is no doctor setting \"%.*s\"",
                         CONF__QUOTE(word));
        return;
    }
    if (!good)
        conf_problem_add(
            st->problems, l->number,
            "write doctor on, doctor off, doctor rdap off, doctor trust FILE or doctor outward NAME...",
            "\"doctor %.*s\" has too many or too few words behind it, or a wrong one", CONF__QUOTE(word));
}

static void set_hold_remote(struct conf__state *st, const struct conf__line *l)
{
    if (l->rest.n >= sizeof st->c->hold_remote)
        conf_problem_add(st->problems, l->number, NULL, "the reason is longer than %zu bytes",
                         sizeof st->c->hold_remote - 1);
    else
        snprintf(st->c->hold_remote, sizeof st->c->hold_remote, "%.*s", SLICE_FMT(l->rest));
}

static void set_limit(struct conf__state *st, const struct conf__line *l)
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
        conf__hint_names(hint, l->words[1], names, ARRAY_LEN(names), "the limits are");
        conf_problem_add(st->problems, l->number, hint, "there is no limit \"%.*s\"",
                         CONF__QUOTE(l->words[1]));
        return;
    }
    if (st->limit_seen[i])
        conf_problem_add(st->problems, l->number, "take one of the two lines away",
                         "the limit %s was set already, in line %u", names[i], st->limit_seen[i]);
    st->limit_seen[i] = l->number;
    if (conf_limits[i].size ? !conf_size_parse(l->words[2], &v) : !slice_u64(l->words[2], &v)) {
        conf_problem_add(
            st->problems, l->number,
            conf_limits[i].size ? "write bytes as digits and K, M, G or T, like 50M" : "write digits only",
            "\"%.*s\" is no %s", CONF__QUOTE(l->words[2]), conf_limits[i].size ? "size" : "number");
        return;
    }
    if (v < conf_limits[i].min || v > conf_limits[i].max) {
        snprintf(hint, sizeof hint, "it goes from %llu to %llu", (unsigned long long)conf_limits[i].min,
                 (unsigned long long)conf_limits[i].max);
        conf_problem_add(st->problems, l->number, hint, "%.*s is out of range for %s",
                         CONF__QUOTE(l->words[2]), names[i]);
        return;
    }
    st->c->limits[i] = v;
}

const struct conf__setting conf__settings[] = {
    {"hostname", "hostname NAME", 2, 2, true, set_hostname},
    {"data", "data FOLDER", 2, 2, true, set_data},
    {"user", "user NAME", 2, 2, true, set_user},
    {"listen", "listen SERVICE ADDRESS:PORT [plaintext]", 3, 4, false, conf__set_listen},
    {"tls", "tls CERTIFICATE-FILE KEY-FILE", 3, 3, true, set_tls},
    {"resolver", "resolver system, or resolver forward ADDRESS@PORT", 2, 2 + CONF_FORWARD_MAX, true,
     conf__set_resolver},
    {"trust-anchor", "trust-anchor FILE", 2, 2, true, set_trust_anchor},
    {"route", "route DOMAIN HOST:PORT", 3, 3, false, conf__set_route},
    {"hold-remote", "hold-remote REASON", 2, 0, true, set_hold_remote},
    {"limit", "limit NAME VALUE", 3, 3, false, set_limit},
    {"forwarder", "forwarder NETWORK|NAME", 2, 2, false, set_judge},
    {"mailing-list", "mailing-list NETWORK|NAME", 2, 2, false, set_judge},
    {"arc-sealer", "arc-sealer DOMAIN", 2, 2, false, set_judge},
    {"dnsbl", "dnsbl ZONE", 2, 2, false, set_judge},
    {"dnswl", "dnswl ZONE", 2, 2, false, set_judge},
    {"address", "address IP", 2, 2, false, conf__set_address},
    {"admin", "admin ADDRESS", 2, 2, true, set_admin},
    {"doctor", "doctor on|off|rdap on|off|trust FILE|outward NAME...", 2, 0, false, set_doctor},
    {"zone", "zone NAME", 2, 2, true, set_zone},
    {"dns-update", "dns-update ADDRESS@PORT KEY-FILE", 3, 3, true, conf__set_dns_update},
};
static_assert(ARRAY_LEN(conf__settings) == CONF__SETTINGS, "as declared");
