/* Canonical forms, hashed on the way. The work is done on runs: what needs no change is found sixteen
 * octets at a time; long runs go to the hash where they lie. */
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
    while (h->held) { /* nearly always one */
        uint64_t n = h->held < lines.n / 2 ? h->held : lines.n / 2;
        sink_put(&h->sink, slice_of(lines.p, (size_t)n * 2));
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
        sink_put(&h->sink, slice_of(s.p, end));
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

/* Sixteen octets at a time, in whatever vector instructions the compiler has for them. */
typedef uint8_t octets __attribute__((vector_size(16)));

static octets octets_at(const uint8_t *p)
{
    octets v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static octets octets_of(uint8_t c)
{
    return (octets){c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c};
}

/* The first of eight octets that is not zero. */
static size_t word_first(uint64_t w)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return (size_t)__builtin_ctzll(w) / 8;
}

/* Where, in sixteen octets, the relaxed form differs: at a tab, or at a space with white space or a CR behind
 * it. 16: nowhere. Reads seventeen. This is the speed of relaxed bodies, so there is no branch in it. */
static size_t octets_same(const uint8_t *p)
{
    octets v = octets_at(p), next = octets_at(p + 1);
    octets hit = (octets)(next == octets_of(' ')) | (octets)(next == octets_of('\t')) |
                 (octets)(next == octets_of('\r'));
    octets differs = (octets)(v == octets_of('\t')) | ((octets)(v == octets_of(' ')) & hit);
    uint64_t words[2];
    memcpy(words, &differs, sizeof(words));
    if (!(words[0] | words[1]))
        return 16;
    return words[0] ? word_first(words[0]) : 8 + word_first(words[1]);
}

/* How many octets at the front are the same in the relaxed form. A space that ends s is not counted: what
 * comes next decides. */
static size_t body_same(slice s)
{
    size_t i = 0;
    for (size_t n = 16; s.n - i > 16; i += n) {
        n = octets_same(s.p + i);
        if (n < 16)
            return i + n;
    }
    for (; i < s.n; i++)
        if (s.p[i] == '\t' || (s.p[i] == ' ' && (i + 1 == s.n || is_blank(s.p[i + 1]) || s.p[i + 1] == '\r')))
            return i;
    return i;
}

/* White space was read, and perhaps a CR behind it: is the line over? Takes as much of s as decides it. */
static slice body_after_blank(struct dkim_body_hash *h, slice s)
{
    if (!h->blank_cr) {
        size_t n = 0;
        while (n < s.n && is_blank(s.p[n]))
            n++;
        if (n == s.n)
            return slice_from(s, n);
        if (n && s.p[n - 1] == ' ' && s.p[n] != '\r') {
            /* nearly always: the last of these spaces is the one that stays, and begins the next run */
            h->blank = false;
            return slice_of(s.p + n - 1, s.n - n + 1);
        }
        s = slice_from(s, n);
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
            if (s.n == 0)
                return;
        }
        size_t n = body_same(s);
        body_put(h, slice_of(s.p, n));
        h->blank = n < s.n;
        s = slice_of(s.p + n, s.n - n);
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
