/* imap_section: BODY[...], BINARY[...] and RFC822.* of one message: found in the part table, read from the
 * store by range. Plain sections are streamed; selected header fields and decoded parts are made in memory
 * first. */
#include "proc/account/imap__.h"

#include "core/mail/header.h"

#define SECTION_MEMORY_MAX ((size_t)192 << 20) /* a decoded part, a header */

static enum err section_body(struct imap_session *s)
{
    struct imap_fetch_state *f = &s->work.fetch;
    return f->body ? OK : account_body_open(s->store, f->message, &f->body);
}

/* Where the section lies in the message. ERR_NOT_FOUND: the message has no such part. */
static enum err section_find(struct imap_session *s, const struct imap_section *sec, struct part_range *out)
{
    static const enum part_what whats[] = {
        [IMAP_WHAT_ALL] = PART_BODY,      [IMAP_WHAT_HEADER] = PART_HEADER,
        [IMAP_WHAT_FIELDS] = PART_HEADER, [IMAP_WHAT_FIELDS_NOT] = PART_HEADER,
        [IMAP_WHAT_TEXT] = PART_TEXT,     [IMAP_WHAT_MIME] = PART_MIME};
    struct imap_fetch_state *f = &s->work.fetch;
    enum part_what what = whats[sec->what];
    enum err e = section_body(s);
    if (e != OK)
        return e;
    if (!sec->part_n && what == PART_BODY) {
        *out = (struct part_range){.bytes = account_body_bytes(f->body)};
        return OK;
    }
    if (!f->parts.n)
        e = part_table_decode(f->part_table, account_body_bytes(f->body), &f->arena, &f->parts);
    return e == OK ? part_table_find(&f->parts, sec->part, sec->part_n, what, out) : e;
}

static enum err section_read(struct imap_session *s, struct part_range r, struct buf *out)
{
    while (r.bytes) {
        slice piece;
        enum err e = account_body_read(s->work.fetch.body, r.at, r.bytes, &piece);
        if (e == OK && !piece.n)
            e = ERR_CORRUPT;
        if (e == OK)
            e = buf_append(out, piece);
        if (e != OK)
            return e;
        r.at += piece.n;
        r.bytes -= piece.n;
    }
    return OK;
}

/* The part of a value that <offset.count> asks for (RFC 9051 §6.4.5.1). */
static slice section_partial(const struct imap_section *sec, slice v)
{
    return sec->partial ? slice_sub(v, sec->offset, (size_t)sec->offset + sec->count) : v;
}

static void section_name(struct imap_session *s, const struct imap_section *sec)
{
    if (!s->work.fetch.first_item)
        (void)buf_byte(&s->out, ' '); /* out_max is far, here and below */
    s->work.fetch.first_item = false;
    imap_section_write(&s->out, sec);
    (void)buf_byte(&s->out, ' ');
}

static void section_value(struct imap_session *s, const struct imap_section *sec, slice v)
{
    v = section_partial(sec, v);
    /* literal8 only where a NUL makes it necessary (RFC 3516 §4.2) */
    if (sec->kind == IMAP_SECTION_BINARY && slice_has(v, 0))
        (void)buf_byte(&s->out, '~');
    (void)buf_print(&s->out, "{%zu}\r\n", v.n);
    (void)buf_append(&s->out, v);
}

static enum err section_fields(struct imap_session *s, const struct imap_section *sec, struct part_range r)
{
    struct buf header CLEANUP(buf_done) = {0}, chosen CLEANUP(buf_done) = {0};
    enum err e;
    buf_init(&header, SECTION_MEMORY_MAX);
    buf_init(&chosen, SECTION_MEMORY_MAX);
    e = section_read(s, r, &header);
    if (e == OK)
        e = header_select(buf_view(&header), sec->fields, sec->fields_n, sec->what == IMAP_WHAT_FIELDS_NOT,
                          &chosen);
    if (e == OK) {
        section_name(s, sec);
        section_value(s, sec, buf_view(&chosen));
    }
    return e;
}

/* BINARY and BINARY.SIZE: transfer encoding undone (RFC 3516 §4.2, §4.3). */
static enum err section_binary(struct imap_session *s, const struct imap_section *sec, struct part_range r)
{
    struct buf raw CLEANUP(buf_done) = {0}, plain CLEANUP(buf_done) = {0};
    enum part_cte cte = r.part && sec->part_n ? r.part->cte : PART_CTE_BINARY;
    enum err e;
    buf_init(&raw, SECTION_MEMORY_MAX);
    buf_init(&plain, SECTION_MEMORY_MAX);
    if (cte == PART_CTE_UNKNOWN)
        return ERR_UNSUPPORTED;
    e = section_read(s, r, &raw);
    if (e == OK)
        e = part_decode(cte, buf_view(&raw), &plain);
    if (e != OK)
        return e;
    section_name(s, sec);
    if (sec->kind == IMAP_SECTION_BINARY_SIZE)
        (void)buf_u64(&s->out, plain.n); /* out_max is far */
    else
        section_value(s, sec, buf_view(&plain));
    return OK;
}

/* Announces the literal; imap__sections() then streams it. The first bytes are read before, so that what
 * cannot be read is found while it can still be said. */
static enum err section_stream(struct imap_session *s, const struct imap_section *sec, struct part_range r)
{
    struct imap_fetch_state *f = &s->work.fetch;
    slice piece;
    enum err e = OK;
    if (sec->partial) {
        uint64_t skip = sec->offset < r.bytes ? sec->offset : r.bytes;
        r.at += skip;
        r.bytes -= skip;
        r.bytes = sec->count < r.bytes ? sec->count : r.bytes;
    }
    if (r.bytes)
        e = account_body_read(f->body, r.at, r.bytes, &piece);
    if (e != OK)
        return e;
    section_name(s, sec);
    (void)buf_print(&s->out, "{%llu}\r\n", (unsigned long long)r.bytes); /* out_max is far */
    f->sending = true;
    f->at = r.at;
    f->left = r.bytes;
    return OK;
}

static void section_begin(struct imap_session *s, const struct imap_section *sec)
{
    struct part_range r;
    enum err e = section_find(s, sec, &r);
    if (e == OK && sec->kind != IMAP_SECTION_BODY)
        e = section_binary(s, sec, r);
    else if (e == OK && sec->fields_n)
        e = section_fields(s, sec, r);
    else if (e == OK)
        e = section_stream(s, sec, r);
    if (e == OK)
        return;
    if (e != ERR_NOT_FOUND)
        s->work.fetch.damaged = true;
    section_name(s, sec);
    (void)buf_str(&s->out, sec->kind == IMAP_SECTION_BINARY_SIZE ? "0" : "NIL"); /* out_max is far */
}

/* False: the output is full. */
static bool section_send(struct imap_session *s)
{
    struct imap_fetch_state *f = &s->work.fetch;
    while (f->left) {
        slice piece;
        if (imap__full(s))
            return false;
        if (account_body_read(f->body, f->at, f->left, &piece) != OK || !piece.n) {
            s->broken = true; /* the literal's length is promised: nothing else can be said any more */
            return false;
        }
        (void)buf_append(&s->out, piece); /* out_max is far */
        f->at += piece.n;
        f->left -= piece.n;
    }
    f->sending = false;
    return true;
}

bool imap__sections(struct imap_session *s)
{
    struct imap_fetch_state *f = &s->work.fetch;
    const struct imap_fetch_args *a = &s->cmd.fetch;
    for (;;) {
        if (f->sending && !section_send(s))
            return false;
        if (f->section == a->sections_n)
            return true;
        if (imap__full(s))
            return false;
        section_begin(s, &a->sections[f->section++]);
    }
}
