/* Canonical forms, hashed on the way. The work is done on runs: what needs no change is found by a loop over
 * blocks that compilers turn into vector instructions, and goes to the hash where it lies. */
#include "core/dkim/dkim_parts.h"

/* --- the sink --- */

static void sink_flush(struct dkim_sink *s)
{
    digest_stream_update(&s->hash, slice_of(s->room, s->n));
    s->n = 0;
}

static void sink_put(struct dkim_sink *s, slice bytes)
{
    if (bytes.n > DKIM_SINK_ROOM - s->n)
        sink_flush(s);
    if (bytes.n > DKIM_SINK_ROOM / 4) {
        sink_flush(s);
        digest_stream_update(&s->hash, bytes);
    } else if (bytes.n) {
        memcpy(s->room + s->n, bytes.p, bytes.n);
        s->n += bytes.n;
    }
}

static void sink_byte(struct dkim_sink *s, uint8_t c)
{
    if (s->n == DKIM_SINK_ROOM)
        sink_flush(s);
    s->room[s->n++] = c;
}

static void sink_begin(struct dkim_sink *s)
{
    s->n = 0;
    digest_stream_init(&s->hash);
}

static void sink_end(struct dkim_sink *s, uint8_t out[DIGEST_SHA256_SIZE])
{
    sink_flush(s);
    digest_stream_final(&s->hash, out);
}

/* --- bodies --- */

void dkim_body_hash_begin(struct dkim_body_hash *h, enum dkim_canon canon)
{
    sink_begin(&h->sink);
    h->canon = canon;
    h->held = 0;
    h->held_cr = h->blank = h->blank_cr = h->any = false;
}

/* Something that is no line end follows: what was held back counts. */
static void body_release(struct dkim_body_hash *h)
{
    static const slice lines = SLICE_INIT("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n");
    while (h->held) {
        uint64_t n = h->held < lines.n / 2 ? h->held : lines.n / 2;
        sink_put(&h->sink, slice_sub(lines, 0, (size_t)n * 2));
        h->held -= n;
    }
    if (h->held_cr)
        sink_byte(&h->sink, '\r');
    h->held_cr = false;
    h->any = true;
}

/* Octets that stand in the canonical form as they are, but for line ends at the end of it all. */
static void body_put(struct dkim_body_hash *h, slice s)
{
    size_t end, lines = 0;
    bool cr = false;
    if (s.n == 0)
        return;
    if (h->held_cr && s.p[0] == '\n') {
        h->held_cr = false;
        h->held++;
        s = slice_from(s, 1);
    }
    end = s.n;
    if (end && s.p[end - 1] == '\r') {
        cr = true;
        end--;
    }
    while (end >= 2 && s.p[end - 1] == '\n' && s.p[end - 2] == '\r') {
        lines++;
        end -= 2;
    }
    if (end || h->held_cr) {
        /* a held CR that has no LF behind it is an octet like others */
        body_release(h);
        sink_put(&h->sink, slice_sub(s, 0, end));
    }
    h->held += lines;
    h->held_cr = cr;
}

/* --- relaxed bodies (RFC 6376 §3.4.4): white space inside a line becomes one space, at its end nothing ---
 */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

#define BODY_BLOCK 64

/* Is there, in this block, a place where the relaxed form differs: a tab, or a space with white space or a CR
 * behind it? The octet behind the block is there. No branches: this loop is the speed of relaxed bodies. */
static bool body_block_differs(const uint8_t *p)
{
    uint8_t any = 0;
    for (size_t i = 0; i < BODY_BLOCK; i++) {
        uint8_t next = p[i + 1];
        uint8_t hit = (uint8_t)((next == ' ') | (next == '\t') | (next == '\r'));
        any = (uint8_t)(any | (p[i] == '\t') | ((p[i] == ' ') & hit));
    }
    return any != 0;
}

/* How many octets at the front are the same in the relaxed form. A space that ends s is not counted: what
 * comes next decides. */
static size_t body_same(slice s)
{
    size_t i = 0;
    while (i < s.n) {
        if (s.n - i > BODY_BLOCK && !body_block_differs(s.p + i)) {
            i += BODY_BLOCK;
            continue;
        }
        for (size_t end = size_min(s.n, i + BODY_BLOCK); i < end; i++) {
            if (s.p[i] == '\t')
                return i;
            if (s.p[i] == ' ' && (i + 1 == s.n || is_blank(s.p[i + 1]) || s.p[i + 1] == '\r'))
                return i;
        }
    }
    return i;
}

/* White space was read, and perhaps a CR behind it: is the line over? Takes as much of s as decides it. */
static slice body_after_blank(struct dkim_body_hash *h, slice s)
{
    if (!h->blank_cr) {
        size_t n = 0;
        while (n < s.n && is_blank(s.p[n]))
            n++;
        s = slice_from(s, n);
        if (s.n == 0)
            return s;
        if (s.p[0] == '\r') {
            h->blank_cr = true;
            s = slice_from(s, 1);
            if (s.n == 0)
                return s;
        }
    }
    bool ends = h->blank_cr && s.p[0] == '\n';
    if (!ends)
        body_put(h, SLICE(" "));
    if (h->blank_cr)
        body_put(h, SLICE("\r"));
    h->blank = h->blank_cr = false;
    return s;
}

static void body_feed_relaxed(struct dkim_body_hash *h, slice s)
{
    while (s.n) {
        if (h->blank) {
            s = body_after_blank(h, s);
            continue;
        }
        size_t n = body_same(s);
        body_put(h, slice_sub(s, 0, n));
        h->blank = n < s.n;
        s = slice_from(s, n);
    }
}

void dkim_body_hash_feed(struct dkim_body_hash *h, slice piece)
{
    if (h->canon == DKIM_SIMPLE)
        body_put(h, piece);
    else
        body_feed_relaxed(h, piece);
}

void dkim_body_hash_end(struct dkim_body_hash *h, uint8_t out[DIGEST_SHA256_SIZE])
{
    if (h->blank_cr) /* white space, and a CR that ends no line */
        body_put(h, SLICE(" \r"));
    if (h->held_cr)
        body_release(h);
    /* RFC 6376 §3.4.3: a simple body ends with one CRLF, an empty one is that; §3.4.4: an empty relaxed body
     * is empty */
    if (h->canon == DKIM_SIMPLE || h->any)
        sink_put(&h->sink, SLICE("\r\n"));
    sink_end(&h->sink, out);
}

void dkim_body_hash_done(struct dkim_body_hash *h)
{
    digest_stream_done(&h->sink.hash);
}

/* --- header fields --- */

void dkim_header_hash_begin(struct dkim_header_hash *h, enum dkim_canon canon)
{
    sink_begin(&h->sink);
    h->canon = canon;
}

static slice without_line_end(slice s)
{
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

/* White space between words becomes one space; none stands at the ends. *begun: a word was written before,
 * *gap: white space came behind it. Line ends are white space here: in a field that parsed they stand only in
 * folds (RFC 6376 §3.4.2). */
static void header_words(struct dkim_sink *s, slice text, bool *begun, bool *gap)
{
    size_t i = 0;
    while (i < text.n) {
        size_t at = i;
        while (i < text.n && !is_blank(text.p[i]) && text.p[i] != '\r' && text.p[i] != '\n')
            i++;
        if (i > at) {
            if (*begun && *gap)
                sink_byte(s, ' ');
            sink_put(s, slice_sub(text, at, i));
            *begun = true;
            *gap = false;
        }
        at = i;
        while (i < text.n && (is_blank(text.p[i]) || text.p[i] == '\r' || text.p[i] == '\n'))
            i++;
        *gap = *gap || i > at;
    }
}

/* Name in lower case, without white space around the colon; then the words of what is left of the value when
 * cut..cut+cut_n (offsets in raw) is taken out. */
static void header_relaxed(struct dkim_sink *s, slice raw, size_t cut, size_t cut_n)
{
    size_t colon = slice_index(raw, ':'), name = colon;
    bool begun = false, gap = false;
    while (name && is_blank(raw.p[name - 1]))
        name--;
    for (size_t i = 0; i < name; i++)
        sink_byte(s, ascii_lower(raw.p[i]));
    sink_byte(s, ':');
    header_words(s, slice_sub(raw, colon + 1, cut), &begun, &gap);
    header_words(s, slice_from(raw, cut + cut_n), &begun, &gap);
}

void dkim_header_hash_field(struct dkim_header_hash *h, slice raw)
{
    raw = without_line_end(raw);
    if (h->canon == DKIM_SIMPLE)
        sink_put(&h->sink, raw);
    else
        header_relaxed(&h->sink, raw, raw.n, 0);
    sink_put(&h->sink, SLICE("\r\n"));
}

/* The value of b= with all the white space around it, from behind "=" to before ";" or the end. */
static void header_find_b(slice raw, slice b, size_t *out_at, size_t *out_n)
{
    size_t from = (size_t)(b.p - raw.p), to = from + b.n;
    while (from && raw.p[from - 1] != '=')
        from--;
    to += slice_index(slice_from(raw, to), ';');
    *out_at = from;
    *out_n = to - from;
}

void dkim_header_hash_signature(struct dkim_header_hash *h, slice raw, slice b)
{
    size_t at, n = 0;
    raw = without_line_end(raw);
    at = raw.n;
    if (b.p)
        header_find_b(raw, b, &at, &n);
    if (h->canon == DKIM_SIMPLE) {
        sink_put(&h->sink, slice_sub(raw, 0, at));
        sink_put(&h->sink, slice_from(raw, at + n));
    } else {
        header_relaxed(&h->sink, raw, at, n);
    }
}

void dkim_header_hash_end(struct dkim_header_hash *h, uint8_t out[DIGEST_SHA256_SIZE])
{
    sink_end(&h->sink, out);
}

void dkim_header_hash_done(struct dkim_header_hash *h)
{
    digest_stream_done(&h->sink.hash);
}
