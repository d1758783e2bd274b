#include "core/imap/name.h"

#include "core/imap/write.h"
#include "text/utf7.h"
#include "text/utf8.h"

/* U+0000-1F, U+7F-9F, line and paragraph separators: never in a name (RFC 9051 §5.1, RFC 5198 §2). */
static bool name_control(uint32_t v)
{
    return v < 0x20 || (v >= 0x7f && v < 0xa0) || v == 0x2028 || v == 0x2029;
}

static enum err name_check(slice s)
{
    while (s.n) {
        uint32_t v;
        size_t n = utf8_next(s, &v);
        if (!n || name_control(v))
            return ERR_SYNTAX;
        s = slice_from(s, n);
    }
    return OK;
}

enum err imap_name_decode(slice wire, bool utf8, struct arena *arena, slice *out)
{
    struct buf b CLEANUP(buf_done) = {0};
    slice inbox = SLICE("INBOX");
    enum err e;
    buf_init(&b, IMAP_NAME_MAX);
    /* A client that sends UTF-8 without having enabled it means what it says: some do, and nothing else can
     * be meant by bytes above 127. */
    e = utf8 || !utf8_is_ascii(wire) ? buf_append(&b, wire) : utf7_decode(wire, &b);
    if (e == OK)
        e = name_check(buf_view(&b));
    if (e != OK)
        return e;
    if (slice_starts_nocase(buf_view(&b), inbox) && (b.n == inbox.n || b.p[inbox.n] == IMAP_NAME_DELIMITER))
        memcpy(b.p, inbox.p, inbox.n);
    return arena_dup(arena, buf_view(&b), out) ? OK : ERR_LIMIT;
}

bool imap_name_ok(slice name)
{
    size_t levels = 1, level = 0;
    if (!name.n || name.n > IMAP_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '%' || name.p[i] == '*')
            return false;
        if (name.p[i] != IMAP_NAME_DELIMITER) {
            level++;
            continue;
        }
        if (!level)
            return false;
        level = 0;
        levels++;
    }
    return level && levels <= IMAP_NAME_LEVELS;
}

void imap_name_write(struct buf *b, slice name, bool utf8)
{
    struct buf w CLEANUP(buf_done) = {0};
    buf_init(&w, IMAP_NAME_MAX * 4);
    if (utf8 || utf7_encode(name, &w) != OK)
        imap_write_string(b, name, utf8);
    else
        imap_write_string(b, buf_view(&w), false);
}

/* The set of pattern positions that match the name so far, advanced a character at a time. */
bool imap_name_match(slice name, slice pattern)
{
    uint8_t at[IMAP_NAME_MAX + 1] = {0};
    slice inbox = SLICE("INBOX");
    bool is_inbox = slice_eq(name, inbox);
    if (pattern.n > IMAP_NAME_MAX)
        return false;
    at[0] = 1;
    for (size_t i = 0; i <= name.n; i++) {
        bool alive = false, carry = false;
        /* wildcards match nothing: step over them */
        for (size_t j = 0; j < pattern.n; j++)
            if (at[j] && (pattern.p[j] == '*' || pattern.p[j] == '%'))
                at[j + 1] = 1;
        if (i == name.n)
            break;
        for (size_t j = 0; j < pattern.n; j++) {
            uint8_t p = pattern.p[j], c = name.p[i];
            bool here = at[j];
            bool star = p == '*' || (p == '%' && c != IMAP_NAME_DELIMITER);
            bool same = p != '*' && p != '%' && (p == c || (is_inbox && ascii_upper(p) == c));
            at[j] = (uint8_t)(carry || (here && star));
            carry = here && same;
            alive |= at[j] || carry;
        }
        at[pattern.n] = carry;
        if (!alive)
            return false;
    }
    return at[pattern.n];
}
