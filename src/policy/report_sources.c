#include "policy/report_sources.h"

#include "core/auth/auth.h"
#include "core/dns/dns_name.h"
#include "core/reports/report_text.h"
#include "text/utf8.h"

#include <stdlib.h>

/* What an organisation said of messages that are alike, in reports whose periods overlap. */
struct alike {
    uint64_t report, sum, most; /* sum: of the newest report seen; most: of any of them, counted already */
    time_ms begin, end;
};

const char *report_class_word(enum report_class c)
{
    static const char *const words[] = {"ok", "forwarded", "own", "changed", "service", "near", "forged"};
    static_assert(ARRAY_LEN(words) == REPORT_CLASS__COUNT, "every class has a word");
    return words[(unsigned)c < REPORT_CLASS__COUNT ? c : REPORT_FORGED];
}

static void free_maps(void *arg)
{
    struct report_sources *s = arg;
    map_done(&s->by_ip);
    map_done(&s->alike);
}

bool report_sources_init(struct report_sources *s, slice domain, const struct hash_key *key, struct arena *a)
{
    *s = (struct report_sources){.domain = domain,
                                 .key = *key,
                                 .arena = a,
                                 .at = ARENA_ARRAY(a, REPORT_SOURCES_MAX, struct report_source)};
    return s->at != NULL && arena_hook(a, free_maps, s);
}

/* The same domain, or one below it. */
static bool is_ours(slice name, slice domain)
{
    return slice_eq_nocase(name, domain) ||
           (name.n > domain.n && slice_ends_nocase(name, domain) && name.p[name.n - domain.n - 1] == '.');
}

void report_who(slice author, slice org, struct buf *out)
{
    struct dns_name name;
    bool is_domain = slice_has(org, '.') && !slice_has(org, ' ') && dns_name_parse(org, &name) == OK;
    if (org.n > 100) {
        org.n = 100;
        org.n -= utf8_incomplete_tail(org);
    }
    if (author.n == 0 || (is_domain && (is_ours(org, author) || is_ours(author, org))))
        buf_append(out, org);
    else if (org.n == 0 || author.n > 120)
        buf_append(out, author);
    else
        buf_print(out, is_domain ? "%.*s (calls itself %.*s)" : "%.*s (%.*s)", SLICE_FMT(author),
                  SLICE_FMT(org));
}

/* ---- what counts once */

static uint64_t hash_row(const struct report_sources *s, const struct aggregate_record *row, slice org)
{
    struct buf b CLEANUP(buf_done);
    uint64_t hash;
    buf_init(&b, 64 * 1024);
    buf_append(&b, ip_slice(&row->source));
    buf_print(&b, "%u %u %u %u %u %u\n", row->disposition, row->dkim_aligned, row->spf_aligned, row->reason,
              row->spf, row->spf_of_helo);
    const slice texts[] = {org, row->header_from, row->envelope_from, row->envelope_to, row->spf_domain};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        buf_append(&b, texts[i]);
        buf_byte(&b, '\n');
    }
    for (size_t i = 0; i < row->n_dkim; i++)
        buf_print(&b, "%.*s %.*s %u\n", SLICE_FMT(row->dkim[i].domain), SLICE_FMT(row->dkim[i].selector),
                  row->dkim[i].result);
    hash = hash_slice(&s->key, buf_view(&b));
    return hash;
}

/* By more than a tenth of the shorter period: ends that touch, or miss each other by a minute, do not count.
 */
static bool overlap(const struct alike *a, const struct report_origin *b)
{
    time_ms from = a->begin > b->begin ? a->begin : b->begin;
    time_ms to = a->end < b->end ? a->end : b->end;
    time_ms x = a->end - a->begin, y = b->end - b->begin;
    return to > from && to - from > (x < y ? x : y) / 10;
}

/* How much of the row's count is new. */
static bool count_new(struct report_sources *s, const struct aggregate_record *row,
                      const struct report_origin *from, uint64_t *out)
{
    uint64_t hash = hash_row(s, row, from->org);
    struct alike *a = map_get(&s->alike, hash);
    *out = row->count;
    if (!a) {
        if (s->alike.n >= REPORT_ALIKE_MAX)
            return true;
        a = ARENA_NEW(s->arena, struct alike);
        if (!a)
            return false;
        *a = (struct alike){.report = from->report, .begin = from->begin, .end = from->end};
        (void)map_put(&s->alike, hash, a);
    }
    if (a->report != from->report) {
        if (!overlap(a, from))
            a->most = 0;
        *a = (struct alike){.report = from->report, .most = a->most, .begin = from->begin, .end = from->end};
    }
    a->sum += row->count;
    *out = a->sum > a->most ? a->sum - a->most : 0;
    if (*out > row->count)
        *out = row->count;
    if (a->sum > a->most)
        a->most = a->sum;
    s->twice += row->count - *out;
    return true;
}

/* ---- gathering */

static struct report_source *source_for(struct report_sources *s, const struct ip *ip)
{
    uint64_t hash = hash_slice(&s->key, ip_slice(ip));
    struct report_source *found = map_get(&s->by_ip, hash);
    if (found || s->n == REPORT_SOURCES_MAX)
        return found;
    found = &s->at[s->n++];
    *found = (struct report_source){.ip = *ip};
    (void)map_put(&s->by_ip, hash, found);
    return found;
}

/* What a row that failed proves of somebody else, and whether it was ours but changed on the way. */
static bool look_closer(struct report_sources *s, struct report_source *to,
                        const struct aggregate_record *row, uint64_t count)
{
    slice other = {0};
    /* the receiver knew the way it came */
    bool broken = row->reason == AGGREGATE_REASON_MAILING_LIST || row->reason == AGGREGATE_REASON_FORWARDER ||
                  row->reason == AGGREGATE_REASON_FORWARDED;
    bool dkim = false;
    for (size_t i = 0; i < row->n_dkim; i++) {
        bool own = is_ours(row->dkim[i].domain, s->domain);
        broken = broken || (own && row->dkim[i].result != AUTH_PASS && row->dkim[i].result != AUTH_NONE);
        if (!own && row->dkim[i].result == AUTH_PASS && other.n == 0) {
            other = row->dkim[i].domain;
            dkim = true;
        }
    }
    if (other.n == 0 && row->spf == AUTH_PASS && !is_ours(row->spf_domain, s->domain))
        other = row->spf_domain;
    if (broken)
        to->own_broken += count;
    else if (other.n)
        to->others += count;
    if (other.n == 0 || (to->other.n && (to->other_is_dkim || !dkim)))
        return true;
    to->other_is_dkim = dkim;
    return arena_dup(s->arena, other, &to->other);
}

/* One text for all, or several: false at the arena's cap. */
static bool note(struct report_sources *s, slice text, slice *one, bool *several)
{
    if (one->n == 0 && !*several)
        return arena_dup(s->arena, text, one);
    if (!*several && !slice_eq_nocase(*one, text)) {
        *several = true;
        *one = (slice){0};
    }
    return true;
}

/* In whose name what failed came, and who says so. */
static bool look_who(struct report_sources *s, struct report_source *to, const struct aggregate_record *row,
                     slice org)
{
    slice as = is_ours(row->header_from, s->domain) ? row->header_from : s->domain;
    return note(s, as, &to->as, &to->as_several) && note(s, org, &to->org, &to->org_several);
}

static bool our_signature_failed(const struct report_sources *s, const struct aggregate_record *row)
{
    bool failed = false;
    for (size_t i = 0; i < row->n_dkim && !row->dkim_aligned; i++)
        failed = failed || (is_ours(row->dkim[i].domain, s->domain) && row->dkim[i].result != AUTH_PASS &&
                            row->dkim[i].result != AUTH_NONE &&
                            row->dkim[i].result != AUTH_TEMPERROR); /* the receiver's DNS, not ours */
    return failed;
}

bool report_sources_add(struct report_sources *s, const struct aggregate_record *row,
                        const struct report_origin *from, const struct ip *ours, size_t n_ours)
{
    struct report_source *to = source_for(s, &row->source);
    bool believed = row->dkim_aligned || row->spf_aligned, bad_dkim = our_signature_failed(s, row);
    uint64_t count;
    if (!count_new(s, row, from, &count))
        return false;
    s->messages += count;
    s->believed += believed ? count : 0;
    if (!to) {
        s->left_out += believed ? 0 : count;
        return true;
    }
    for (size_t i = 0; i < n_ours; i++)
        to->ours = to->ours || ip_eq(&ours[i], &row->source);
    to->messages += count;
    to->believed += believed ? count : 0;
    to->dkim_passed += row->dkim_aligned ? count : 0;
    to->spf_passed += row->spf_aligned ? count : 0;
    to->refused += row->disposition == AGGREGATE_REJECT ? count : 0;
    to->quarantined += row->disposition == AGGREGATE_QUARANTINE ? count : 0;
    to->bad_dkim += bad_dkim ? count : 0;
    if (believed && !bad_dkim && from->end > to->good)
        to->good = from->end;
    if ((!believed || bad_dkim) && (to->first == 0 || from->begin < to->first))
        to->first = from->begin;
    if ((!believed || bad_dkim) && from->end > to->last)
        to->last = from->end;
    if ((!believed || bad_dkim) && !look_who(s, to, row, from->org))
        return false;
    return believed || look_closer(s, to, row, count);
}

/* /24 of what is mapped into ::ffff:0:0/96, /48 else. */
static size_t network_bytes(const struct ip *ip)
{
    return ip_is_v4(ip) ? 15 : 6;
}

void report_sources_near(struct report_sources *s, const struct ip *address, slice name)
{
    for (size_t i = 0; i < s->n; i++) {
        struct report_source *one = &s->at[i];
        bool at = name.n && ip_eq(&one->ip, address);
        if (one->near == REPORT_AT_NAME || (one->near == REPORT_IN_NETWORK && !at) ||
            ip_is_v4(&one->ip) != ip_is_v4(address) ||
            memcmp(one->ip.b, address->b, network_bytes(address)) != 0)
            continue;
        one->near = at ? REPORT_AT_NAME : REPORT_IN_NETWORK;
        one->near_name = name;
    }
}

uint64_t report_source_failed(const struct report_source *s)
{
    return s->messages - s->believed;
}

enum report_class report_class_of(const struct report_source *s)
{
    uint64_t failed = report_source_failed(s);
    if (s->ours && s->bad_dkim)
        return REPORT_OWN; /* SPF still carries it, until somebody forwards it */
    if (failed == 0)
        return s->spf_passed > 0 || s->ours ? REPORT_OK : REPORT_FORWARDED;
    if (s->ours)
        return REPORT_OWN;
    if (s->own_broken * 2 >= failed || s->believed > failed)
        return REPORT_CHANGED;
    if (s->others * 2 >= failed)
        return REPORT_SERVICE;
    return s->near != REPORT_FAR ? REPORT_NEAR : REPORT_FORGED;
}

static int compare(const void *a, const void *b)
{
    const struct report_source *x = a, *y = b;
    bool own = report_class_of(x) == REPORT_OWN, other = report_class_of(y) == REPORT_OWN;
    if (own != other)
        return own ? -1 : 1;
    if (report_source_failed(x) != report_source_failed(y))
        return report_source_failed(x) > report_source_failed(y) ? -1 : 1;
    if (x->messages != y->messages)
        return x->messages > y->messages ? -1 : 1;
    return memcmp(x->ip.b, y->ip.b, sizeof x->ip.b);
}

void report_sources_sort(struct report_sources *s)
{
    map_done(&s->by_ip); /* its pointers are to places that hold others now */
    if (s->n)
        qsort(s->at, s->n, sizeof s->at[0], compare);
}

/* ---- groups */

static uint64_t group_key(const struct report_sources *s, const struct report_source *one)
{
    uint8_t room[1 + 256];
    enum report_class class = report_class_of(one);
    slice name = {0};
    room[0] = (uint8_t) class;
    if (class == REPORT_SERVICE && one->other.n)
        name = one->other;
    else if (one->name.n)
        name = report_domain_end(one->name);
    if (class != REPORT_OWN && class != REPORT_NEAR && name.n && name.n <= 255) {
        room[0] |= 0x80;
        memcpy(room + 1, name.p, name.n);
        return hash_slice(&s->key, slice_of(room, 1 + name.n));
    }
    memcpy(room + 1, one->ip.b, 16);
    if (class != REPORT_OWN && class != REPORT_NEAR)
        memset(room + 1 + network_bytes(&one->ip), 0, 16 - network_bytes(&one->ip));
    return hash_slice(&s->key, slice_of(room, 17));
}

static void group_one(slice text, bool several, slice *one, bool *all_several)
{
    if (several || (one->n && !slice_eq_nocase(*one, text)))
        *all_several = true;
    *one = *all_several ? (slice){0} : text;
}

static void group_add(struct report_group *g, const struct report_source *one)
{
    struct report_source *sum = &g->sum;
    g->n++;
    sum->messages += one->messages;
    sum->believed += one->believed;
    sum->dkim_passed += one->dkim_passed;
    sum->spf_passed += one->spf_passed;
    sum->refused += one->refused;
    sum->quarantined += one->quarantined;
    sum->own_broken += one->own_broken;
    sum->bad_dkim += one->bad_dkim;
    sum->others += one->others;
    if (sum->first == 0 || (one->first && one->first < sum->first))
        sum->first = one->first;
    if (one->last > sum->last)
        sum->last = one->last;
    if (one->good > sum->good)
        sum->good = one->good;
    group_one(one->as, one->as_several, &sum->as, &sum->as_several);
    group_one(one->org, one->org_several, &sum->org, &sum->org_several);
}

static int compare_groups(const void *a, const void *b)
{
    const struct report_group *x = a, *y = b;
    return compare(&x->sum, &y->sum);
}

bool report_sources_group(const struct report_sources *s, const struct report_group **out, size_t *out_n)
{
    struct report_group *groups = ARENA_ARRAY(s->arena, s->n ? s->n : 1, struct report_group);
    struct map found = {0};
    size_t n = 0;
    if (!groups)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const struct report_source *one = &s->at[i];
        enum report_class class = report_class_of(one);
        uint64_t key;
        struct report_group *g;
        if (class == REPORT_OK || class == REPORT_FORWARDED)
            continue;
        key = group_key(s, one);
        g = map_get(&found, key);
        if (!g) {
            g = &groups[n++];
            *g = (struct report_group){.class = class, .top = one};
            g->sum = (struct report_source){.ip = one->ip,
                                            .ours = one->ours,
                                            .name = one->name,
                                            .other = one->other,
                                            .near = one->near,
                                            .near_name = one->near_name,
                                            .other_is_dkim = one->other_is_dkim};
            (void)map_put(&found, key, g);
        }
        group_add(g, one);
    }
    map_done(&found);
    if (n)
        qsort(groups, n, sizeof groups[0], compare_groups);
    *out = groups;
    *out_n = n;
    return true;
}
