/* imap_search: SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182). Each message is asked key by key, cheap ones
 * first (core/imap/search.h); what is stored parsed is not parsed again, and bodies are read only where
 * nothing else decides. */
#include "proc/account/imap__.h"

#include "core/mail/header.h"
#include "core/mail/mail_text.h"
#include "text/date.h"
#include "text/utf8.h"

#include <stdlib.h>

#define SEARCH_META_ARENA ((size_t)64 << 20)
#define SEARCH_BODY_MAX   ((size_t)128 << 20)
#define SEARCH_TEXT_MAX   ((size_t)64 << 20) /* decoded text of one message that is looked at */
#define SEARCH_STEP_DEAR  16                 /* messages whose body was read, before others get their turn */
#define SEARCH_STEP_CHEAP 400                /* messages whose record was read */

/* One message being asked. What it needs is loaded once. */
struct search_one {
    struct imap_session *s;
    size_t index;
    struct arena arena;
    bool has_meta, has_body, bad;
    struct message_meta meta;
    struct buf body; /* header, or all of it */
    size_t body_have;
};

/* --- comparing without case */

/* Simple case folding of the scripts that have case and lie in simple rows: Latin, Greek, Cyrillic, Armenian.
 */
static uint32_t search_fold_code(uint32_t c)
{
    if (c < 0x80)
        return ascii_lower((uint8_t)c);
    if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3ab && c != 0x3a2) ||
        (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    if (c >= 0x531 && c <= 0x556)
        return c + 48;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
        return c & 1 ? c + 1 : c;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
        (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f) || (c >= 0x1e00 && c <= 0x1e95) ||
        (c >= 0x1ea0 && c <= 0x1eff))
        return c | 1;
    return c == 0x3c2 ? 0x3c3 : c == 0x178 ? 0xff : c;
}

/* The ASCII at the front of s, folded; how much that was. Plain loops, which the compiler makes wide. */
static size_t search_fold_ascii(slice s, uint8_t *out)
{
    size_t n = 0;
    while (n < s.n && s.p[n] < 0x80)
        n++;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(s.p[i] | (uint8_t)((uint8_t)(s.p[i] - 'A') < 26) << 5);
    return n;
}

static void search_fold(slice s, struct buf *out)
{
    uint8_t *p = buf_reserve(out, s.n * 2); /* no folding doubles a length */
    size_t n = 0;
    if (!p)
        return;
    while (s.n) {
        uint32_t c;
        size_t took = search_fold_ascii(s, p + n);
        n += took;
        s = slice_from(s, took);
        if (!s.n)
            break;
        took = utf8_next(s, &c);
        if (took) {
            n += utf8_put(p + n, search_fold_code(c));
        } else {
            p[n++] = s.p[0];
            took = 1;
        }
        s = slice_from(s, took);
    }
    buf_commit(out, n);
}

static bool search_in(slice text, slice needle)
{
    struct buf folded CLEANUP(buf_done) = {0};
    slice hay;
    if (!needle.n)
        return true;
    buf_init(&folded, SEARCH_TEXT_MAX * 2);
    search_fold(text, &folded);
    hay = buf_view(&folded);
    return slice_find(hay, needle) < hay.n;
}

/* --- keys by cost */

static enum imap_tri search_tri(bool yes)
{
    return yes ? IMAP_YES : IMAP_NO;
}

static bool search_in_set(const struct imap_session *s, const struct imap_search_key *k, size_t index)
{
    const struct mailbox_view *v = s->sel.view;
    if (k->set.saved)
        return imap_set_has(&s->sel.result, v->uid[index]);
    return imap_set_has(&k->set, k->op == IMAP_KEY_UID ? v->uid[index] : imap_map_seq(&s->sel.map, index));
}

static bool search_index_key(struct imap_session *s, size_t key, size_t i)
{
    const struct imap_search_key *k = &s->cmd.search.keys[key];
    const struct mailbox_view *v = s->sel.view;
    uint64_t day = v->date[i] / 86400;
    int64_t age = s->host->now() / MS_SECOND - (int64_t)v->date[i];
    switch (k->op) {
    case IMAP_KEY_ALL:
        return true;
    case IMAP_KEY_FLAG:
        return k->number == IMAP_RECENT ? imap__is_recent(s, v->uid[i]) : (v->flags[i] & k->number) != 0;
    case IMAP_KEY_NEW:
        return imap__is_recent(s, v->uid[i]) && !(v->flags[i] & FLAG_SEEN);
    case IMAP_KEY_KEYWORD:
        return (v->flags[i] & s->work.search.bits[key]) != 0;
    case IMAP_KEY_SEQ:
    case IMAP_KEY_UID:
        return search_in_set(s, k, i);
    case IMAP_KEY_LARGER:
        return v->bytes[i] > k->number;
    case IMAP_KEY_SMALLER:
        return v->bytes[i] < k->number;
    case IMAP_KEY_BEFORE:
        return (int64_t)day < (int64_t)k->number;
    case IMAP_KEY_ON:
        return (int64_t)day == (int64_t)k->number;
    case IMAP_KEY_SINCE:
        return (int64_t)day >= (int64_t)k->number;
    case IMAP_KEY_OLDER:
        return age >= (int64_t)k->number;
    case IMAP_KEY_YOUNGER:
        return age <= (int64_t)k->number;
    case IMAP_KEY_MODSEQ:
        return v->modseq[i] >= k->number;
    case IMAP_KEY_EMAILID: {
        uint64_t id;
        return k->text.n > 1 && k->text.p[0] == 'E' && slice_u64(slice_from(k->text, 1), &id) &&
               id == v->message[i];
    }
    default:
        return false;
    }
}

static bool search_stored_key(struct search_one *one, size_t key)
{
    const struct imap_search_key *k = &one->s->cmd.search.keys[key];
    const struct message_meta *m = &one->meta;
    slice needle = one->s->work.search.folded[key];
    int64_t day = m->has_date ? date_day_in_zone(m->sent_at, m->sent_zone) : 0;
    uint64_t id;
    switch (k->op) {
    case IMAP_KEY_THREADID:
        return k->text.n > 1 && k->text.p[0] == 'T' && slice_u64(slice_from(k->text, 1), &id) &&
               id == m->thread;
    case IMAP_KEY_SENTBEFORE:
        return m->has_date && day < (int64_t)k->number;
    case IMAP_KEY_SENTON:
        return m->has_date && day == (int64_t)k->number;
    case IMAP_KEY_SENTSINCE:
        return m->has_date && day >= (int64_t)k->number;
    case IMAP_KEY_SUBJECT:
        return search_in(m->subject, needle);
    case IMAP_KEY_FROM:
        return search_in(m->from, needle);
    case IMAP_KEY_TO:
        return search_in(m->to, needle);
    case IMAP_KEY_CC:
        return search_in(m->cc, needle);
    case IMAP_KEY_BCC:
        return search_in(m->bcc, needle);
    default:
        return false;
    }
}

/* Reads the message up to `want` bytes. */
static bool search_load(struct search_one *one, uint64_t want)
{
    struct account_body *body CLEANUP(account_body_close) = NULL;
    uint64_t at = one->body.n;
    if (one->bad || one->body_have >= want)
        return !one->bad;
    if (account_body_open(one->s->store, one->meta.message, &body) != OK)
        one->bad = true;
    while (!one->bad && at < want && at < account_body_bytes(body)) {
        slice piece;
        if (account_body_read(body, at, want - at, &piece) != OK || !piece.n ||
            buf_append(&one->body, piece) != OK)
            one->bad = true; /* what cannot be read is not found */
        else
            at += piece.n;
    }
    one->body_have = one->body.n;
    return !one->bad;
}

static bool search_header_in(struct search_one *one, slice name, slice needle)
{
    slice block = slice_sub(buf_view(&one->body), 0, (size_t)one->meta.header_bytes);
    struct header_iter it = header_iter(block, &mail_limits_default);
    struct header_field f;
    while (header_next(&it, &f)) {
        slice text;
        if (name.n && !slice_eq_nocase(f.name, name))
            continue;
        if (!name.n && search_in(f.raw, needle))
            return true;
        if (header_text(f.value, &one->arena, &text) && search_in(text, needle))
            return true;
    }
    return false;
}

struct search_text {
    slice needle;
    struct buf hay; /* folded; keeps the end of what came before, so that a match across pieces is seen */
    bool found;
};

static bool search_text_piece(void *arg, const struct part_entry *part, slice utf8)
{
    struct search_text *t = arg;
    slice hay;
    (void)part;
    if (t->hay.n >= t->needle.n)
        buf_consume(&t->hay, t->hay.n - (t->needle.n - 1));
    search_fold(utf8, &t->hay);
    hay = buf_view(&t->hay);
    t->found = slice_find(hay, t->needle) < hay.n;
    return !t->found;
}

static bool search_body_in(struct search_one *one, slice needle)
{
    struct search_text t = {.needle = needle};
    slice all = buf_view(&one->body);
    struct part_table parts;
    if (!needle.n)
        return true;
    if (part_table_decode(one->meta.part_table, all.n, &one->arena, &parts) != OK)
        return false;
    buf_init(&t.hay, SEARCH_TEXT_MAX * 2);
    IGNORE_RESULT(mail_text_each(&all, 1, &parts, SEARCH_TEXT_MAX, search_text_piece, &t),
                  "what is damaged is not found");
    buf_done(&t.hay);
    return t.found;
}

static enum imap_tri search_ask(struct search_one *one, size_t key, enum imap_search_cost cost)
{
    const struct imap_search_key *k = &one->s->cmd.search.keys[key];
    slice needle = one->s->work.search.folded[key];
    if (cost == IMAP_COST_INDEX)
        return search_tri(search_index_key(one->s, key, one->index));
    if (!one->has_meta) {
        one->has_meta = true;
        if (account_meta_read(one->s->store, one->s->sel.view->message[one->index], &one->arena,
                              &one->meta) != OK)
            one->bad = true;
    }
    if (one->bad)
        return IMAP_NO;
    if (cost == IMAP_COST_STORED)
        return search_tri(search_stored_key(one, key));
    if (!search_load(one, cost == IMAP_COST_HEADER ? one->meta.header_bytes : one->meta.bytes))
        return IMAP_NO;
    if (k->op == IMAP_KEY_HEADER)
        return search_tri(search_header_in(one, k->field, needle));
    return search_tri((k->op == IMAP_KEY_TEXT && search_header_in(one, (slice){0}, needle)) ||
                      search_body_in(one, needle));
}

/* Does the message match? Asks in rounds of rising cost and stops as soon as it is decided. *out_cost: the
 * dearest. */
static bool search_match(struct search_one *one, unsigned *out_cost)
{
    const struct imap_search *q = &one->s->cmd.search;
    uint8_t answers[IMAP_SEARCH_TERMS_MAX];
    enum imap_tri v = IMAP_UNKNOWN;
    memset(answers, IMAP_UNKNOWN, q->n);
    for (unsigned cost = 0; cost <= q->cost_max && v == IMAP_UNKNOWN; cost++) {
        bool asked = false;
        for (size_t i = 0; i < q->n; i++) {
            if (!imap_search_is_key(q->keys[i].op) || imap_search_cost(q->keys[i].op) != cost)
                continue;
            if (cost > IMAP_COST_INDEX && !imap_search_needs(q, answers, i))
                continue;
            answers[i] = (uint8_t)search_ask(one, i, (enum imap_search_cost)cost);
            asked = true;
        }
        if (asked)
            *out_cost = cost;
        v = imap_search_eval(q, answers);
    }
    return v == IMAP_YES;
}

/* --- the command */

void imap__search_done(struct imap_session *s)
{
    free(s->work.search.found);
    s->work.search.found = NULL;
}

static enum err search_begin(struct imap_session *s)
{
    struct imap_search_state *st = &s->work.search;
    struct imap_search *q = &s->cmd.search;
    struct buf folded CLEANUP(buf_done) = {0};
    st->folded = ARENA_ARRAY(&s->arena, q->n, slice);
    st->bits = ARENA_ARRAY(&s->arena, q->n, flag_set);
    if (!st->folded || !st->bits)
        return ERR_LIMIT;
    imap_search_resolve(q, imap_map_count(&s->sel.map), imap_map_last_uid(&s->sel.map));
    buf_init(&folded, (size_t)64 << 20);
    for (size_t i = 0; i < q->n; i++) {
        buf_clear(&folded);
        search_fold(q->keys[i].text, &folded);
        if (!arena_dup(&s->arena, buf_view(&folded), &st->folded[i]))
            return ERR_LIMIT;
        if (q->keys[i].op == IMAP_KEY_KEYWORD &&
            account_keyword(s->store, q->keys[i].text, false, &st->bits[i]) != OK)
            st->bits[i] = 0; /* nobody has it */
    }
    st->next = 1;
    st->begun = true;
    if (q->uses_modseq)
        s->caps |= IMAP_CAPS_CONDSTORE;
    return OK;
}

static void search_found(struct imap_session *s, size_t index)
{
    struct imap_search_state *st = &s->work.search;
    uint64_t modseq = s->sel.view->modseq[index];
    if (st->n == st->room) {
        st->room = st->room ? st->room * 2 : 256;
        st->found = realloc(st->found, st->room * sizeof *st->found);
        must(st->found);
    }
    st->found[st->n++] = s->sel.view->uid[index];
    st->modseq = modseq > st->modseq ? modseq : st->modseq;
}

/* RFC 9051 §6.4.4.1: what `$` means from now on. With MIN or MAX alone only those (RFC 5182 §2.4). */
static void search_save(struct imap_session *s)
{
    struct imap_search_state *st = &s->work.search;
    uint32_t returns = s->cmd.search.returns;
    bool ends =
        (returns & (IMAP_RETURN_MIN | IMAP_RETURN_MAX)) && !(returns & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT));
    struct imap_range *r = calloc(st->n ? st->n : 1, sizeof *r);
    size_t n = 0;
    must(r);
    for (size_t i = 0; i < st->n; i++) {
        bool first = i == 0 && (returns & IMAP_RETURN_MIN),
             last = i + 1 == st->n && (returns & IMAP_RETURN_MAX);
        if (ends && !first && !last)
            continue;
        if (n && r[n - 1].hi + 1 == st->found[i])
            r[n - 1].hi++;
        else
            r[n++] = (struct imap_range){st->found[i], st->found[i]};
    }
    free(s->sel.result.ranges);
    s->sel.result = (struct imap_set){.ranges = r, .n = n};
    s->sel.saved = true;
}

/* UID or sequence number of a result. A message that went meanwhile keeps its number until that is told. */
static uint32_t search_number(struct imap_session *s, size_t i)
{
    uint32_t uid = s->work.search.found[i];
    const struct mailbox_view *v = s->sel.view;
    size_t at = mailbox_view_at(v, uid);
    if (s->cmd.uid)
        return uid;
    return at < v->n && v->uid[at] == uid ? imap_map_seq(&s->sel.map, at) : 0;
}

static void search_write_plain(struct imap_session *s)
{
    struct imap_search_state *st = &s->work.search;
    (void)buf_str(&s->out, "* SEARCH"); /* out_max is far, here and below */
    for (size_t i = 0; i < st->n; i++) {
        uint32_t n = search_number(s, i);
        if (!n)
            continue;
        (void)buf_byte(&s->out, ' ');
        (void)buf_u64(&s->out, n);
    }
    if (s->cmd.search.uses_modseq && st->n)
        (void)buf_print(&s->out, " (MODSEQ %llu)", (unsigned long long)st->modseq);
    (void)buf_str(&s->out, "\r\n");
}

static void search_write_extended(struct imap_session *s, uint32_t returns)
{
    struct imap_search_state *st = &s->work.search;
    struct imap_set_writer w = {0};
    struct buf *b = &s->out; /* out_max is far */
    imap_search_write_head(b, s->cmd.tag, s->cmd.uid);
    if ((returns & IMAP_RETURN_MIN) && st->n)
        (void)buf_print(b, " MIN %u", search_number(s, 0));
    if ((returns & IMAP_RETURN_MAX) && st->n)
        (void)buf_print(b, " MAX %u", search_number(s, st->n - 1));
    if ((returns & IMAP_RETURN_COUNT))
        (void)buf_print(b, " COUNT %zu", st->n);
    if ((returns & IMAP_RETURN_ALL) && st->n) {
        (void)buf_str(b, " ALL ");
        for (size_t i = 0; i < st->n; i++) {
            uint32_t n = search_number(s, i);
            if (n)
                imap_set_put(&w, b, n);
        }
        imap_set_end(&w, b);
    }
    if (s->cmd.search.uses_modseq && st->n)
        (void)buf_print(b, " MODSEQ %llu", (unsigned long long)st->modseq);
    (void)buf_str(b, "\r\n");
}

static enum imap_step search_end(struct imap_session *s)
{
    const struct imap_search *q = &s->cmd.search;
    if (q->returns & IMAP_RETURN_SAVE)
        search_save(s);
    /* RFC 9051 §7.3.4: rev2 clients get ESEARCH always. SAVE alone asks for no answer. */
    if (q->extended && q->returns != IMAP_RETURN_SAVE)
        search_write_extended(s, q->returns);
    else if (!q->extended && imap__rev2(s))
        search_write_extended(s, IMAP_RETURN_ALL);
    else if (!q->extended)
        search_write_plain(s);
    imap__search_done(s);
    return imap__ok(s);
}

enum imap_step imap__search(struct imap_session *s)
{
    static const unsigned weights[IMAP_COST_COUNT] = {1, IMAP_STEP_ITEMS * 8 / SEARCH_STEP_CHEAP,
                                                      IMAP_STEP_ITEMS * 8 / SEARCH_STEP_DEAR,
                                                      IMAP_STEP_ITEMS * 8 / SEARCH_STEP_DEAR};
    struct imap_search_state *st = &s->work.search;
    struct search_one one = {.s = s};
    unsigned spent = 0;
    size_t known, i;
    if (!st->begun) {
        enum err e = search_begin(s);
        if (e != OK)
            return imap__no(s, e);
    }
    arena_init(&one.arena, "imap search", SEARCH_META_ARENA);
    buf_init(&one.body, SEARCH_BODY_MAX);
    known = imap_map_known(&s->sel.map);
    for (i = st->next ? mailbox_view_at(s->sel.view, st->next) : known;
         i < known && spent < IMAP_STEP_ITEMS * 8; i++) {
        unsigned cost = 0;
        one.index = i;
        if (search_match(&one, &cost))
            search_found(s, i);
        st->next = s->sel.view->uid[i] + 1;
        spent += weights[cost];
        if (one.has_meta) {
            arena_reset(&one.arena);
            buf_clear(&one.body);
            one.has_meta = one.bad = false;
            one.body_have = 0;
        }
    }
    arena_done(&one.arena);
    buf_done(&one.body);
    return i < known ? IMAP_STEP_AGAIN : search_end(s);
}
