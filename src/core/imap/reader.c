#include "core/imap/reader.h"

#include "base/secret.h"
#include "core/imap/lex.h"
#include "core/imap/parse.h"

/* Where the reader stands. Moves:
 *
 *   LINE     a line of a command -> LITERAL, APPEND_ASK, SKIP_*, or COMMAND and again LINE
 *   LITERAL  octets of a literal, kept -> LINE
 *   APPEND_ASK waits for imap_reader_append() -> APPEND_DATA, or LINE / SKIP_LITERAL when refused
 *   APPEND_DATA octets of a message, passed on -> APPEND_TAIL
 *   APPEND_TAIL what stands behind a message: the end, or the head of the next message -> LINE / APPEND_ASK
 *   SKIP_LITERAL, SKIP_LINE  the rest of what was refused -> LINE
 *   DEAD     after FATAL */
enum {
    READ_LINE,
    READ_LITERAL,
    READ_APPEND_ASK,
    READ_APPEND_DATA,
    READ_APPEND_TAIL,
    READ_SKIP_LITERAL,
    READ_SKIP_LINE,
    READ_DEAD
};

#define READ_KEEP_BYTES 65536 /* a buffer larger than this is given back after the command */

const struct imap_read_limits imap_read_limits_default = {
    .line_max = 65536, .literals_max = (size_t)16 << 20, .skip_max = (uint64_t)256 << 20};
const struct imap_read_limits imap_read_limits_login = {
    .line_max = 8192, .literals_max = 8192, .skip_max = 65536, .wipe = true};

void imap_reader_init(struct imap_reader *r, const struct imap_read_limits *limits)
{
    *r = (struct imap_reader){.limits = limits};
    buf_init(&r->text, limits->line_max + limits->literals_max);
}

static void reader_clear(struct imap_reader *r)
{
    if (r->limits->wipe && r->text.n)
        secret_wipe(r->text.p, r->text.n);
    if (r->text.cap > READ_KEEP_BYTES)
        buf_done(&r->text);
    else
        buf_clear(&r->text);
    r->literal_bytes = 0;
    r->clear_next = false;
}

void imap_reader_done(struct imap_reader *r)
{
    reader_clear(r);
    buf_done(&r->text);
}

void imap_reader_line_mode(struct imap_reader *r, bool on)
{
    r->line_mode = on;
}

bool imap_reader_idle(const struct imap_reader *r)
{
    return r->state == READ_LINE && (r->clear_next || !r->text.n);
}

static void reader_remember_tag(struct imap_reader *r)
{
    struct cursor c = cursor_of(buf_view(&r->text));
    slice tag;
    r->tag_n = 0;
    if (imap__tag(&c, &tag) != OK || cursor_peek(&c) != ' ')
        return;
    memcpy(r->tag, tag.p, tag.n);
    r->tag_n = (uint8_t)tag.n;
}

static slice reader_tag(const struct imap_reader *r)
{
    return slice_of(r->tag, r->tag_n);
}

static void reader_fatal(struct imap_reader *r, struct imap_read *out, const char *why)
{
    r->state = READ_DEAD;
    *out = (struct imap_read){.type = IMAP_READ_FATAL, .why = why};
}

/* Goes on behind a literal that was refused, if the client sends it all the same. */
static void reader_skip_literal(struct imap_reader *r, const struct imap_literal *l)
{
    reader_clear(r);
    r->tail_n = 0;
    r->cr = false;
    if (l->sync) {
        r->state = READ_LINE;
    } else {
        r->left = l->size;
        r->state = READ_SKIP_LITERAL;
    }
}

static void reader_bad(struct imap_reader *r, struct imap_read *out, const char *why, bool too_big)
{
    if (r->state != READ_APPEND_TAIL)
        reader_remember_tag(r);
    if (r->line_mode)
        r->tag_n = 0;
    *out = (struct imap_read){.type = IMAP_READ_BAD, .tag = reader_tag(r), .why = why, .too_big = too_big};
}

/* A literal ends the line, but it is not wanted. */
static void reader_bad_literal(struct imap_reader *r, const struct imap_literal *l, struct imap_read *out,
                               const char *why, bool too_big)
{
    reader_bad(r, out, why, too_big);
    if (!l->sync && l->size > r->limits->skip_max)
        reader_fatal(r, out, "that literal is too large");
    else
        reader_skip_literal(r, l);
}

/* A line of a command is whole and ends in a literal's announcement. */
static void reader_literal(struct imap_reader *r, const struct imap_literal *l, struct imap_read *out)
{
    struct cursor c = cursor_of(buf_view(&r->text));
    const char *why = "the command does not follow its grammar";
    struct imap_append_head head;
    slice tag;
    enum err e = ERR_MORE;
    bool append = r->state == READ_APPEND_TAIL;
    if (!append)
        append = imap__tag(&c, &tag) == OK && imap__sp(&c) && imap__keyword(&c, "APPEND");
    if (append)
        e = imap_append_head_parse(buf_view(&r->text), r->state == READ_LINE, true,
                                   &imap_parse_limits_default, NULL, &head, &why);
    if (e == OK) {
        bool first = r->state == READ_LINE;
        if (first)
            reader_remember_tag(r);
        r->wrapped = head.wrapped;
        r->left = l->size;
        r->sync = l->sync;
        r->state = READ_APPEND_ASK;
        *out = (struct imap_read){.type = IMAP_READ_APPEND,
                                  .text = buf_view(&r->text),
                                  .tag = reader_tag(r),
                                  .size = l->size,
                                  .binary = l->binary,
                                  .first = first,
                                  .sync = l->sync};
        return;
    }
    if (e != ERR_MORE || r->state == READ_APPEND_TAIL) {
        reader_bad_literal(r, l, out, why, false);
        return;
    }
    if (l->size > r->limits->literals_max - r->literal_bytes) {
        reader_bad_literal(r, l, out, "the literals of this command are too large", true);
        return;
    }
    r->left = l->size;
    r->state = READ_LITERAL;
    if (l->sync)
        *out = (struct imap_read){.type = IMAP_READ_CONTINUE};
}

/* A whole line stands at the end of text (CRLF included) from line_at on. False: nothing to tell yet. */
static bool reader_line_end(struct imap_reader *r, struct imap_read *out)
{
    slice line = slice_sub(buf_view(&r->text), 0, r->text.n - 2);
    struct imap_literal l;
    enum err e;
    if (r->line_mode) {
        *out = (struct imap_read){.type = IMAP_READ_LINE, .text = line};
        r->clear_next = true;
        return true;
    }
    e = imap__literal_at_end(line, &l);
    out->type = IMAP_READ_MORE;
    if (e == OK) {
        reader_literal(r, &l, out);
        return out->type != IMAP_READ_MORE;
    }
    if (e == ERR_SYNTAX) {
        reader_fatal(r, out, "a literal's size is no number");
        return true;
    }
    if (r->state == READ_APPEND_TAIL) {
        bool good = slice_eq(line, r->wrapped ? SLICE(")") : SLICE(""));
        if (!good)
            reader_bad(r, out, "nothing but another message may follow a message", false);
        else
            *out = (struct imap_read){.type = IMAP_READ_APPEND_END, .tag = reader_tag(r)};
        r->state = READ_LINE;
        reader_clear(r);
        return true;
    }
    *out = (struct imap_read){.type = IMAP_READ_COMMAND, .text = buf_view(&r->text)};
    r->clear_next = true;
    return true;
}

/* Index of the first byte that ends the run of ordinary bytes: LF, CR, NUL. */
static size_t reader_ordinary(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\n' || s.p[i] == '\r' || s.p[i] == 0)
            return i;
    return s.n;
}

static void reader_skip_rest(struct imap_reader *r)
{
    reader_clear(r);
    r->tail_n = 0;
    r->cr = false;
    r->state = READ_SKIP_LINE;
}

/* LINE and APPEND_TAIL: collect up to CRLF. True when there is something to tell. */
static bool reader_line(struct imap_reader *r, slice *in, struct imap_read *out)
{
    while (in->n) {
        size_t room = r->limits->line_max - (r->text.n - r->literal_bytes);
        size_t n = size_min(reader_ordinary(slice_sub(*in, 0, room)), in->n);
        int b;
        if (r->cr)
            n = 0; /* only LF may follow */
        if (n) {
            (void)buf_append(&r->text,
                             slice_sub(*in, 0, n)); /* line_max and literals_max are within its maximum */
            *in = slice_from(*in, n);
            room -= n;
        }
        if (!in->n)
            return false;
        if (!room) {
            reader_bad(r, out, "the command is too long", true);
            reader_skip_rest(r);
            return true;
        }
        b = in->p[0];
        if (r->cr && b != '\n') {
            reader_bad(r, out, "a bare CR is not allowed", false);
            reader_skip_rest(r);
            return true;
        }
        if (b == '\n' && !r->cr) {
            reader_bad(r, out, "lines end with CR and LF", false);
            *in = slice_from(*in, 1);
            reader_clear(r);
            r->state = READ_LINE;
            return true;
        }
        if (b == 0) {
            reader_bad(r, out, "a NUL is not allowed in a command", false);
            reader_skip_rest(r);
            return true;
        }
        (void)buf_byte(&r->text, (uint8_t)b); /* as above */
        *in = slice_from(*in, 1);
        r->cr = b == '\r';
        if (b == '\n' && reader_line_end(r, out))
            return true;
        if (r->state != READ_LINE && r->state != READ_APPEND_TAIL)
            return false;
    }
    return false;
}

/* True when there is something to tell. */
static bool reader_take_literal(struct imap_reader *r, slice *in, struct imap_read *out)
{
    slice s = slice_sub(*in, 0, r->left < in->n ? (size_t)r->left : in->n);
    size_t nul = slice_index(s, 0);
    if (nul < s.n) {
        reader_bad(r, out, "a NUL is not allowed in a command", false);
        r->state = READ_SKIP_LITERAL;
        reader_clear(r);
        r->tail_n = 0;
        return true;
    }
    (void)buf_append(&r->text, s); /* within its maximum */
    r->literal_bytes += s.n;
    r->left -= s.n;
    *in = slice_from(*in, s.n);
    if (!r->left)
        r->state = READ_LINE;
    return false;
}

static bool reader_message(struct imap_reader *r, slice *in, struct imap_read *out)
{
    slice s = slice_sub(*in, 0, r->left < in->n ? (size_t)r->left : in->n);
    if (!r->left) {
        *out = (struct imap_read){.type = IMAP_READ_DATA_END};
        r->state = READ_APPEND_TAIL;
        r->cr = false;
        reader_clear(r);
        return true;
    }
    if (!s.n)
        return false;
    *out = (struct imap_read){.type = IMAP_READ_DATA, .data = s};
    r->left -= s.n;
    *in = slice_from(*in, s.n);
    return true;
}

/* Keeps the last bytes of a skipped line: it may announce a literal, which is then skipped too. */
static void reader_tail(struct imap_reader *r, slice s)
{
    size_t keep;
    s = slice_from(s, s.n > sizeof r->tail ? s.n - sizeof r->tail : 0);
    keep = size_min(r->tail_n, sizeof r->tail - s.n);
    memmove(r->tail, r->tail + r->tail_n - keep, keep);
    if (s.n)
        memcpy(r->tail + keep, s.p, s.n);
    r->tail_n = (uint8_t)(keep + s.n);
}

static bool reader_skip_line(struct imap_reader *r, slice *in, struct imap_read *out)
{
    size_t end = slice_index(*in, '\n');
    struct imap_literal l;
    slice tail;
    reader_tail(r, slice_sub(*in, 0, end));
    if (end == in->n) {
        *in = slice_from(*in, end);
        return false;
    }
    *in = slice_from(*in, end + 1);
    tail = slice_of(r->tail, r->tail_n);
    if (tail.n && tail.p[tail.n - 1] == '\r')
        tail.n--;
    r->tail_n = 0;
    r->state = READ_LINE;
    if (imap__literal_at_end(tail, &l) != OK || l.sync)
        return false;
    if (l.size > r->limits->skip_max) {
        reader_fatal(r, out, "that literal is too large");
        return true;
    }
    reader_skip_literal(r, &l);
    return false;
}

/* One move. True when there is something to tell. */
static bool reader_step(struct imap_reader *r, slice *in, struct imap_read *out)
{
    size_t n;
    switch (r->state) {
    case READ_LINE:
    case READ_APPEND_TAIL:
        return reader_line(r, in, out);
    case READ_LITERAL:
        return reader_take_literal(r, in, out);
    case READ_APPEND_DATA:
        return reader_message(r, in, out);
    case READ_SKIP_LINE:
        return reader_skip_line(r, in, out);
    case READ_SKIP_LITERAL:
        n = r->left < in->n ? (size_t)r->left : in->n;
        *in = slice_from(*in, n);
        r->left -= n;
        if (!r->left)
            r->state = READ_SKIP_LINE;
        return false;
    default:
        *in = slice_from(*in, in->n); /* DEAD: nothing matters any more */
        return false;
    }
}

/* Of an APPEND that nobody wants, only the end is told. */
static bool reader_filter(struct imap_reader *r, struct imap_read *ev)
{
    if (!r->dropping)
        return true;
    if (ev->type == IMAP_READ_DATA || ev->type == IMAP_READ_DATA_END)
        return false;
    if (ev->type == IMAP_READ_APPEND && !ev->sync) {
        imap_reader_append(r, true);
        return false;
    }
    if (ev->type == IMAP_READ_APPEND)
        imap_reader_append(r, false);
    if (ev->type != IMAP_READ_FATAL)
        *ev = (struct imap_read){.type = IMAP_READ_APPEND_END, .tag = reader_tag(r)};
    r->dropping = false;
    return true;
}

void imap_reader_next(struct imap_reader *r, slice *in, struct imap_read *out)
{
    struct imap_read ev = {.type = IMAP_READ_MORE};
    bool tell = false;
    if (r->clear_next)
        reader_clear(r);
    while (!tell && r->state != READ_APPEND_ASK && (in->n || (r->state == READ_APPEND_DATA && !r->left)))
        tell = reader_step(r, in, &ev) && reader_filter(r, &ev);
    if (!tell)
        ev = (struct imap_read){.type = IMAP_READ_MORE};
    *out = ev;
}

void imap_reader_append(struct imap_reader *r, bool accept)
{
    struct imap_literal l = {.size = r->left, .sync = r->sync};
    if (r->state != READ_APPEND_ASK)
        return;
    reader_clear(r);
    if (accept) {
        r->state = READ_APPEND_DATA;
    } else if (!l.sync && l.size > r->limits->skip_max) {
        r->state = READ_DEAD; /* the caller has said NO; reading past it would take for ever */
    } else {
        reader_skip_literal(r, &l);
    }
}

void imap_reader_append_drop(struct imap_reader *r)
{
    r->dropping = r->state == READ_APPEND_DATA || r->state == READ_APPEND_TAIL;
}
