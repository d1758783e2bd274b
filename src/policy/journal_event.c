/* The encoded form: kind, role, a byte of bits saying which optional fields follow, the time as a varint,
 * then the fields in the order of the bits. Numbers are varints (base/varint.h), texts a varint length and
 * the bytes. An ordinary event takes 30 to 80 bytes. */
#include "policy/journal_event.h"

#include "base/varint.h"

#define TIME_MAX ((uint64_t)1 << 52)

enum { BIT_MAIL, BIT_CONNECTION, BIT_CODE, BIT_NUMBER, BIT_ADDRESS, BIT_PEER, BIT_NAME, BIT_TEXT };

static const char *const roles[] = {
#define X(id, number, name) [number] = name,
    JOURNAL_ROLES(X)
#undef X
};

static const struct {
    const char *name;
    unsigned found_by;
} kinds[] = {
#define X(id, number, name, by) [number] = {name, by},
    JOURNAL_KINDS(X)
#undef X
};

static_assert(ARRAY_LEN(kinds) <= 256 && ARRAY_LEN(roles) <= 256, "both are one byte on disk");
static_assert(3 + 10 * 5 + 4 * 2 + JOURNAL_ADDRESS_MAX + JOURNAL_PEER_MAX + JOURNAL_NAME_MAX +
                      JOURNAL_TEXT_MAX <=
                  JOURNAL_EVENT_MAX,
              "the stated bound holds");

const char *journal_role_name(unsigned role)
{
    return role < ARRAY_LEN(roles) ? roles[role] : NULL;
}

const char *journal_kind_name(unsigned kind)
{
    return kind < ARRAY_LEN(kinds) ? kinds[kind].name : NULL;
}

unsigned journal_kind_found_by(unsigned kind)
{
    return kind < ARRAY_LEN(kinds) ? kinds[kind].found_by : 0;
}

/* Cuts to max bytes without splitting a UTF-8 sequence. */
static slice cut(slice s, size_t max)
{
    size_t n = max;
    if (s.n <= max)
        return s;
    while (n > 0 && n > max - 4 && (s.p[n] & 0xC0) == 0x80)
        n--;
    return slice_sub(s, 0, n);
}

static uint8_t *put_text(uint8_t *p, slice s)
{
    if (s.n == 0)
        return p;
    p = varint_put(p, s.n);
    memcpy(p, s.p, s.n);
    return p + s.n;
}

enum err journal_event_encode(struct buf *out, const struct journal_event *e)
{
    slice address = cut(e->address, JOURNAL_ADDRESS_MAX), peer = cut(e->peer, JOURNAL_PEER_MAX);
    slice name = cut(e->name, JOURNAL_NAME_MAX), text = cut(e->text, JOURNAL_TEXT_MAX);
    uint64_t at = e->at < 0 ? 0 : (uint64_t)e->at;
    uint8_t bytes[JOURNAL_EVENT_MAX], *p = bytes;

    must(journal_kind_name((unsigned)e->kind) && journal_role_name((unsigned)e->role));
    *p++ = (uint8_t)e->kind;
    *p++ = (uint8_t)e->role;
    *p++ = (uint8_t)((e->mail != 0) << BIT_MAIL | (e->connection != 0) << BIT_CONNECTION |
                     (e->code != 0) << BIT_CODE | (e->number != 0) << BIT_NUMBER |
                     (address.n != 0) << BIT_ADDRESS | (peer.n != 0) << BIT_PEER | (name.n != 0) << BIT_NAME |
                     (text.n != 0) << BIT_TEXT);
    p = varint_put(p, at > TIME_MAX ? TIME_MAX : at);
    if (e->mail)
        p = varint_put(p, e->mail);
    if (e->connection)
        p = varint_put(p, e->connection);
    if (e->code)
        p = varint_put(p, e->code);
    if (e->number)
        p = varint_put(p, e->number);
    p = put_text(p, address);
    p = put_text(p, peer);
    p = put_text(p, name);
    p = put_text(p, text);
    must(p <= bytes + sizeof bytes);
    return buf_append(out, slice_of(bytes, (size_t)(p - bytes)));
}

/* A number of at most max. */
static bool take_number(struct cursor *in, uint64_t max, uint64_t *out)
{
    return varint_take(in, out) && *out <= max;
}

/* A number that is present is not zero. */
static bool take_present(struct cursor *in, bool present, uint64_t max, uint64_t *out)
{
    *out = 0;
    return !present || (take_number(in, max, out) && *out != 0);
}

static bool take_text(struct cursor *in, bool present, size_t max, slice *out)
{
    uint64_t n;
    *out = (slice){0};
    return !present || (take_number(in, max, &n) && n != 0 && cursor_bytes(in, (size_t)n, out));
}

enum err journal_event_decode(struct cursor *in, struct journal_event *out)
{
    struct cursor c = *in;
    struct journal_event e = {0};
    uint64_t at, code;
    uint8_t kind, role, bits;
#define HAS(bit) ((bits >> (bit)) & 1)

    if (!cursor_u8(&c, &kind) || !cursor_u8(&c, &role) || !cursor_u8(&c, &bits))
        return ERR_SYNTAX;
    if (!journal_kind_name(kind) || !journal_role_name(role))
        return ERR_SYNTAX;
    if (!take_number(&c, TIME_MAX, &at) || !take_present(&c, HAS(BIT_MAIL), UINT64_MAX, &e.mail) ||
        !take_present(&c, HAS(BIT_CONNECTION), UINT64_MAX, &e.connection) ||
        !take_present(&c, HAS(BIT_CODE), UINT32_MAX, &code) ||
        !take_present(&c, HAS(BIT_NUMBER), UINT64_MAX, &e.number) ||
        !take_text(&c, HAS(BIT_ADDRESS), JOURNAL_ADDRESS_MAX, &e.address) ||
        !take_text(&c, HAS(BIT_PEER), JOURNAL_PEER_MAX, &e.peer) ||
        !take_text(&c, HAS(BIT_NAME), JOURNAL_NAME_MAX, &e.name) ||
        !take_text(&c, HAS(BIT_TEXT), JOURNAL_TEXT_MAX, &e.text))
        return ERR_SYNTAX;
#undef HAS
    e.kind = (enum journal_kind)kind;
    e.role = (enum journal_role)role;
    e.at = (time_ms)at;
    e.code = (uint32_t)code;
    *in = c;
    *out = e;
    return OK;
}

/* The well-formed UTF-8 sequence at the front of s (RFC 3629 §4): its length and code point, or 0. */
static size_t utf8_take(slice s, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t v;
    size_t n = s.p[0] < 0x80 ? 1 : s.p[0] >= 0xC2 && s.p[0] < 0xE0 ? 2 : (s.p[0] & 0xF0) == 0xE0 ? 3 : 0;
    if (n == 0 && s.p[0] >= 0xF0 && s.p[0] < 0xF5)
        n = 4;
    if (n == 0 || n > s.n)
        return 0;
    v = n == 1 ? s.p[0] : s.p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s.p[i] & 0xC0) != 0x80)
            return 0;
        v = v << 6 | (s.p[i] & 0x3Fu);
    }
    if (v < least[n] || v > 0x10FFFF || (v >= 0xD800 && v < 0xE000))
        return 0;
    *out = v;
    return n;
}

/* Characters that could steer a terminal, break a line or turn the text around. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (c >= 0xFFF0 && c <= 0xFFFB) || (c & 0xFFFE) == 0xFFFE || (c >= 0xE0000 && c <= 0xE0FFF);
}

void journal_event_escape(struct buf *out, slice s, size_t max_bytes)
{
    bool whole = s.n <= max_bytes;
    slice left = whole ? s : max_bytes < 4 ? (slice){0} : cut(s, max_bytes);

    while (left.n > 0) {
        uint32_t c = 0;
        size_t n = utf8_take(left, &c);
        if (n == 0)
            (void)buf_print(out, "\\x%02x", left.p[0]); /* the caller asks buf_failed() */
        else if (c == '\\' && left.n > 1 && (left.p[1] == 'x' || left.p[1] == 'u'))
            (void)buf_str(out, "\\\\");
        else if (!is_unsafe(c))
            (void)buf_append(out, slice_sub(left, 0, n));
        else
            (void)buf_print(out, c < 0x80 ? "\\x%02x" : "\\u{%04x}", c);
        left = slice_from(left, n ? n : 1);
    }
    if (!whole)
        (void)buf_str(out, "...");
}

void journal_event_json(struct buf *out, slice s)
{
    (void)buf_byte(out, '"'); /* the caller asks buf_failed() */
    while (s.n > 0) {
        uint32_t c = 0;
        size_t n = utf8_take(s, &c);
        if (n == 0)
            (void)buf_str(out, "\\ufffd");
        else if (c == '\\' || c == '"')
            (void)buf_print(out, "\\%c", (char)c);
        else if (!is_unsafe(c))
            (void)buf_append(out, slice_sub(s, 0, n));
        else if (c < 0x10000)
            (void)buf_print(out, "\\u%04x", c);
        else
            (void)buf_print(out, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + (c & 0x3FF));
        s = slice_from(s, n ? n : 1);
    }
    (void)buf_byte(out, '"');
}
