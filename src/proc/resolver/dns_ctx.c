#include "proc/resolver/dns_ctx.h"

#include "proc/resolver/ub_loop.h"

#include "base/list.h"
#include "sys/clock.h"

#include <stdlib.h>

#include <unbound-event.h>
#include <unbound.h>

#define CLASS_IN 1

/* The root's key signing keys of 2017 and 2024, as IANA publishes them (root-anchors.xml). */
static const char *const root_anchors[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

static const struct {
    const char *option, *value;
} settings[] = {
    {"msg-cache-size:", "1m"},          {"rrset-cache-size:", "2m"},
    {"key-cache-size:", "512k"},        {"neg-cache-size:", "256k"},
    {"infra-cache-numhosts:", "500"},   {"msg-cache-slabs:", "1"},
    {"rrset-cache-slabs:", "1"},        {"key-cache-slabs:", "1"},
    {"infra-cache-slabs:", "1"},        {"edns-buffer-size:", "1232"}, /* fits any path without fragments */
    {"use-caps-for-id:", "yes"},        {"harden-glue:", "yes"},
    {"harden-dnssec-stripped:", "yes"}, {"harden-below-nxdomain:", "yes"},
    {"qname-minimisation:", "yes"},     {"cache-max-ttl:", "86400"},
    {"cache-max-negative-ttl:", "600"}, /* a domain that was mended works again soon */
    {"val-clean-additional:", "yes"},   {"minimal-responses:", "yes"},
    {"outgoing-range:", "512"},         {"num-queries-per-thread:", "1024"},
    {"do-not-query-localhost:", "no"},  {"verbosity:", "0"},
};

/* Behind those, for questions that shall not be answered out of a cache. Not cache-max-ttl: it is one
 * variable of the whole process in libunbound, so that the cache of the others would be off too. */
static const struct {
    const char *option, *value;
} settings_fresh[] = {
    {"msg-cache-size:", "64k"}, {"rrset-cache-size:", "128k"}, {"key-cache-size:", "64k"},
    {"neg-cache-size:", "16k"}, {"infra-host-ttl:", "60"},
};

/* A context for such questions. It is used for FRESH_MS, and goes when the last of its questions is answered:
 * what it keeps is never older. */
struct fresh {
    struct list link;
    struct ub_ctx *ub;
    size_t open;
    time_ms made_mono;
};
#define FRESH_MS MS_SECOND

struct question {
    struct dns_ctx *ctx;
    struct dns_name name;
    uint16_t type;
    bool again;          /* the second way */
    struct fresh *fresh; /* NULL: the cache will do */
    dns_ctx_fn fn;
    void *arg;
};

struct dns_ctx {
    struct ub_ctx *first, *root;    /* root: the second way, or NULL */
    struct list fresh;              /* struct fresh, the newest last */
    struct dns_ctx_options options; /* slices of our own, for further contexts */
    struct dns_ctx_facts facts;
};

static enum err dns_ctx_wrong(struct err_detail *detail, const char *what, slice value, int code)
{
    err_detail_set(detail, "resolver: %s \"%.*s\": %s", what, SLICE_FMT(value), ub_strerror(code));
    return ERR_CONFIG;
}

/* Calls fn for each trimmed line that is not empty and not a comment. */
static enum err dns_ctx_lines(slice text,
                              enum err (*fn)(struct ub_ctx *ub, slice line, struct err_detail *detail),
                              struct ub_ctx *ub, struct err_detail *detail)
{
    struct cursor c = cursor_of(text);
    slice line;
    enum err e = OK;
    while (e == OK && cursor_line(&c, &line)) {
        line = slice_trim(line);
        if (line.n && line.p[0] != '#' && line.p[0] != ';')
            e = fn(ub, line, detail);
    }
    return e;
}

static enum err dns_ctx_add_anchor(struct ub_ctx *ub, slice line, struct err_detail *detail)
{
    char text[2048];
    int r;
    if (line.n >= sizeof text || slice_has(line, 0))
        return ERR_CONFIG;
    memcpy(text, line.p, line.n);
    text[line.n] = 0;
    r = ub_ctx_add_ta(ub, text);
    return r ? dns_ctx_wrong(detail, "this is no trust anchor (a DS or DNSKEY record on one line)", line, r)
             : OK;
}

/* "192.0.2.1:53" or "[2001:db8::1]:53" to libunbound's "192.0.2.1@53". */
static enum err dns_ctx_add_forward(struct ub_ctx *ub, slice address, struct err_detail *detail)
{
    char text[80];
    size_t colon = slice_rindex(address, ':');
    slice host = slice_sub(address, 0, colon), port = slice_from(address, colon + 1);
    int r;
    if (host.n > 2 && host.p[0] == '[')
        host = slice_sub(host, 1, host.n - 1);
    if (host.n + port.n + 2 > sizeof text)
        return ERR_CONFIG;
    memcpy(text, host.p, host.n);
    text[host.n] = '@';
    memcpy(text + host.n + 1, port.p, port.n);
    text[host.n + 1 + port.n] = 0;
    r = ub_ctx_set_fwd(ub, text);
    return r ? dns_ctx_wrong(detail, "this is no address to forward to", address, r) : OK;
}

/* "nameserver ADDRESS", resolv.conf(5). A scoped address is left out: its interface may change. */
static enum err dns_ctx_add_nameserver(struct ub_ctx *ub, slice line, struct err_detail *detail)
{
    char text[IP_TEXT];
    struct cursor c = cursor_of(line);
    struct ip ip;
    int r;
    if (!cursor_take_nocase(&c, SLICE("nameserver")) || ip_parse(slice_trim(c.rest), &ip))
        return OK;
    ip_print(&ip, text);
    r = ub_ctx_set_fwd(ub, text);
    return r ? dns_ctx_wrong(detail, "resolv.conf names this server", line, r) : OK;
}

static enum err dns_ctx_set(struct ub_ctx *ub, const char *option, const char *value,
                            struct err_detail *detail)
{
    int r = ub_ctx_set_option(ub, option, value);
    return r ? dns_ctx_wrong(detail, option, slice_str(value), r) : OK;
}

static enum err dns_ctx_make(const struct dns_ctx_options *o, bool forward, bool fresh, struct ub_ctx **out,
                             struct err_detail *detail)
{
    struct ub_ctx *ub = ub_ctx_create_ub_event(ub_loop_base());
    enum err e = OK;
    must(ub);
    for (size_t i = 0; e == OK && i < ARRAY_LEN(settings); i++)
        e = dns_ctx_set(ub, settings[i].option, settings[i].value, detail);
    for (size_t i = 0; e == OK && fresh && i < ARRAY_LEN(settings_fresh); i++)
        e = dns_ctx_set(ub, settings_fresh[i].option, settings_fresh[i].value, detail);
    if (e == OK && o->n_forwards) { /* the one who is asked may know inner names */
        e = dns_ctx_set(ub, "unblock-lan-zones:", "yes", detail);
        if (e == OK && o->anchors.n == 0)
            e = dns_ctx_set(ub, "val-permissive-mode:", "yes", detail);
    }
    for (size_t i = 0; e == OK && forward && i < o->n_forwards; i++)
        e = dns_ctx_add_forward(ub, o->forwards[i], detail);
    if (e == OK && forward && !o->n_forwards)
        e = dns_ctx_lines(o->resolv_conf, dns_ctx_add_nameserver, ub, detail);
    if (e == OK)
        e = dns_ctx_lines(o->anchors, dns_ctx_add_anchor, ub, detail);
    for (size_t i = 0; e == OK && o->anchors.n == 0 && i < ARRAY_LEN(root_anchors); i++)
        e = dns_ctx_add_anchor(ub, slice_str(root_anchors[i]), detail);
    /* libunbound answers these itself by default (RFC 6761); whoever forwards has a server that knows better.
     * This call also makes libunbound read all it will ever read. */
    if (e == OK && ub_ctx_zone_add(ub, "test.", o->n_forwards ? "transparent" : "static"))
        e = ERR_CONFIG;
    if (e)
        ub_ctx_delete(ub);
    else
        *out = ub;
    return e;
}

static slice dns_ctx_dup(slice s)
{
    uint8_t *p = malloc(s.n + 1);
    must(p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n); /* as long as the process */
}

static enum err dns_ctx_keep_options(struct dns_ctx *c, const struct dns_ctx_options *o)
{
    slice *forwards = calloc(o->n_forwards + 1, sizeof *forwards);
    must(forwards);
    for (size_t i = 0; i < o->n_forwards; i++)
        forwards[i] = dns_ctx_dup(o->forwards[i]);
    c->options = (struct dns_ctx_options){.forwards = forwards,
                                          .n_forwards = o->n_forwards,
                                          .resolv_conf = dns_ctx_dup(o->resolv_conf),
                                          .anchors = dns_ctx_dup(o->anchors)};
    return OK;
}

/* The context for fresh questions of this moment; NULL: libunbound could not. */
static struct fresh *dns_ctx_fresh(struct dns_ctx *c, struct err_detail *detail)
{
    time_ms now = clock_mono();
    struct fresh *f;
    LIST_EACH_SAFE(it, &c->fresh)
    {
        f = LIST_OF(it, struct fresh, link);
        if (now - f->made_mono <= FRESH_MS)
            return f;
        if (f->open)
            continue;
        list_remove(&f->link);
        ub_ctx_delete(f->ub);
        free(f);
    }
    f = calloc(1, sizeof *f);
    must(f);
    f->made_mono = now;
    if (dns_ctx_make(&c->options, c->options.n_forwards > 0, true, &f->ub, detail) != OK) {
        free(f);
        return NULL;
    }
    list_append(&c->fresh, &f->link);
    return f;
}

enum err dns_ctx_new(const struct dns_ctx_options *o, struct dns_ctx **out, struct err_detail *detail)
{
    struct dns_ctx *c = calloc(1, sizeof *c);
    enum err e;
    must(c);
    list_init(&c->fresh);
    e = dns_ctx_make(o, true, false, &c->first, detail);
    if (e == OK && !o->n_forwards &&
        slice_find_nocase(o->resolv_conf, SLICE("nameserver")) < o->resolv_conf.n)
        e = dns_ctx_make(o, false, false, &c->root, detail);
    if (e == OK)
        e = dns_ctx_keep_options(c, o);
    if (e == OK && !dns_ctx_fresh(c, detail)) /* what it reads, it reads before the lock-in */
        e = ERR_CONFIG;
    if (e)
        free(c); /* the process ends; libunbound cannot take back a context that was finalised half */
    else
        *out = c;
    return e;
}

void dns_ctx_start(struct dns_ctx *c, struct loop *loop)
{
    (void)c;
    ub_loop_start(loop);
}

static void dns_ctx_give(struct question *q, const struct dns_ctx_answer *answer)
{
    struct dns_ctx *c = q->ctx;
    c->facts.open--;
    c->facts.failed += answer->err != OK && answer->err != ERR_NOT_FOUND;
    c->facts.bogus += answer->err == ERR_DNS_BOGUS;
    q->fn(q->arg, answer);
    if (q->fresh)
        q->fresh->open--; /* last: its context must stay while it is at work above us */
    free(q);
}

static void dns_ctx_fail(struct question *q, enum err e, const char *why)
{
    const struct dns_ctx_answer answer = {.err = e, .why = why ? why : ""};
    dns_ctx_give(q, &answer);
}

static void dns_ctx_read(struct question *q, slice packet, bool secure)
{
    static const struct dns_packet_limits limits = {.records = DNS_CTX_RRS_MAX, .rdata_bytes = 65536};
    struct dns_ctx_answer answer = {.secure = secure, .why = ""};
    struct arena arena;
    enum err e;
    arena_init(&arena, "answer", (size_t)512 * 1024);
    e = dns_packet_parse(packet, &q->name, q->type, &limits, &arena, &answer.packet);
    if (e == OK && answer.packet.rcode == DNS_NXDOMAIN)
        answer.err = ERR_NOT_FOUND;
    else if (e == OK && answer.packet.rcode != DNS_NOERROR)
        e = ERR_DNS;
    if (e == ERR_LOOP)
        dns_ctx_fail(q, ERR_DNS, "the name is an alias that leads in circles");
    else if (e == ERR_LIMIT)
        dns_ctx_fail(q, ERR_DNS, "the answer is larger than any we can use");
    else if (e)
        dns_ctx_fail(q, ERR_DNS, "the answer is damaged");
    else
        dns_ctx_give(q, &answer);
    arena_done(&arena);
}

static void dns_ctx_send(struct question *q);

static void dns_ctx_done(void *arg, int rcode, void *packet, int n, int sec, char *why_bogus, int limited)
{
    struct question *q = arg;
    bool failed = (rcode != DNS_NOERROR && !(q->fresh && rcode == DNS_NXDOMAIN)) || sec == 1;
    if (failed && (q->fresh ? q->ctx->first : q->ctx->root) && !q->again) {
        q->again = true;
        dns_ctx_send(q);
    } else if (sec == 1) {
        dns_ctx_fail(q, ERR_DNS_BOGUS, why_bogus ? why_bogus : "the answer failed its DNSSEC check");
    } else if (rcode == DNS_NXDOMAIN && n <= 0) {
        struct dns_ctx_answer answer = {.err = ERR_NOT_FOUND, .secure = sec == 2, .why = ""};
        answer.packet.canonical = q->name;
        answer.packet.rcode = DNS_NXDOMAIN;
        dns_ctx_give(q, &answer);
    } else if (rcode != DNS_NOERROR || n <= 0) {
        dns_ctx_fail(q, ERR_DNS, limited ? "too many questions went there" : "no name server gave an answer");
    } else {
        dns_ctx_read(q, slice_of(packet, (size_t)n), sec == 2);
    }
}

/* Where a question goes: first to the one that was asked for, then to the other way. */
static struct ub_ctx *dns_ctx_way(const struct question *q)
{
    if (q->fresh)
        return q->again ? q->ctx->first : q->fresh->ub;
    return q->again ? q->ctx->root : q->ctx->first;
}

static void dns_ctx_send(struct question *q)
{
    char name[DNS_NAME_MAX + 2];
    memcpy(name, q->name.text, q->name.n);
    name[q->name.n] = '.'; /* absolute; the root is "." alone */
    name[q->name.n + 1u] = 0;
    if (ub_resolve_event(dns_ctx_way(q), name, q->type, CLASS_IN, q, dns_ctx_done, NULL))
        dns_ctx_fail(q, ERR_DNS, "the resolver takes no question");
}

static void dns_ctx_take(struct dns_ctx *c, const struct dns_name *name, uint16_t type, bool fresh,
                         dns_ctx_fn fn, void *arg)
{
    struct question *q;
    c->facts.asked++;
    if (c->facts.open >= DNS_CTX_OPEN_MAX) {
        const struct dns_ctx_answer busy = {.err = ERR_BUSY, .why = "too many questions are open"};
        c->facts.failed++;
        fn(arg, &busy);
        return;
    }
    q = calloc(1, sizeof *q);
    must(q);
    *q = (struct question){.ctx = c, .name = *name, .type = type, .fn = fn, .arg = arg};
    c->facts.open++;
    if (fresh && !(q->fresh = dns_ctx_fresh(c, NULL))) {
        dns_ctx_fail(q, ERR_DNS, "the resolver could not set up a question past its cache");
        return;
    }
    if (q->fresh)
        q->fresh->open++;
    dns_ctx_send(q);
}

void dns_ctx_ask(struct dns_ctx *c, const struct dns_name *name, uint16_t type, dns_ctx_fn fn, void *arg)
{
    dns_ctx_take(c, name, type, false, fn, arg);
}

void dns_ctx_ask_fresh(struct dns_ctx *c, const struct dns_name *name, uint16_t type, dns_ctx_fn fn,
                       void *arg)
{
    dns_ctx_take(c, name, type, true, fn, arg);
}

void dns_ctx_facts(const struct dns_ctx *c, struct dns_ctx_facts *out)
{
    *out = c->facts;
}
