/* Replies: their framing (RFC 5321 §4.2.1, RFC 2034), and their order when RCPTs were asked ahead. */
#include "core/smtp/server__.h"

#include <stdlib.h>

#define LINE_TEXT_MAX 480 /* RFC 5321 §4.5.3.1.5: 512 with code, status and CRLF */

static void print_line(struct buf *out, int code, bool last, const char *status, slice text)
{
    uint8_t *p;
    uint8_t head[4] = {(uint8_t)('0' + code / 100), (uint8_t)('0' + code / 10 % 10),
                       (uint8_t)('0' + code % 10), last ? ' ' : '-'};
    (void)buf_append(out, slice_of(head, sizeof head));
    if (status) {
        (void)buf_str(out, status);
        (void)buf_byte(out, ' ');
    }
    p = buf_reserve(out, text.n);
    must(p); /* smtp_server_new() made room for every reply that can wait */
    for (size_t i = 0; i < text.n; i++)
        p[i] = text.p[i] >= ' ' && text.p[i] <= '~' ? text.p[i] : '?';
    buf_commit(out, text.n);
    (void)buf_append(out, SLICE("\r\n"));
    must(!buf_failed(out));
}

void smtp__print_reply(struct buf *out, int code, const char *status, slice text)
{
    text = slice_sub(text, 0, SMTP_REPLY_TEXT_MAX);
    for (unsigned lines = 0;; lines++) {
        slice line;
        bool more = slice_split(text, '\n', &line, &text);
        if (line.n > LINE_TEXT_MAX) {
            text = slice_of(line.p + LINE_TEXT_MAX, line.n + text.n + more - LINE_TEXT_MAX);
            line.n = LINE_TEXT_MAX;
            more = true;
        }
        if (lines == 15)
            more = false;
        print_line(out, code, !more, status, line);
        if (!more)
            return;
    }
}

/* Rings of slots. */

static struct smtp_slot *slot_at(struct smtp_server *s, size_t i)
{
    return &s->slots[(s->slot_first + i) % SMTP_SERVER_AHEAD];
}

struct smtp_slot *smtp__slot_add(struct smtp_server *s)
{
    struct smtp_slot *slot;
    if (s->slot_n == SMTP_SERVER_AHEAD)
        return NULL;
    if (!s->slots) {
        s->slots = calloc(SMTP_SERVER_AHEAD, sizeof *s->slots);
        must(s->slots);
        for (size_t i = 0; i < SMTP_SERVER_AHEAD; i++)
            buf_init(&s->slots[i].reply, 4 * SMTP_REPLY_TEXT_MAX);
    }
    slot = slot_at(s, s->slot_n++);
    slot->token = 0;
    slot->ready = false;
    slot->not_before = 0;
    buf_clear(&slot->reply);
    return slot;
}

struct smtp_slot *smtp__slot_find(struct smtp_server *s, uint32_t token)
{
    for (size_t i = 0; i < s->slot_n; i++)
        if (slot_at(s, i)->token == token)
            return slot_at(s, i);
    return NULL;
}

void smtp__slots_flush(struct smtp_server *s)
{
    while (s->slot_n) {
        struct smtp_slot *slot = slot_at(s, 0);
        if (!slot->ready || slot->not_before > s->now)
            return;
        must(buf_append(&s->out, buf_view(&slot->reply)) == OK);
        s->slot_first = (s->slot_first + 1) % SMTP_SERVER_AHEAD;
        s->slot_n--;
    }
}

void smtp__slots_done(struct smtp_server *s)
{
    for (size_t i = 0; s->slots && i < SMTP_SERVER_AHEAD; i++)
        buf_done(&s->slots[i].reply);
    free(s->slots);
    s->slots = NULL;
    s->slot_n = 0;
}

void smtp__reply(struct smtp_server *s, int code, const char *status, slice text)
{
    struct smtp_slot *slot;
    if (s->slot_n == 0) {
        smtp__print_reply(&s->out, code, status, text);
        return;
    }
    slot = smtp__slot_add(s);
    if (!slot) /* only the last words of a session that ends: what the full ring still owes is not owed more
                */
        return;
    slot->ready = true;
    smtp__print_reply(&slot->reply, code, status, text);
}

void smtp__refuse(struct smtp_server *s, int code, const char *status, slice text)
{
    smtp__reply(s, code, status, text);
    if (++s->errors >= s->config.limits->errors)
        smtp__end(s, SMTP_REFUSED_ERRORS, 421, "4.7.0", SLICE("Too many refused commands. Closing."));
}
