/* check: check_host() of RFC 7208 §4.
 *
 * One record is a frame. An include pushes a frame and a redirect replaces one; both cost a lookup, so there
 * are never more than SPF_LOOKUPS_MAX + 1 frames, and no call goes deeper with the input. Every run begins at
 * the start and walks the same way over the answers that are there; where one is missing it stops, and before
 * it returns spf_foresee() notes every question that the records known so far may come to ask.
 *
 * What is counted. Lookups: each include, a, mx, ptr, exists and redirect that is reached (RFC 7208 §4.6.4);
 * %{p} shares the questions of ptr and costs nothing more. Void lookups: each a, mx, ptr and exists whose own
 * question finds nothing; the addresses of MX and PTR names are not counted, because a sender with IPv4 only
 * would otherwise be in error whenever it is asked about an IPv6 client. */
#include "core/spf/macro.h"
#include "core/spf/record.h"
#include "core/spf/spf.h"
#include "text/idna.h"

#include <stdarg.h>
#include <stdio.h>

#define SPF_NAMES_MAX 10 /* of MX and of PTR records, RFC 7208 §4.6.4 */

struct spf_frame {
    struct dns_name domain; /* whose record it is */
    bool loaded;
    struct buf joined; /* the record, when it came in several strings */
    struct spf_record record;
    struct cursor rest;   /* terms that were not looked at yet */
    struct spf_term term; /* the one being looked at; in all frames but the last one an include */
};

struct spf_run {
    const struct spf_ask *ask;
    struct dns_table *dns;
    slice local;
    bool local_ascii;
    struct dns_name sender; /* domain of the identity that is checked */
    uint16_t address_type;
    unsigned lookups, voids;
    size_t octets; /* of the records that were loaded, against SPF_RECORDS_MAX */
    struct spf_frame frames[SPF_LOOKUPS_MAX + 1];
    size_t n;
    char client[IP_TEXT];
    char why[SPF_TEXT_MAX];
};

enum spf_turn {
    TURN_MISS,
    TURN_MATCH,
    TURN_ENTER, /* an include was pushed */
    TURN_WAIT,
    TURN_TEMP, /* why says it */
    TURN_PERM,
    TURN_NONE
};

static void spf_run_done(struct spf_run *run)
{
    while (run->n)
        buf_done(&run->frames[--run->n].joined);
}

FORMAT(3, 4) static enum spf_turn spf_say(struct spf_run *run, enum spf_turn turn, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(run->why, sizeof run->why, format, args); /* cut where it is too long */
    va_end(args);
    return turn;
}

/* A name fit to be shown: other names stay inside. */
static slice spf_show(const struct dns_name *name)
{
    struct dns_name again;
    return dns_name_parse(dns_name_view(name), &again) ? SLICE("a name that is no host name")
                                                       : dns_name_view(name);
}

static struct spf_frame *spf_top(struct spf_run *run)
{
    return &run->frames[run->n - 1];
}

static void spf_push(struct spf_run *run, const struct dns_name *domain)
{
    must(run->n < ARRAY_LEN(run->frames));
    struct spf_frame *f = &run->frames[run->n++];
    f->domain = *domain;
    f->loaded = false;
    buf_init(&f->joined, SPF_RECORD_MAX);
}

/* ---- the record of a domain, RFC 7208 §4.4, §4.5 */

/* The text of a TXT record without a copy when it is one string, else joined in *joined. */
static enum err spf_txt(slice rdata, struct buf *joined, slice *out)
{
    enum err e;
    if (rdata.n && rdata.p[0] == rdata.n - 1) {
        *out = slice_from(rdata, 1);
        return OK;
    }
    buf_clear(joined);
    e = dns_rr_txt(rdata, joined);
    *out = buf_view(joined);
    return e;
}

/* Is it an SPF record? The version may be spread over several strings. */
static bool spf_txt_is_record(slice rdata)
{
    uint8_t head[8];
    size_t n = 0;
    struct cursor c = cursor_of(rdata);
    uint8_t left;
    while (n < sizeof head && cursor_u8(&c, &left))
        for (; left && n < sizeof head && !cursor_end(&c); left--)
            head[n++] = (uint8_t)cursor_next(&c);
    return spf_record_is(slice_of(head, n));
}

/* The one SPF record among TXT records. *out_n counts them. */
static slice spf_pick(const struct dns_answer *a, size_t *out_n)
{
    slice found = {0};
    *out_n = 0;
    for (size_t i = 0; i < a->n; i++)
        if (spf_txt_is_record(a->rdata[i]) && (*out_n)++ == 0)
            found = a->rdata[i];
    return found;
}

static void spf_printable(slice s, char *out, size_t out_n)
{
    size_t n = size_min(s.n, out_n - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
    out[n] = 0;
}

/* Why a record cannot be used. */
static enum spf_turn spf_load_failed(struct spf_run *run, const struct spf_frame *f,
                                     const struct dns_answer *a, size_t n, enum err e, slice bad)
{
    slice show = spf_show(&f->domain);
    char term[81];
    if (dns_answer_failed(a))
        return spf_say(run, TURN_TEMP, "the DNS gave no answer for the SPF record of %.*s", SLICE_FMT(show));
    if (n == 0)
        return spf_say(run, TURN_NONE, "%.*s publishes no SPF record", SLICE_FMT(show));
    if (n > 1)
        return spf_say(run, TURN_PERM, "%.*s publishes %zu SPF records where one is allowed", SLICE_FMT(show),
                       n);
    if (e == ERR_SYNTAX)
        return spf_say(run, TURN_TEMP, "the DNS answer with the SPF record of %.*s is damaged",
                       SLICE_FMT(show));
    if (e)
        return spf_say(run, TURN_PERM, "the SPF record of %.*s is longer than %zu octets", SLICE_FMT(show),
                       SPF_RECORD_MAX);
    spf_printable(bad, term, sizeof term);
    return spf_say(run, TURN_PERM, "the SPF record of %.*s has a term that is no good: %s", SLICE_FMT(show),
                   term);
}

static enum spf_turn spf_load(struct spf_run *run, struct spf_frame *f)
{
    const struct dns_answer *a = dns_table_get_odd(run->dns, dns_name_view(&f->domain), DNS_TXT);
    slice text, bad = {0};
    size_t n;
    enum err e;
    if (!a)
        return TURN_WAIT;
    text = spf_pick(a, &n);
    if (dns_answer_failed(a) || n != 1)
        return spf_load_failed(run, f, a, n, OK, bad);
    e = spf_txt(text, &f->joined, &text);
    if (!e && text.n > SPF_RECORDS_MAX - run->octets)
        return spf_say(run, TURN_PERM, "%.*s needs SPF records of more than %zu octets",
                       SLICE_FMT(spf_show(&run->sender)), SPF_RECORDS_MAX);
    if (e || spf_record_parse(text, &f->record, &bad))
        return spf_load_failed(run, f, a, n, e, bad);
    run->octets += text.n;
    f->rest = cursor_of(f->record.terms);
    f->loaded = true;
    return TURN_MATCH;
}

/* ---- addresses */

static bool spf_ip_in(const struct ip *client, const struct ip *net, unsigned bits)
{
    size_t whole = bits / 8;
    unsigned part = bits % 8;
    if (memcmp(client->b, net->b, whole) != 0)
        return false;
    return part == 0 || (client->b[whole] ^ net->b[whole]) >> (8 - part) == 0;
}

static unsigned spf_bits(const struct spf_run *run, const struct spf_term *t)
{
    return run->address_type == DNS_A ? 96u + t->v4_bits : t->v6_bits;
}

static bool spf_match_literal(const struct spf_run *run, const struct spf_term *t)
{
    return (t->kind == SPF_IP4) == (run->address_type == DNS_A) &&
           spf_ip_in(&run->ask->client, &t->ip, spf_bits(run, t));
}

/* Is one of these addresses in the client's network of so many bits (of 128)? */
static bool spf_match_answer(const struct spf_run *run, const struct dns_answer *a, unsigned bits)
{
    struct ip ip;
    for (size_t i = 0; i < a->n; i++) {
        enum err e = run->address_type == DNS_A ? dns_rr_a(a->rdata[i], &ip) : dns_rr_aaaa(a->rdata[i], &ip);
        if (e == OK && spf_ip_in(&run->ask->client, &ip, bits))
            return true;
    }
    return false;
}

/* ---- the client's own names, RFC 7208 §5.5 */

/* The best of its names: with near, the one that is near or below it, and with any also another. Empty: none.
 * Errors on the way count as no name. */
static enum spf_turn spf_client_name(struct spf_run *run, slice near, bool any, struct dns_name *out,
                                     const struct dns_answer **out_ptr)
{
    struct dns_name reverse, name;
    const struct dns_answer *ptr;
    size_t seen = 0;
    int best = 0;
    bool waits = false;
    out->n = 0;
    dns_name_reverse(&run->ask->client, &reverse);
    ptr = *out_ptr = dns_table_get(run->dns, dns_name_view(&reverse), DNS_PTR);
    if (!ptr)
        return TURN_WAIT;
    for (size_t i = 0; !dns_answer_failed(ptr) && i < ptr->n && seen < SPF_NAMES_MAX; i++) {
        const struct dns_answer *a;
        int rank;
        seen++;
        if (dns_rr_name(ptr->rdata[i], &name) || name.n == 0)
            continue;
        rank = slice_eq(dns_name_view(&name), near) ? 3 : dns_name_below(&name, near) ? 2 : any ? 1 : 0;
        if (rank == 0)
            continue;
        a = dns_table_get(run->dns, dns_name_view(&name), run->address_type);
        waits |= !a;
        if (a && rank > best && !dns_answer_failed(a) && spf_match_answer(run, a, 128)) {
            best = rank;
            *out = name;
        }
    }
    return waits ? TURN_WAIT : best ? TURN_MATCH : TURN_MISS;
}

/* ---- the name a term asks for */

static enum spf_turn spf_expand(struct spf_run *run, const struct spf_frame *f, slice spec, struct buf *out)
{
    struct spf_macros m = {.local = run->local,
                           .sender_domain = dns_name_view(&run->sender),
                           .domain = dns_name_view(&f->domain),
                           .helo = run->ask->helo,
                           .receiver = run->ask->receiver,
                           .client_name = run->ask->client_name,
                           .client = run->ask->client,
                           .now = run->ask->now};
    struct dns_name name;
    const struct dns_answer *ptr;
    if (spf_macro_uses(spec, 'p')) {
        if (spf_client_name(run, m.domain, true, &name, &ptr) == TURN_WAIT)
            return TURN_WAIT;
        if (name.n)
            m.client_name = dns_name_view(&name);
    }
    return spf_macro_expand(spec, &m, out)
               ? spf_say(run, TURN_PERM, "the macros of %.*s expand to more than %zu octets",
                         SLICE_FMT(spf_show(&f->domain)), SPF_EXPANSION_MAX)
               : TURN_MATCH;
}

/* TURN_MATCH: *out is the name. TURN_MISS: there can be no such name, and nothing is to be asked. */
static enum spf_turn spf_target(struct spf_run *run, const struct spf_frame *f, slice spec,
                                struct dns_name *out)
{
    struct buf expanded CLEANUP(buf_done);
    slice name = spec;
    buf_init(&expanded, SPF_EXPANSION_MAX);
    if (spec.n == 0) {
        *out = f->domain;
        return TURN_MATCH;
    }
    if (slice_has(spec, '%')) {
        enum spf_turn turn;
        /* RFC 8616 §4: with such a local part no term that asks for it matches */
        if (!run->local_ascii && (spf_macro_uses(spec, 'l') || spf_macro_uses(spec, 's')))
            return TURN_MISS;
        turn = spf_expand(run, f, spec, &expanded);
        if (turn != TURN_MATCH)
            return turn;
        name = buf_view(&expanded);
    }
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    while (name.n > DNS_NAME_MAX) /* labels are dropped on the left, RFC 7208 §7.3 */
        name = slice_from(name, slice_index(name, '.') + 1);
    return dns_name_parse_odd(name, out) ? TURN_MISS : TURN_MATCH;
}

/* ---- mechanisms, RFC 7208 §5 */

/* Looks at the answer to a term's own question: TURN_MATCH when it may be used. */
static enum spf_turn spf_answer(struct spf_run *run, const struct dns_name *name, const struct dns_answer *a,
                                const char *what)
{
    if (!a)
        return TURN_WAIT;
    if (dns_answer_failed(a))
        return spf_say(run, TURN_TEMP, "the DNS gave no answer for %s of %.*s", what,
                       SLICE_FMT(spf_show(name)));
    if (dns_answer_void(a) && ++run->voids > SPF_VOID_MAX)
        return spf_say(run, TURN_PERM, "%.*s asks for more than %d names that do not exist",
                       SLICE_FMT(spf_show(&run->frames[0].domain)), SPF_VOID_MAX);
    return TURN_MATCH;
}

/* a and exists; exists asks for A whatever the client is, and any record will do. */
static enum spf_turn spf_turn_a(struct spf_run *run, struct spf_frame *f, const struct spf_term *t)
{
    bool exists = t->kind == SPF_EXISTS;
    uint16_t type = exists ? DNS_A : run->address_type;
    const struct dns_answer *a;
    struct dns_name name;
    enum spf_turn turn = spf_target(run, f, t->spec, &name);
    if (turn != TURN_MATCH)
        return turn;
    a = dns_table_get_odd(run->dns, dns_name_view(&name), type);
    turn = spf_answer(run, &name, a, "the address");
    if (turn != TURN_MATCH)
        return turn;
    return (exists ? a->n > 0 : spf_match_answer(run, a, spf_bits(run, t))) ? TURN_MATCH : TURN_MISS;
}

static enum spf_turn spf_turn_mx(struct spf_run *run, struct spf_frame *f, const struct spf_term *t)
{
    const struct dns_answer *mx;
    struct dns_name name;
    bool waits = false;
    enum spf_turn turn = spf_target(run, f, t->spec, &name);
    if (turn != TURN_MATCH)
        return turn;
    mx = dns_table_get_odd(run->dns, dns_name_view(&name), DNS_MX);
    turn = spf_answer(run, &name, mx, "the mail servers");
    if (turn != TURN_MATCH)
        return turn;
    if (mx->n > SPF_NAMES_MAX)
        return spf_say(run, TURN_PERM, "%.*s has more than %d MX records, which is too many for SPF",
                       SLICE_FMT(spf_show(&name)), SPF_NAMES_MAX);
    for (size_t i = 0; i < mx->n; i++) {
        const struct dns_answer *a;
        struct dns_mx host;
        if (dns_rr_mx_odd(mx->rdata[i], &host) || host.host.n == 0)
            continue;
        a = dns_table_get_odd(run->dns, dns_name_view(&host.host), run->address_type);
        waits |= !a;
        if (waits)
            continue; /* the first that is missing decides nothing, but the others are noted */
        if (dns_answer_failed(a))
            return spf_say(run, TURN_TEMP, "the DNS gave no answer for the address of %.*s",
                           SLICE_FMT(spf_show(&host.host)));
        if (spf_match_answer(run, a, spf_bits(run, t)))
            return TURN_MATCH;
    }
    return waits ? TURN_WAIT : TURN_MISS;
}

static enum spf_turn spf_turn_ptr(struct spf_run *run, struct spf_frame *f, const struct spf_term *t)
{
    const struct dns_answer *ptr;
    struct dns_name target, name;
    enum spf_turn turn = spf_target(run, f, t->spec, &target), counted;
    if (turn != TURN_MATCH)
        return turn;
    turn = spf_client_name(run, dns_name_view(&target), false, &name, &ptr);
    if (turn == TURN_WAIT || dns_answer_failed(ptr)) /* an error makes it miss, RFC 7208 §5.5 */
        return turn;
    counted = spf_answer(run, &target, ptr, "");
    return counted == TURN_MATCH ? turn : counted;
}

static enum spf_turn spf_turn_include(struct spf_run *run, struct spf_frame *f, const struct spf_term *t)
{
    struct dns_name name;
    enum spf_turn turn = spf_target(run, f, t->spec, &name);
    if (turn == TURN_MISS && run->local_ascii) /* as a domain without a record, RFC 7208 §5.2 */
        return spf_say(run, TURN_PERM, "%.*s includes what can be no domain name",
                       SLICE_FMT(spf_show(&f->domain)));
    if (turn != TURN_MATCH)
        return turn;
    spf_push(run, &name);
    return TURN_ENTER;
}

/* One more term that asks. False: it is one too many. */
static bool spf_count(struct spf_run *run, enum spf_turn *out)
{
    if (++run->lookups <= SPF_LOOKUPS_MAX)
        return true;
    run->lookups = SPF_LOOKUPS_MAX;
    *out = spf_say(run, TURN_PERM, "%.*s asks for more than %d DNS lookups",
                   SLICE_FMT(spf_show(&run->frames[0].domain)), SPF_LOOKUPS_MAX);
    return false;
}

static bool spf_asks(enum spf_kind kind)
{
    return kind == SPF_INCLUDE || kind == SPF_A || kind == SPF_MX || kind == SPF_PTR || kind == SPF_EXISTS;
}

static enum spf_turn spf_turn_term(struct spf_run *run, struct spf_frame *f)
{
    const struct spf_term *t = &f->term;
    enum spf_turn over;
    if (spf_asks(t->kind) && !spf_count(run, &over))
        return over;
    switch (t->kind) {
    case SPF_ALL:
        return TURN_MATCH;
    case SPF_INCLUDE:
        return spf_turn_include(run, f, t);
    case SPF_A:
    case SPF_EXISTS:
        return spf_turn_a(run, f, t);
    case SPF_MX:
        return spf_turn_mx(run, f, t);
    case SPF_PTR:
        return spf_turn_ptr(run, f, t);
    case SPF_IP4:
    case SPF_IP6:
        return spf_match_literal(run, t) ? TURN_MATCH : TURN_MISS;
    default: /* modifiers have their moment later, or none */
        return TURN_MISS;
    }
}

/* ---- questions that can be foreseen */

/* One term's question, when its name has no macros. True when an include's or redirect's record comes next.
 */
static bool spf_foresee_term(struct spf_run *run, const struct dns_name *domain, const struct spf_term *t,
                             struct dns_name *out_next)
{
    static const uint16_t types[] = {[SPF_INCLUDE] = DNS_TXT,
                                     [SPF_MX] = DNS_MX,
                                     [SPF_EXISTS] = DNS_A,
                                     [SPF_A] = 0,
                                     [SPF_REDIRECT] = DNS_TXT};
    slice spec = t->spec;
    const struct dns_answer *a;
    struct dns_name name = *domain, found;
    struct dns_mx host;
    if (spec.n && spec.p[spec.n - 1] == '.')
        spec.n--;
    if (slice_has(spec, '%') || (spec.n && dns_name_parse_odd(spec, &name)))
        return false;
    if (t->kind == SPF_PTR) {
        (void)spf_client_name(run, dns_name_view(&name), false, &found, &a);
        return false;
    }
    a = dns_table_get_odd(run->dns, dns_name_view(&name),
                          t->kind == SPF_A ? run->address_type : types[t->kind]);
    if (t->kind == SPF_MX && a && a->n <= SPF_NAMES_MAX)
        for (size_t i = 0; i < a->n; i++)
            if (dns_rr_mx_odd(a->rdata[i], &host) == OK && host.host.n)
                (void)dns_table_get_odd(run->dns, dns_name_view(&host.host), run->address_type);
    *out_next = name;
    return t->kind == SPF_INCLUDE || t->kind == SPF_REDIRECT;
}

static bool spf_known(const struct dns_name *names, size_t n, const struct dns_name *name)
{
    for (size_t i = 0; i < n; i++)
        if (dns_name_eq(&names[i], name))
            return true;
    return false;
}

/* Walks the records that are known, broad first, and notes what their terms ask for: at most as much as the
 * limit on lookups lets a check ask at all. What stands behind a term that is sure to match is not asked for.
 */
static void spf_foresee(struct spf_run *run)
{
    struct dns_name names[SPF_LOOKUPS_MAX + 1];
    size_t n = 1, octets = 0;
    unsigned asked = 0;
    names[0] = run->sender;
    for (size_t i = 0; i < n; i++) {
        const struct dns_answer *a = dns_table_get_odd(run->dns, dns_name_view(&names[i]), DNS_TXT);
        struct buf joined CLEANUP(buf_done);
        struct spf_record record;
        struct spf_term t;
        struct cursor rest;
        slice text, bad;
        size_t records;
        buf_init(&joined, SPF_RECORD_MAX);
        if (!a || dns_answer_failed(a))
            continue;
        text = spf_pick(a, &records);
        if (records != 1 || spf_txt(text, &joined, &text) || text.n > SPF_RECORDS_MAX - octets ||
            spf_record_parse(text, &record, &bad))
            continue;
        octets += text.n;
        rest = cursor_of(record.terms);
        while (asked < SPF_LOOKUPS_MAX && spf_record_term(&rest, &t)) {
            if (t.kind == SPF_ALL || ((t.kind == SPF_IP4 || t.kind == SPF_IP6) && spf_match_literal(run, &t)))
                break;
            if (!spf_asks(t.kind) && !(t.kind == SPF_REDIRECT && !record.has_all))
                continue;
            asked++;
            if (spf_foresee_term(run, &names[i], &t, &names[n]) && n < SPF_LOOKUPS_MAX &&
                !spf_known(names, n, &names[n]))
                n++;
        }
    }
}

/* ---- the run */

static enum auth_result spf_turn_result(enum spf_turn turn)
{
    return turn == TURN_TEMP ? AUTH_TEMPERROR : turn == TURN_PERM ? AUTH_PERMERROR : AUTH_NONE;
}

/* The end of the terms: redirect, or the default (RFC 7208 §4.7, §6.1). */
static enum spf_turn spf_turn_end(struct spf_run *run, struct spf_frame *f)
{
    struct dns_name name;
    enum spf_turn turn;
    if (f->record.redirect.n == 0 || f->record.has_all)
        return TURN_MISS;
    if (!spf_count(run, &turn))
        return turn;
    turn = spf_target(run, f, f->record.redirect, &name);
    if (turn == TURN_MISS)
        return spf_say(run, TURN_PERM, "%.*s redirects to what can be no domain name",
                       SLICE_FMT(spf_show(&f->domain)));
    if (turn != TURN_MATCH)
        return turn;
    buf_done(&f->joined);
    run->n--;
    spf_push(run, &name);
    return TURN_ENTER;
}

/* Brings the frame on top one step further: TURN_ENTER when there is more to do, else the frame's end, with
 * *out the result when it is TURN_MATCH or TURN_MISS. */
static enum spf_turn spf_step(struct spf_run *run, bool redirected, enum auth_result *out)
{
    struct spf_frame *f = spf_top(run);
    enum spf_turn turn;
    if (!f->loaded) {
        turn = spf_load(run, f);
        if (turn == TURN_NONE && redirected) /* RFC 7208 §6.1 */
            return spf_say(run, TURN_PERM, "the SPF record redirects to %.*s, which publishes none",
                           SLICE_FMT(spf_show(&f->domain)));
        if (turn != TURN_MATCH)
            return turn;
    }
    while (spf_record_term(&f->rest, &f->term)) {
        turn = spf_turn_term(run, f);
        if (turn == TURN_MATCH)
            *out = f->term.qualifier;
        if (turn != TURN_MISS)
            return turn;
    }
    f->term.text = SLICE("default");
    *out = AUTH_NEUTRAL;
    return spf_turn_end(run, f);
}

/* What an include makes of the result of its record (RFC 7208 §5.2). TURN_MISS: go on with the next term. */
static enum spf_turn spf_pop(struct spf_run *run, enum spf_turn turn, enum auth_result *result)
{
    struct spf_frame *child = spf_top(run), *f = child - 1;
    buf_done(&child->joined);
    run->n--;
    if (turn == TURN_NONE)
        return spf_say(run, TURN_PERM, "%.*s includes %.*s, which publishes no SPF record",
                       SLICE_FMT(spf_show(&f->domain)), SLICE_FMT(spf_show(&child->domain)));
    if (turn == TURN_TEMP || turn == TURN_PERM)
        return turn;
    if (turn != TURN_MATCH || *result != AUTH_PASS)
        return TURN_MISS;
    *result = f->term.qualifier;
    return TURN_MATCH;
}

static enum spf_turn spf_evaluate(struct spf_run *run, enum auth_result *result)
{
    bool redirected = false;
    spf_push(run, &run->sender);
    for (;;) {
        size_t before = run->n;
        enum spf_turn turn = spf_step(run, redirected, result);
        if (turn == TURN_WAIT)
            return turn;
        redirected = turn == TURN_ENTER && run->n == before;
        while (turn != TURN_ENTER) {
            if (run->n == 1)
                return turn;
            turn = spf_pop(run, turn, result);
            if (turn == TURN_MISS)
                turn = TURN_ENTER; /* on with the terms behind the include */
        }
    }
}

/* ---- words */

static void spf_words(struct spf_run *run, enum auth_result result)
{
    struct spf_frame *f = spf_top(run);
    slice domain = spf_show(&run->sender), term = slice_sub(f->term.text, 0, 120);
    bool all = f->term.kind == SPF_ALL;
    if (slice_eq(term, SLICE("default"))) {
        (void)spf_say(run, TURN_MATCH,
                      "%.*s says neither yes nor no to %s: no term of its SPF record matches",
                      SLICE_FMT(domain), run->client);
        return;
    }
    if (result == AUTH_PASS)
        (void)spf_say(run, TURN_MATCH,
                      all ? "%s may send, as %.*s allows every address (%.*s)"
                          : "%s is among the addresses %.*s allows (%.*s)",
                      run->client, SLICE_FMT(domain), SLICE_FMT(term));
    else if (result == AUTH_FAIL)
        (void)spf_say(run, TURN_MATCH,
                      all ? "%s is not among the addresses %.*s allows (%.*s)"
                          : "%s is an address that %.*s forbids (%.*s)",
                      run->client, SLICE_FMT(domain), SLICE_FMT(term));
    else if (result == AUTH_SOFTFAIL)
        (void)spf_say(run, TURN_MATCH, "%s is probably not among the addresses %.*s allows (%.*s)",
                      run->client, SLICE_FMT(domain), SLICE_FMT(term));
    else
        (void)spf_say(run, TURN_MATCH, "for %s %.*s says neither yes nor no (%.*s)", run->client,
                      SLICE_FMT(domain), SLICE_FMT(term));
}

/* exp=, RFC 7208 §6.2: whatever goes wrong here, there is no explanation. *out has room for SPF_TEXT_MAX. */
static enum spf_turn spf_explain(struct spf_run *run, char out[SPF_TEXT_MAX])
{
    const struct spf_frame *f = spf_top(run);
    const struct dns_answer *a;
    struct dns_name name;
    struct buf joined CLEANUP(buf_done), text CLEANUP(buf_done);
    slice explanation;
    enum spf_turn turn;
    buf_init(&joined, SPF_RECORD_MAX);
    buf_init(&text, SPF_EXPANSION_MAX);
    if (f->record.exp.n == 0)
        return TURN_MISS;
    turn = spf_target(run, f, f->record.exp, &name);
    if (turn != TURN_MATCH)
        return turn;
    a = dns_table_get_odd(run->dns, dns_name_view(&name), DNS_TXT);
    if (!a)
        return TURN_WAIT;
    if (dns_answer_failed(a) || a->n != 1 || spf_txt(a->rdata[0], &joined, &explanation) ||
        !spf_macro_is_explanation(explanation))
        return TURN_MISS;
    turn = spf_expand(run, f, explanation, &text);
    if (turn == TURN_MATCH)
        spf_printable(buf_view(&text), out, SPF_TEXT_MAX);
    return turn;
}

/* ---- spf_check */

/* The identity (RFC 7208 §2.3, §2.4, §4.3). False: it has no domain that could have a record. */
static bool spf_identity(struct spf_run *run, bool of_helo)
{
    const struct spf_ask *ask = run->ask;
    slice domain = of_helo ? ask->helo : ask->domain;
    uint8_t ascii[IDNA_DOMAIN_MAX];
    size_t n;
    run->local = ask->local.n ? ask->local : SLICE("postmaster");
    run->local_ascii = true;
    for (size_t i = 0; i < run->local.n; i++)
        run->local_ascii &= run->local.p[i] < 128;
    for (size_t i = 0; i < domain.n; i++)
        if (domain.p[i] >= 128) { /* RFC 8616 §4 */
            if (idna_to_ascii(domain, ascii, &n))
                return false;
            domain = slice_of(ascii, n);
            break;
        }
    return dns_name_parse(domain, &run->sender) == OK && slice_has(dns_name_view(&run->sender), '.');
}

static enum auth_step spf_finish(struct spf_run *run, struct arena *a, slice explanation,
                                 struct spf_result *r, struct spf_result *out)
{
    bool decided = r->result != AUTH_NONE && r->result != AUTH_TEMPERROR && r->result != AUTH_PERMERROR;
    slice term = decided ? spf_top(run)->term.text : (slice){0};
    r->lookups = run->lookups;
    r->voids = run->voids;
    if (!arena_dup(a, dns_name_view(&run->sender), &r->domain) || !arena_dup(a, term, &r->mechanism) ||
        !arena_dup(a, explanation, &r->explanation) || !arena_dup(a, slice_str(run->why), &r->reason))
        return AUTH_NO_MEMORY;
    *out = *r;
    return AUTH_DONE;
}

enum auth_step spf_check(const struct spf_ask *ask, struct dns_table *dns, struct arena *a,
                         struct spf_result *out)
{
    struct spf_run run CLEANUP(spf_run_done); /* its frames are made when they are pushed */
    struct spf_result r = {.of_helo = ask->local.n == 0 && ask->domain.n == 0};
    char explanation[SPF_TEXT_MAX] = "";
    enum spf_turn turn;
    run.ask = ask;
    run.dns = dns;
    run.n = 0;
    run.lookups = run.voids = 0;
    run.octets = 0;
    run.sender.n = 0;
    run.why[0] = 0;
    run.address_type = ip_is_v4(&ask->client) ? DNS_A : DNS_AAAA;
    ip_print(&ask->client, run.client);
    if (!spf_identity(&run, r.of_helo)) {
        (void)spf_say(&run, TURN_NONE,
                      r.of_helo ? "the name in HELO is no domain name, and the sender is null"
                                : "the sender's address has no domain name");
        return spf_finish(&run, a, (slice){0}, &r, out);
    }
    turn = spf_evaluate(&run, &r.result);
    if (turn == TURN_WAIT) {
        spf_foresee(&run);
        return AUTH_WAIT;
    }
    if (turn != TURN_MATCH && turn != TURN_MISS) {
        r.result = spf_turn_result(turn);
        return spf_finish(&run, a, (slice){0}, &r, out);
    }
    if (r.result == AUTH_FAIL && ask->explain && spf_explain(&run, explanation) == TURN_WAIT)
        return AUTH_WAIT;
    spf_words(&run, r.result);
    return spf_finish(&run, a, slice_str(explanation), &r, out);
}
