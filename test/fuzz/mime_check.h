/* mime_check: what must hold of every message whatever its bytes: used by the fuzz target and by the unit
 * tests that run over published messages. */
#ifndef POSTHORN_TEST_FUZZ_MIME_CHECK_H
#define POSTHORN_TEST_FUZZ_MIME_CHECK_H

#include "core/mail/mail_text.h"
#include "core/mail/message.h"
#include "core/mail/mime.h"
#include "text/utf8.h"

/* The stored texts are one balanced list each: parentheses outside strings match, literals lie inside. */
static inline void mime_check_list(slice s)
{
    size_t depth = 0;
    must(s.n >= 2 && s.p[0] == '(');
    while (s.n) {
        uint8_t c = s.p[0];
        s = slice_from(s, 1);
        must(c >= 32 && c < 127);
        if (c == '(') {
            depth++;
        } else if (c == ')') {
            must(depth > 0);
            depth--;
            must(depth > 0 || s.n == 0);
        } else if (c == '"') {
            size_t i = 0;
            while (i < s.n && s.p[i] != '"') {
                i += s.p[i] == '\\' ? 2 : 1;
                must(i < s.n && (s.p[i] == '\t' || (s.p[i] >= 32 && s.p[i] < 127)));
            }
            must(i < s.n);
            s = slice_from(s, i + 1);
        } else if (c == '{') {
            uint64_t n;
            size_t i = slice_index(s, '}');
            must(slice_u64(slice_sub(s, 0, i), &n) && s.n >= i + 3 + n && s.p[i + 1] == '\r' &&
                 s.p[i + 2] == '\n');
            must(!slice_has(slice_sub(s, i + 3, i + 3 + (size_t)n), 0));
            s = slice_from(s, i + 3 + (size_t)n);
        }
    }
    must(depth == 0);
}

static inline void mime_check_tree(const struct part_table *t, uint64_t bytes,
                                   const struct mail_limits *limits)
{
    must(t->n >= 1 && t->n <= size_max(limits->parts, 1));
    must(t->at[0].parent == PART_NONE && t->at[0].header_at == 0);
    must(t->at[0].header_bytes + t->at[0].body_bytes == bytes);
    for (size_t i = 0; i < t->n; i++) {
        const struct part_entry *p = &t->at[i];
        must(p->body_at == p->header_at + p->header_bytes);
        must(p->lines <= p->body_bytes);
        if (i) {
            const struct part_entry *above = &t->at[p->parent];
            must(p->parent < i);
            must(p->header_at >= above->body_at);
            must(p->body_at + p->body_bytes <= above->body_at + above->body_bytes);
        }
        if (p->next != PART_NONE)
            must(p->next > i && t->at[p->next].header_at >= p->body_at + p->body_bytes);
        must((p->first_child == PART_NONE) || p->kind != PART_LEAF);
        must(p->kind != PART_MESSAGE || p->first_child != PART_NONE);
    }
}

static inline bool mime_check_text(void *arg, const struct part_entry *part, slice utf8)
{
    size_t *total = arg;
    (void)part;
    must(utf8_valid(utf8));
    *total += utf8.n;
    return true;
}

static inline void mime_check_same(const struct mail_summary *a, const struct mail_summary *b)
{
    must(slice_eq(a->envelope, b->envelope) && slice_eq(a->body, b->body));
    must(slice_eq(a->bodystructure, b->bodystructure) && slice_eq(a->part_table, b->part_table));
    must(slice_eq(a->subject, b->subject) && slice_eq(a->preview, b->preview));
    must(a->defects == b->defects && a->header_bytes == b->header_bytes && a->lines == b->lines);
}

/* Reads the message whole and in pieces of cut bytes; checks both and that they are the same. */
static inline void mime_check(slice message, size_t cut, const struct mail_limits *limits)
{
    enum { PIECES = 4096 };
    static slice pieces[PIECES];
    struct arena one, two;
    struct mail_summary a, b;
    struct part_table back;
    size_t n = 0, total = 0;
    arena_init(&one, "whole", MAIL_SUMMARY_ARENA_MAX);
    arena_init(&two, "pieces", MAIL_SUMMARY_ARENA_MAX);
    must(mail_summarise(&message, 1, limits, &one, &a) == OK);
    must(a.bytes == message.n);
    mime_check_list(a.envelope);
    mime_check_list(a.body);
    mime_check_list(a.bodystructure);
    mime_check_tree(&a.parts, message.n, limits);
    must(utf8_valid(a.subject) && utf8_valid(a.preview) && utf8_valid(a.base_subject));
    must(part_table_decode(a.part_table, message.n, &one, &back) == OK && back.n == a.parts.n);
    for (size_t i = 0; i < back.n; i++) {
        const struct part_entry *x = &back.at[i], *y = &a.parts.at[i];
        must(x->parent == y->parent && x->first_child == y->first_child && x->next == y->next &&
             x->kind == y->kind);
        must(x->header_at == y->header_at && x->body_at == y->body_at && x->body_bytes == y->body_bytes);
        must(x->cte == y->cte && x->attachment == y->attachment && x->lines == y->lines);
        must(slice_eq(x->type, y->type) && slice_eq(x->charset, y->charset));
    }
    must(mail_text_each(&message, 1, &a.parts, 100000, mime_check_text, &total) == OK && total <= 100000);
    cut = size_max(cut, message.n / (PIECES - 1) + 1);
    for (size_t at = 0; at < message.n; at += cut)
        pieces[n++] = slice_sub(message, at, at + cut);
    must(mail_summarise(pieces, n, limits, &two, &b) == OK);
    mime_check_same(&a, &b);
    arena_done(&one);
    arena_done(&two);
}

#endif
