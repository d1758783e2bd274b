/* mechanism: one term of a record against the client (RFC 7208 §5), and the names and addresses it needs. */
#include "core/spf/check__.h"

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

bool spf__match_literal(const struct spf_run *run, const struct spf_term *t)
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
enum spf_turn spf__client_name(struct spf_run *run, slice near, bool any, struct dns_name *out,
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

enum spf_turn spf__expand(struct spf_run *run, const struct spf_frame *f, slice spec, struct buf *out)
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
        if (spf__client_name(run, m.domain, true, &name, &ptr) == TURN_WAIT)
            return TURN_WAIT;
        if (name.n)
            m.client_name = dns_name_view(&name);
    }
    return spf_macro_expand(spec, &m, out)
               ? spf__say(run, TURN_PERM, "the macros of %.*s expand to more than %zu octets",
                          SLICE_FMT(spf__show(&f->domain)), SPF_EXPANSION_MAX)
               : TURN_MATCH;
}

/* TURN_MATCH: *out is the name. TURN_MISS: there can be no such name, and nothing is to be asked. */
enum spf_turn spf__target(struct spf_run *run, const struct spf_frame *f, slice spec, struct dns_name *out)
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
        turn = spf__expand(run, f, spec, &expanded);
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

void spf__push(struct spf_run *run, const struct dns_name *domain)
{
    must(run->n < ARRAY_LEN(run->frames));
    struct spf_frame *f = &run->frames[run->n++];
    f->domain = *domain;
    f->loaded = false;
    buf_init(&f->joined, SPF_RECORD_MAX);
}

/* Looks at the answer to a term's own question: TURN_MATCH when it may be used. */
static enum spf_turn spf_answer(struct spf_run *run, const struct dns_name *name, const struct dns_answer *a,
                                const char *what)
{
    if (!a)
        return TURN_WAIT;
    if (dns_answer_failed(a))
        return spf__say(run, TURN_TEMP, "the DNS gave no answer for %s of %.*s", what,
                        SLICE_FMT(spf__show(name)));
    if (dns_answer_void(a) && ++run->voids > SPF_VOID_MAX)
        return spf__say(run, TURN_PERM, "%.*s asks for more than %d names that do not exist",
                        SLICE_FMT(spf__show(&run->frames[0].domain)), SPF_VOID_MAX);
    return TURN_MATCH;
}

/* a and exists; exists asks for A whatever the client is, and any record will do. */
static enum spf_turn spf_turn_a(struct spf_run *run, struct spf_frame *f, const struct spf_term *t)
{
    bool exists = t->kind == SPF_EXISTS;
    uint16_t type = exists ? DNS_A : run->address_type;
    const struct dns_answer *a;
    struct dns_name name;
    enum spf_turn turn = spf__target(run, f, t->spec, &name);
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
    enum spf_turn turn = spf__target(run, f, t->spec, &name);
    if (turn != TURN_MATCH)
        return turn;
    mx = dns_table_get_odd(run->dns, dns_name_view(&name), DNS_MX);
    turn = spf_answer(run, &name, mx, "the mail servers");
    if (turn != TURN_MATCH)
        return turn;
    if (mx->n > SPF_NAMES_MAX)
        return spf__say(run, TURN_PERM, "%.*s has more than %d MX records, which is too many for SPF",
                        SLICE_FMT(spf__show(&name)), SPF_NAMES_MAX);
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
            return spf__say(run, TURN_TEMP, "the DNS gave no answer for the address of %.*s",
                            SLICE_FMT(spf__show(&host.host)));
        if (spf_match_answer(run, a, spf_bits(run, t)))
            return TURN_MATCH;
    }
    return waits ? TURN_WAIT : TURN_MISS;
}

static enum spf_turn spf_turn_ptr(struct spf_run *run, struct spf_frame *f, const struct spf_term *t)
{
    const struct dns_answer *ptr;
    struct dns_name target, name;
    enum spf_turn turn = spf__target(run, f, t->spec, &target), counted;
    if (turn != TURN_MATCH)
        return turn;
    turn = spf__client_name(run, dns_name_view(&target), false, &name, &ptr);
    if (turn == TURN_WAIT || dns_answer_failed(ptr)) /* an error makes it miss, RFC 7208 §5.5 */
        return turn;
    counted = spf_answer(run, &target, ptr, "");
    return counted == TURN_MATCH ? turn : counted;
}

static enum spf_turn spf_turn_include(struct spf_run *run, struct spf_frame *f, const struct spf_term *t)
{
    struct dns_name name;
    enum spf_turn turn = spf__target(run, f, t->spec, &name);
    if (turn == TURN_MISS && run->local_ascii) /* as a domain without a record, RFC 7208 §5.2 */
        return spf__say(run, TURN_PERM, "%.*s includes what can be no domain name",
                        SLICE_FMT(spf__show(&f->domain)));
    if (turn != TURN_MATCH)
        return turn;
    spf__push(run, &name);
    return TURN_ENTER;
}

/* One more term that asks. False: it is one too many. */
bool spf__count(struct spf_run *run, enum spf_turn *out)
{
    if (++run->lookups <= SPF_LOOKUPS_MAX)
        return true;
    run->lookups = SPF_LOOKUPS_MAX;
    *out = spf__say(run, TURN_PERM, "%.*s asks for more than %d DNS lookups",
                    SLICE_FMT(spf__show(&run->frames[0].domain)), SPF_LOOKUPS_MAX);
    return false;
}

bool spf__asks(enum spf_kind kind)
{
    return kind == SPF_INCLUDE || kind == SPF_A || kind == SPF_MX || kind == SPF_PTR || kind == SPF_EXISTS;
}

enum spf_turn spf__turn_term(struct spf_run *run, struct spf_frame *f)
{
    const struct spf_term *t = &f->term;
    enum spf_turn over;
    if (spf__asks(t->kind) && !spf__count(run, &over))
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
        return spf__match_literal(run, t) ? TURN_MATCH : TURN_MISS;
    default: /* modifiers have their moment later, or none */
        return TURN_MISS;
    }
}
