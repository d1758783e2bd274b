#include "core/dnsbl/dnsbl.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- one answer */

static bool dnsbl_code_is(const struct dnsbl_code *c, const uint8_t b[4])
{
    return b[1] == 0 && b[2] >= c->third[0] && b[2] <= c->third[1] && b[3] >= c->fourth[0] &&
           b[3] <= c->fourth[1];
}

/* One address of an answer; a place in the order of the table, smaller counts more; SIZE_MAX: it means
 * nothing. */
static size_t dnsbl_read_one(const struct dnsbl_facts *facts, bool white, const uint8_t b[4],
                             struct dnsbl_reading *out)
{
    static const slice refused = SLICE_INIT("the list does not serve this resolver"),
                       foreign = SLICE_INIT("this is no answer of a list"), unknown = SLICE_INIT("listed");
    *out = (struct dnsbl_reading){.status = DNSBL_ERROR, .code = {b[0], b[1], b[2], b[3]}};
    if (b[0] != 127 || (b[1] == 255 && b[2] == 255)) {
        out->words = b[0] == 127 ? refused : foreign;
        return 0;
    }
    for (size_t i = 0; facts && i < facts->n_codes; i++) {
        const struct dnsbl_code *c = &facts->codes[i];
        if (!dnsbl_code_is(c, b))
            continue;
        out->words = c->words;
        out->meaning = c->meaning;
        out->status = c->meaning ? DNSBL_LISTED : DNSBL_ERROR;
        return c->meaning ? i + 1 : 0;
    }
    if (facts || b[1] || b[2] || b[3] < 2)
        return SIZE_MAX;
    out->status = DNSBL_LISTED;
    out->meaning = white ? DNSBL_WELCOME : DNSBL_UNKNOWN;
    out->words = unknown;
    return 1;
}

struct dnsbl_reading dnsbl_read(const struct dnsbl_facts *facts, bool white, const struct dns_answer *answer)
{
    struct dnsbl_reading best = {.status = DNSBL_NOT_LISTED};
    size_t best_rank = SIZE_MAX;
    if (dns_answer_failed(answer))
        return (struct dnsbl_reading){.status = DNSBL_NO_ANSWER};
    for (size_t i = 0; i < answer->n; i++) {
        struct dnsbl_reading r;
        size_t rank;
        struct ip ip;
        if (dns_rr_a(answer->rdata[i], &ip))
            continue;
        rank = dnsbl_read_one(facts, white, ip.b + 12, &r);
        if (rank < best_rank) {
            best_rank = rank;
            best = r;
        }
    }
    return best;
}

/* ---- questions */

static bool dnsbl_join(slice head, slice zone, struct dns_name *out)
{
    char text[DNS_NAME_MAX + 1];
    if (head.n == 0 || zone.n == 0 || head.n + 1 + zone.n > DNS_NAME_MAX)
        return false;
    memcpy(text, head.p, head.n);
    text[head.n] = '.';
    memcpy(text + head.n + 1, zone.p, zone.n);
    return dns_name_parse(slice_of(text, head.n + 1 + zone.n), out) == OK;
}

/* The reverse name without its last two labels, "in-addr.arpa" or "ip6.arpa". */
bool dnsbl_address_name(const struct ip *ip, slice zone, struct dns_name *out)
{
    struct dns_name reverse;
    slice head;
    dns_name_reverse(ip, &reverse);
    head = dns_name_view(&reverse);
    head = slice_sub(head, 0, slice_rindex(head, '.'));
    head = slice_sub(head, 0, slice_rindex(head, '.'));
    return dnsbl_join(head, zone, out);
}

bool dnsbl_domain_name(slice domain, slice zone, struct dns_name *out)
{
    struct dns_name name;
    return dns_name_parse(domain, &name) == OK && dns_name_is_host(&name) &&
           dnsbl_join(dns_name_view(&name), zone, out);
}

/* ---- a list */

enum err dnsbl_list_init(struct dnsbl_list *l, slice zone, bool white, time_ms now)
{
    struct dnsbl_list n = {.white = white, .why = "it was not checked yet", .since = now, .check_at = now};
    if (dns_name_parse(zone, &n.zone) || n.zone.n == 0)
        return ERR_SYNTAX;
    n.facts = dnsbl_facts(dns_name_view(&n.zone));
    *l = n;
    return OK;
}

FORMAT(4, 5)
static void dnsbl_set(struct dnsbl_list *l, bool on, time_ms now, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(l->why, sizeof l->why, format, args); /* cut where it is too long */
    va_end(args);
    if (l->on != on)
        l->since = now;
    l->on = on;
}

struct dnsbl_canaries {
    slice listed, unlisted; /* as they are shown */
    struct dns_name ask_listed, ask_unlisted;
};

static bool dnsbl_canaries_of(const struct dnsbl_list *l, bool v6, struct dnsbl_canaries *out)
{
    /* ::FFFF:7F00:2 and its neighbour, RFC 5782 §5, as an IPv6 address and not as the IPv4 one it maps */
    static const slice six[] = {
        SLICE_INIT("2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"),
        SLICE_INIT("1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"),
    };
    slice zone = dns_name_view(&l->zone), yes = SLICE("2.0.0.127"), no = SLICE("1.0.0.127");
    *out = (struct dnsbl_canaries){.listed = SLICE("127.0.0.2"), .unlisted = SLICE("127.0.0.1")};
    if (l->facts && l->facts->names) {
        yes = out->listed = l->facts->listed;
        no = out->unlisted = l->facts->unlisted;
    } else if (v6) {
        yes = six[0];
        no = six[1];
    }
    return dnsbl_join(yes, zone, &out->ask_listed) && dnsbl_join(no, zone, &out->ask_unlisted);
}

/* Of a canary any answer within 127/8 that is no error will do: some lists give theirs a code of its own. */
static bool dnsbl_alive(const struct dnsbl_reading *r, const struct dns_answer *a)
{
    return r->status != DNSBL_ERROR && a->status == DNS_ANSWER_OK && a->n > 0;
}

enum auth_step dnsbl_list_check(struct dnsbl_list *l, struct dns_table *dns, time_ms now, bool *out_changed)
{
    bool was = l->on, names = l->facts && l->facts->names;
    struct dnsbl_canaries c4, c6;
    const struct dns_answer *yes, *no, *yes6 = NULL, *no6 = NULL;
    struct dnsbl_reading r, r6;
    if (!dnsbl_canaries_of(l, false, &c4)) {
        dnsbl_set(l, false, now, "its name is too long to ask it anything");
        l->check_at = now + DNSBL_CHECK_MS;
        *out_changed = was;
        return AUTH_DONE;
    }
    yes = dns_table_get(dns, dns_name_view(&c4.ask_listed), DNS_A);
    no = dns_table_get(dns, dns_name_view(&c4.ask_unlisted), DNS_A);
    if (!names && dnsbl_canaries_of(l, true, &c6)) {
        yes6 = dns_table_get(dns, dns_name_view(&c6.ask_listed), DNS_A);
        no6 = dns_table_get(dns, dns_name_view(&c6.ask_unlisted), DNS_A);
        if (!yes6 || !no6)
            return AUTH_WAIT;
    }
    if (!yes || !no)
        return AUTH_WAIT;
    r = dnsbl_read(l->facts, l->white, yes);
    l->check_at = now + DNSBL_CHECK_MS;
    if (r.status == DNSBL_NO_ANSWER || dns_answer_failed(no)) {
        dnsbl_set(l, false, now, "the DNS gives no answer for it");
        l->check_at = now + DNSBL_RETRY_MS;
    } else if (r.status == DNSBL_ERROR) {
        dnsbl_set(l, false, now, "it answered %u.%u.%u.%u: %.*s", r.code[0], r.code[1], r.code[2], r.code[3],
                  SLICE_FMT(r.words));
    } else if (!dns_answer_void(no)) {
        dnsbl_set(l, false, now, "it lists %.*s, which no list may: it probably lists everybody",
                  SLICE_FMT(c4.unlisted));
    } else if (!dnsbl_alive(&r, yes)) {
        dnsbl_set(l, false, now, "it does not list %.*s, which every list must: it is probably gone",
                  SLICE_FMT(c4.listed));
    } else {
        dnsbl_set(l, true, now, "%s", "");
    }
    l->v6 = false;
    if (l->on && yes6) {
        r6 = dnsbl_read(l->facts, l->white, yes6);
        l->v6 = dnsbl_alive(&r6, yes6) && dns_answer_void(no6);
    }
    *out_changed = l->on != was;
    return AUTH_DONE;
}

enum auth_step dnsbl_list_ask(struct dnsbl_list *l, const struct ip *ip, slice domain, struct dns_table *dns,
                              time_ms now, struct dnsbl_reading *out, bool *out_changed)
{
    bool names = l->facts && l->facts->names;
    slice zone = dns_name_view(&l->zone);
    const struct dns_answer *a;
    struct dns_name name;
    *out_changed = false;
    *out = (struct dnsbl_reading){.status = DNSBL_OFF};
    if (!l->on || (!names && !ip_is_v4(ip) && !l->v6))
        return AUTH_DONE;
    if (!(names ? dnsbl_domain_name(domain, zone, &name) : dnsbl_address_name(ip, zone, &name)))
        return AUTH_DONE;
    a = dns_table_get(dns, dns_name_view(&name), DNS_A);
    if (!a)
        return AUTH_WAIT;
    *out = dnsbl_read(l->facts, l->white, a);
    if (out->status == DNSBL_ERROR) {
        dnsbl_set(l, false, now, "it answered %u.%u.%u.%u: %.*s", out->code[0], out->code[1], out->code[2],
                  out->code[3], SLICE_FMT(out->words));
        l->v6 = false;
        l->check_at = now + DNSBL_CHECK_MS;
        *out_changed = true;
    }
    return AUTH_DONE;
}

bool dnsbl_words(const struct dnsbl_list *l, slice what, const struct dnsbl_reading *r, struct arena *a,
                 slice *out)
{
    static const char *const verbs[] = {[DNSBL_NOT_LISTED] = "does not list",
                                        [DNSBL_LISTED] = "lists",
                                        [DNSBL_NO_ANSWER] = "gave no answer about",
                                        [DNSBL_ERROR] = "answered with an error about",
                                        [DNSBL_OFF] = "is switched off and was not asked about"};
    char text[2 * DNS_NAME_MAX + 200];
    slice zone = dns_name_view(&l->zone);
    what = slice_sub(what, 0, DNS_NAME_MAX);
    int n = snprintf(text, sizeof text, "%.*s %s %.*s", SLICE_FMT(zone), verbs[r->status], SLICE_FMT(what));
    must(n > 0 && (size_t)n < sizeof text);
    if (r->status == DNSBL_LISTED || r->status == DNSBL_ERROR)
        (void)snprintf(text + n, sizeof text - (size_t)n, " (%u.%u.%u.%u, %.*s)", r->code[0], r->code[1],
                       r->code[2], r->code[3], SLICE_FMT(r->words)); /* words of our table, which fit */
    return arena_dup(a, slice_str(text), out);
}
