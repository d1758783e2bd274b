/* imap_fetch: FETCH (RFC 9051 §6.4.5, §7.5.2). What needs no body is written at once; sections are sent piece
 * by piece (imap_section.c), so that neither a large mailbox nor a large message is ever in memory as a
 * whole. */
#include "proc/account/imap__.h"

#define FETCH_MESSAGE_ARENA ((size_t)64 << 20) /* record of one message: envelope, structure, part table */
#define FETCH_STORED        (IMAP_FETCH_ENVELOPE | IMAP_FETCH_BODY | IMAP_FETCH_BODYSTRUCTURE | IMAP_FETCH_THREADID)

static void fetch_message_done(struct imap_fetch_state *f)
{
    account_body_close(&f->body);
    arena_reset(&f->arena);
    f->parts = (struct part_table){0};
    f->part_table = (slice){0};
    f->in_message = f->sending = false;
    f->section = 0;
}

void imap__fetch_done(struct imap_session *s)
{
    if (!s->work.fetch.begun)
        return;
    fetch_message_done(&s->work.fetch);
    arena_done(&s->work.fetch.arena);
}

static bool fetch_needs_meta(const struct imap_fetch_args *a)
{
    bool need = (a->items & FETCH_STORED) != 0;
    for (size_t i = 0; i < a->sections_n; i++) {
        const struct imap_section *sec = &a->sections[i];
        need |= sec->kind != IMAP_SECTION_BODY || sec->part_n || sec->what != IMAP_WHAT_ALL;
    }
    return need;
}

static bool fetch_sets_seen(const struct imap_session *s)
{
    const struct imap_fetch_args *a = &s->cmd.fetch;
    for (size_t i = 0; i < a->sections_n && !s->sel.read_only; i++)
        if (!a->sections[i].peek)
            return true;
    return false;
}

/* Looks ahead: the next messages become \Seen in one transaction, durable before their bodies are sent. */
static void fetch_mark_seen(struct imap_session *s)
{
    struct imap_fetch_state *f = &s->work.fetch;
    struct imap_walk ahead = f->walk;
    struct flag_change change = {.op = FLAGS_ADD, .flags = FLAG_SEEN, .unchanged_since = UINT64_MAX};
    struct uid_range ranges[IMAP_SEEN_BLOCK];
    uint64_t modseq = 0;
    uint32_t seq;
    size_t index;
    f->seen_n = f->block = 0;
    while (f->block < IMAP_SEEN_BLOCK && imap__walk_next(s, &ahead, &index, &seq)) {
        uint32_t uid = s->sel.view->uid[index];
        f->block++;
        if (s->sel.view->flags[index] & FLAG_SEEN)
            continue;
        ranges[f->seen_n] = (struct uid_range){uid, uid};
        f->seen[f->seen_n++] = uid;
    }
    if (!f->seen_n)
        return;
    if (account_flags(s->store, s->sel.mailbox, (struct uid_set){ranges, f->seen_n}, &change, &modseq,
                      NULL) != OK)
        f->seen_n = 0; /* reading goes on: a full disk must not keep anybody from his mail */
    imap__told(s);
}

static bool fetch_was_seen_now(const struct imap_fetch_state *f, uint32_t uid)
{
    for (size_t i = 0; i < f->seen_n; i++)
        if (f->seen[i] == uid)
            return true;
    return false;
}

static void fetch_space(struct imap_session *s)
{
    if (!s->work.fetch.first_item)
        (void)buf_byte(&s->out, ' '); /* out_max is far, here and below */
    s->work.fetch.first_item = false;
}

static void fetch_number(struct imap_session *s, slice name, uint64_t v)
{
    fetch_space(s);
    (void)buf_append(&s->out, name);
    (void)buf_u64(&s->out, v);
}

static void fetch_text(struct imap_session *s, slice name, slice text)
{
    fetch_space(s);
    (void)buf_append(&s->out, name);
    (void)buf_append(&s->out, text.n ? text : SLICE("NIL"));
}

/* INTERNALDATE, UTC. The day's part is made once for all messages of it. */
static void fetch_date(struct imap_session *s, uint32_t date)
{
    struct imap_fetch_state *f = &s->work.fetch;
    uint32_t day = date / 86400, rest = date % 86400;
    uint8_t clock[] = "00:00:00 +0000\"";
    if (f->day != day || !f->day_text[0]) {
        struct buf text;
        buf_init(&text, 64);
        imap_write_date_time(&text, (time_ms)day * 86400 * MS_SECOND, 0);
        must(text.n == sizeof f->day_text + sizeof clock - 1); /* years up to 2106 have four digits */
        memcpy(f->day_text, text.p, sizeof f->day_text);
        f->day = day;
        buf_done(&text);
    }
    for (size_t i = 0, v[3] = {rest / 3600, rest / 60 % 60, rest % 60}; i < 3; i++) {
        clock[3 * i] = (uint8_t)('0' + v[i] / 10);
        clock[3 * i + 1] = (uint8_t)('0' + v[i] % 10);
    }
    fetch_space(s);
    (void)buf_append(&s->out, SLICE("INTERNALDATE ")); /* out_max is far, here and below */
    (void)buf_append(&s->out, slice_of(f->day_text, sizeof f->day_text));
    (void)buf_append(&s->out, slice_of(clock, sizeof clock - 1));
}

/* What the view knows. */
static void fetch_view_items(struct imap_session *s, size_t i, uint32_t items)
{
    const struct mailbox_view *v = s->sel.view;
    if (items & IMAP_FETCH_UID)
        fetch_number(s, SLICE("UID "), v->uid[i]);
    if ((items & IMAP_FETCH_FLAGS) || fetch_was_seen_now(&s->work.fetch, v->uid[i])) {
        fetch_space(s);
        imap__write_flags_item(s, i);
    }
    if (items & IMAP_FETCH_INTERNALDATE)
        fetch_date(s, v->date[i]);
    if (items & IMAP_FETCH_SIZE)
        fetch_number(s, SLICE("RFC822.SIZE "), v->bytes[i]);
    if (items & IMAP_FETCH_MODSEQ) {
        fetch_number(s, SLICE("MODSEQ ("), v->modseq[i]);
        (void)buf_byte(&s->out, ')');
    }
    if (items & IMAP_FETCH_EMAILID) {
        fetch_number(s, SLICE("EMAILID (E"), v->message[i]);
        (void)buf_byte(&s->out, ')');
    }
}

static void fetch_meta_items(struct imap_session *s, const struct message_meta *m, uint32_t items)
{
    if (items & IMAP_FETCH_THREADID) {
        fetch_number(s, SLICE("THREADID (T"), m->thread);
        (void)buf_byte(&s->out, ')');
    }
    if (items & IMAP_FETCH_ENVELOPE)
        fetch_text(s, SLICE("ENVELOPE "), m->envelope);
    if (items & IMAP_FETCH_BODY)
        fetch_text(s, SLICE("BODY "), m->body);
    if (items & IMAP_FETCH_BODYSTRUCTURE)
        fetch_text(s, SLICE("BODYSTRUCTURE "), m->bodystructure);
}

static void fetch_message(struct imap_session *s, size_t index, uint32_t seq)
{
    struct imap_fetch_state *f = &s->work.fetch;
    const struct imap_fetch_args *a = &s->cmd.fetch;
    const struct mailbox_view *v = s->sel.view;
    struct message_meta meta;
    uint32_t items = a->items;
    if (s->caps & IMAP_CAPS_CONDSTORE && items & IMAP_FETCH_FLAGS)
        items |= IMAP_FETCH_MODSEQ;
    f->message = v->message[index];
    if (f->needs_meta) {
        if (account_meta_read(s->store, f->message, &f->arena, &meta) != OK) {
            f->damaged = true; /* this message is left out; the others are not touched */
            fetch_message_done(f);
            return;
        }
        f->part_table = meta.part_table;
    }
    (void)buf_append(&s->out, SLICE("* ")); /* out_max is far */
    (void)buf_u64(&s->out, seq);
    (void)buf_append(&s->out, SLICE(" FETCH ("));
    f->first_item = true;
    fetch_view_items(s, index, items);
    if (f->needs_meta)
        fetch_meta_items(s, &meta, items);
    if (a->sections_n) {
        f->in_message = true;
        return;
    }
    (void)buf_append(&s->out, SLICE(")\r\n"));
    if (f->needs_meta)
        fetch_message_done(f);
}

static enum imap_step fetch_end(struct imap_session *s)
{
    struct imap_fetch_state *f = &s->work.fetch;
    bool damaged = f->damaged, ghosts = f->walk.ghosts;
    imap__fetch_done(s);
    if (damaged)
        return imap__reply(s, "NO", "CORRUPTION", "some of the messages are damaged and could not be read");
    if (ghosts)
        return imap__reply(s, "OK", "EXPUNGEISSUED", "some of the messages were gone");
    return imap__ok(s);
}

enum imap_step imap__fetch(struct imap_session *s)
{
    struct imap_fetch_state *f = &s->work.fetch;
    const struct imap_fetch_args *a = &s->cmd.fetch;
    size_t index;
    uint32_t seq;
    if (!f->begun) {
        struct imap_walk walk;
        if (imap__walk_begin(s, &walk) != OK)
            return imap__reply(s, "BAD", NULL, "there is no such message");
        *f = (struct imap_fetch_state){
            .walk = walk, .begun = true, .needs_meta = fetch_needs_meta(a), .sets_seen = fetch_sets_seen(s)};
        arena_init(&f->arena, "imap fetch", FETCH_MESSAGE_ARENA);
        if (a->items & IMAP_FETCH_MODSEQ)
            s->caps |= IMAP_CAPS_CONDSTORE; /* RFC 7162 §3.1 */
        if (account_keyword_count(s->store) != s->sel.keywords)
            imap__write_flags_response(s);
    }
    for (unsigned n = 0;; n++) {
        if (f->in_message) {
            if (!imap__sections(s))
                return IMAP_STEP_AGAIN;
            (void)buf_append(&s->out, SLICE(")\r\n")); /* out_max is far */
            fetch_message_done(f);
        }
        if (imap__full(s) || n >= IMAP_STEP_ITEMS)
            return IMAP_STEP_AGAIN;
        if (f->sets_seen && !f->block)
            fetch_mark_seen(s);
        if (!imap__walk_next(s, &f->walk, &index, &seq))
            return fetch_end(s);
        f->block -= f->block > 0;
        if (a->changed_since && s->sel.view->modseq[index] <= a->since)
            continue;
        fetch_message(s, index, seq);
    }
}
