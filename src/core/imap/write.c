#include "core/imap/write.h"

#include "core/imap/lex.h"
#include "core/imap/name.h"
#include "text/date.h"
#include "text/utf8.h"

#define QUOTED_MAX 2000 /* longer strings go as literals */

static bool write_can_quote(slice s, bool utf8)
{
    bool high = false;
    if (s.n > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
        high |= s.p[i] >= 0x80;
    }
    return !high || (utf8 && utf8_valid(s));
}

void imap_write_string(struct buf *b, slice s, bool utf8)
{
    size_t from = 0;
    if (!write_can_quote(s, utf8)) {
        size_t at;
        (void)buf_print(b, "{%zu}\r\n", s.n); /* the caller asks buf_failed(), here and below */
        at = b->n;
        if (buf_append(b, s) == OK)
            for (size_t i = at; i < b->n; i++)
                if (!b->p[i])
                    b->p[i] = 0x80;
        return;
    }
    (void)buf_byte(b, '"');
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '"' || s.p[i] == '\\') {
            (void)buf_append(b, slice_sub(s, from, i));
            (void)buf_byte(b, '\\');
            from = i;
        }
    (void)buf_append(b, slice_from(s, from));
    (void)buf_byte(b, '"');
}

void imap_write_nstring(struct buf *b, slice s, bool utf8)
{
    if (s.p)
        imap_write_string(b, s, utf8);
    else
        (void)buf_str(b, "NIL");
}

void imap_write_astring(struct buf *b, slice s)
{
    struct cursor c = cursor_of(s);
    slice atom;
    if (imap__atom(&c, &atom) == OK && cursor_end(&c) && !slice_eq_nocase(s, SLICE("NIL")))
        (void)buf_append(b, s);
    else
        imap_write_string(b, s, false);
}

void imap_write_date_time(struct buf *b, time_ms unix_time, int zone_minutes)
{
    (void)buf_byte(b, '"');
    (void)date_print_imap(unix_time, zone_minutes, b);
    (void)buf_byte(b, '"');
}

void imap_write_text(struct buf *b, slice s)
{
    bool utf8 = utf8_valid(s);
    if (!s.n)
        (void)buf_byte(b, '-');
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        (void)buf_byte(b, c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8) ? '?' : c);
    }
}

static const struct {
    uint32_t bit;
    const char *name;
} write_flags[] =
    {
        {IMAP_ANSWERED, "\\Answered"}, {IMAP_FLAGGED, "\\Flagged"}, {IMAP_DELETED, "\\Deleted"},
        {IMAP_SEEN, "\\Seen"},         {IMAP_DRAFT, "\\Draft"},     {IMAP_RECENT, "\\Recent"},
},
  write_attributes[] = {
      {IMAP_ATTR_NONEXISTENT, "\\NonExistent"},
      {IMAP_ATTR_NOSELECT, "\\Noselect"},
      {IMAP_ATTR_NOINFERIORS, "\\Noinferiors"},
      {IMAP_ATTR_HASCHILDREN, "\\HasChildren"},
      {IMAP_ATTR_HASNOCHILDREN, "\\HasNoChildren"},
      {IMAP_ATTR_MARKED, "\\Marked"},
      {IMAP_ATTR_UNMARKED, "\\Unmarked"},
      {IMAP_ATTR_SUBSCRIBED, "\\Subscribed"},
      {IMAP_ATTR_REMOTE, "\\Remote"},
      {IMAP_ATTR_ALL, "\\All"},
      {IMAP_ATTR_ARCHIVE, "\\Archive"},
      {IMAP_ATTR_DRAFTS, "\\Drafts"},
      {IMAP_ATTR_FLAGGED, "\\Flagged"},
      {IMAP_ATTR_JUNK, "\\Junk"},
      {IMAP_ATTR_SENT, "\\Sent"},
      {IMAP_ATTR_TRASH, "\\Trash"},
      {IMAP_ATTR_IMPORTANT, "\\Important"},
};

uint32_t imap_flag_bit(slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(write_flags); i++)
        if (slice_eq_nocase(name, slice_str(write_flags[i].name)))
            return write_flags[i].bit;
    return 0;
}

bool imap_write_flags(struct buf *b, uint32_t bits)
{
    bool some = false;
    for (size_t i = 0; i < ARRAY_LEN(write_flags); i++) {
        if (!(bits & write_flags[i].bit))
            continue;
        if (some)
            (void)buf_byte(b, ' ');
        (void)buf_str(b, write_flags[i].name);
        some = true;
    }
    return some;
}

void imap_write_attributes(struct buf *b, uint32_t bits)
{
    bool some = false;
    (void)buf_byte(b, '(');
    for (size_t i = 0; i < ARRAY_LEN(write_attributes); i++) {
        if (!(bits & write_attributes[i].bit))
            continue;
        if (some)
            (void)buf_byte(b, ' ');
        (void)buf_str(b, write_attributes[i].name);
        some = true;
    }
    (void)buf_byte(b, ')');
}

uint32_t imap_attr_special(slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(write_attributes); i++)
        if ((write_attributes[i].bit & IMAP_ATTR_SPECIAL) &&
            slice_eq_nocase(name, slice_str(write_attributes[i].name)))
            return write_attributes[i].bit;
    return 0;
}

void imap_write_list(struct buf *b, const char *verb, uint32_t attributes, slice name, bool utf8,
                     bool child_info)
{
    (void)buf_print(b, "* %s ", verb);
    imap_write_attributes(b, attributes);
    (void)buf_print(b, " \"%c\" ", IMAP_NAME_DELIMITER);
    imap_name_write(b, name, utf8);
    if (child_info)
        (void)buf_str(b, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
    (void)buf_str(b, "\r\n");
}

void imap_write_done(struct buf *b, slice tag, const char *condition, const char *code, const char *text)
{
    if (tag.n)
        (void)buf_append(b, tag);
    else
        (void)buf_byte(b, '*');
    (void)buf_print(b, " %s ", condition);
    if (code)
        (void)buf_print(b, "[%s] ", code);
    (void)buf_str(b, text);
    (void)buf_str(b, "\r\n");
}
