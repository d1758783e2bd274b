#include "core/dns/dns_zone_text.h"

#define ZONE_TTL_S 3600 /* of a record without one */
#define ZONE_CHAIN 12   /* CNAMEs followed */

/* ---- words of a line */

struct zone_word {
    slice text; /* without its quotes */
    bool quoted;
};

static bool zone_blank(int c)
{
    return c == ' ' || c == '\t' || c == '(' || c == ')' || c == '\r';
}

/* The next word; false at the end of the line or at a comment. *bad: a quote that is not closed. */
static bool zone_word(struct cursor *c, struct zone_word *out, bool *bad)
{
    size_t n = 0;
    while (zone_blank(cursor_peek(c)))
        cursor_skip(c, 1);
    if (cursor_end(c) || cursor_peek(c) == ';')
        return false;
    out->quoted = cursor_take(c, '"');
    for (; n < c->rest.n; n++) {
        uint8_t b = c->rest.p[n];
        if (b == '\\' && n + 1 < c->rest.n)
            n++;
        else if (out->quoted ? b == '"' : zone_blank(b) || b == ';' || b == '"')
            break;
    }
    out->text = slice_sub(c->rest, 0, n);
    cursor_skip(c, n);
    if (out->quoted && !cursor_take(c, '"')) {
        *bad = true;
        return false;
    }
    return true;
}

/* One octet of text with escapes: \DDD is a number, \X is X (RFC 1035 §5.1). -1 at the end, -2 when wrong. */
static int zone_octet(struct cursor *c, bool *out_escaped)
{
    int b = cursor_next(c), value = 0;
    *out_escaped = b == '\\';
    if (b != '\\')
        return b;
    b = cursor_next(c);
    if (b < 0)
        return -2;
    if (!ascii_is_digit((uint8_t)b))
        return b;
    value = b - '0';
    for (int i = 0; i < 2; i++) {
        b = cursor_next(c);
        if (b < 0 || !ascii_is_digit((uint8_t)b))
            return -2;
        value = value * 10 + (b - '0');
    }
    return value > 255 ? -2 : value;
}

/* ---- RDATA */

enum err dns_zone_text_name(slice text, struct buf *out)
{
    struct cursor c = cursor_of(text);
    uint8_t wire[DNS_NAME_WIRE], *label = wire;
    size_t n = 1, in_label = 0;
    bool escaped;
    int b;
    if (slice_eq(text, SLICE(".")))
        return buf_byte(out, 0);
    while ((b = zone_octet(&c, &escaped)) >= 0) {
        bool dot = b == '.' && !escaped;
        if (dot && in_label == 0)
            return ERR_SYNTAX; /* an empty label */
        if (n == sizeof wire || (!dot && in_label == DNS_LABEL_MAX))
            return ERR_SYNTAX;
        if (dot) {
            *label = (uint8_t)in_label;
            label = wire + n;
            in_label = 0;
            n++;
        } else {
            wire[n++] = (uint8_t)b;
            in_label++;
        }
    }
    if (b == -2 || text.n == 0)
        return ERR_SYNTAX;
    *label = (uint8_t)in_label;
    if (in_label) {
        if (n == sizeof wire)
            return ERR_SYNTAX;
        wire[n++] = 0;
    }
    return buf_append(out, slice_of(wire, n));
}

/* One character-string, cut at 255 octets into as many as it takes (RFC 1035 §3.3). */
static enum err zone_string(slice text, struct buf *out)
{
    struct cursor c = cursor_of(text);
    uint8_t part[256];
    bool escaped;
    int b;
    part[0] = 0;
    while ((b = zone_octet(&c, &escaped)) >= 0) {
        if (part[0] == 255) {
            if (buf_append(out, slice_of(part, 256)))
                return ERR_LIMIT;
            part[0] = 0;
        }
        part[0]++;
        part[part[0]] = (uint8_t)b;
    }
    return b == -2 ? ERR_SYNTAX : buf_append(out, slice_of(part, (size_t)part[0] + 1));
}

static enum err zone_hex(slice text, struct buf *out)
{
    if (text.n == 0 || text.n % 2)
        return ERR_SYNTAX;
    for (size_t i = 0; i < text.n; i += 2) {
        unsigned value = 0;
        for (size_t k = i; k < i + 2; k++) {
            uint8_t c = ascii_lower(text.p[k]);
            if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'f'))
                return ERR_SYNTAX;
            value = value << 4 | (unsigned)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
        }
        if (buf_byte(out, (uint8_t)value))
            return ERR_LIMIT;
    }
    return OK;
}

static enum err zone_number(slice text, char size, struct buf *out)
{
    static const uint32_t most[] = {['1'] = 255, ['2'] = 65535, ['4'] = UINT32_MAX};
    uint32_t v;
    if (!slice_u32(text, &v) || v > most[(unsigned char)size])
        return ERR_SYNTAX;
    return size == '1'   ? buf_byte(out, (uint8_t)v)
           : size == '2' ? buf_be16(out, (uint16_t)v)
                         : buf_be32(out, v);
}

static enum err zone_address(slice text, bool v4, struct buf *out)
{
    struct ip ip;
    if (ip_parse(text, &ip) || ip_is_v4(&ip) != v4)
        return ERR_SYNTAX;
    return buf_append(out, v4 ? slice_of(ip.b + 12, 4) : ip_slice(&ip));
}

/* What the words of each type are: n a name, 1 2 4 numbers of so many octets, a A address, 6 AAAA address,
 * s one or more character-strings, x hexadecimal digits, to the end of the line. */
static const struct {
    uint16_t type;
    const char *words;
} zone_types[] = {
    {DNS_A, "a"},      {DNS_AAAA, "6"}, {DNS_NS, "n"},      {DNS_CNAME, "n"},
    {DNS_DNAME, "n"},  {DNS_PTR, "n"},  {DNS_MX, "2n"},     {DNS_SOA, "nn44444"},
    {DNS_SRV, "222n"}, {DNS_TXT, "s"},  {DNS_TLSA, "111x"},
};

static const char *zone_words(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(zone_types); i++)
        if (zone_types[i].type == type)
            return zone_types[i].words;
    return NULL;
}

static enum err zone_put(char what, struct zone_word w, struct buf *out)
{
    switch (what) {
    case 'n':
        return dns_zone_text_name(w.text, out);
    case 'a':
    case '6':
        return zone_address(w.text, what == 'a', out);
    case 's':
        return zone_string(w.text, out);
    case 'x':
        return zone_hex(w.text, out);
    default:
        return zone_number(w.text, what, out);
    }
}

/* RFC 3597 §5: "\\# LENGTH HEX ...", RDATA of any type. */
static enum err zone_generic(struct cursor *c, struct buf *out)
{
    struct zone_word w;
    size_t before = out->n;
    uint32_t n;
    bool bad = false;
    if (!zone_word(c, &w, &bad) || !slice_u32(w.text, &n))
        return ERR_SYNTAX;
    while (zone_word(c, &w, &bad)) {
        enum err e = zone_hex(w.text, out);
        if (e)
            return e;
    }
    return bad || out->n - before != n ? ERR_SYNTAX : OK;
}

/* The words of one line, as the table says. */
static enum err zone_typed(const char *what, struct cursor *c, struct buf *out)
{
    struct zone_word w;
    bool bad = false, any = false;
    while (zone_word(c, &w, &bad)) {
        enum err e = *what ? zone_put(*what, w, out) : ERR_SYNTAX; /* a word too many */
        if (e)
            return e;
        any = true;
        if (*what != 's' && *what != 'x')
            what++;
    }
    return bad || (*what && !((*what == 's' || *what == 'x') && any)) ? ERR_SYNTAX : OK;
}

enum err dns_zone_text_rdata(uint16_t type, slice text, struct buf *out)
{
    const char *what = zone_words(type);
    struct cursor c = cursor_of(text), ahead = c;
    struct zone_word w;
    size_t before = out->n;
    bool bad = false;
    enum err e;
    if (zone_word(&ahead, &w, &bad) && !w.quoted && slice_eq(w.text, SLICE("\\#")))
        e = zone_generic(&ahead, out);
    else
        e = what ? zone_typed(what, &c, out) : ERR_UNSUPPORTED;
    if (e == OK && out->n - before > DNS_ZONE_RDATA_MAX)
        e = ERR_LIMIT;
    if (e)
        buf_truncate(out, before);
    return e;
}

/* ---- lines */

static const struct {
    const char *word;
    enum dns_answer_status status;
} zone_failures[] = {
    {"SERVFAIL", DNS_ANSWER_TEMPFAIL}, {"TIMEOUT", DNS_ANSWER_TIMEOUT}, {"BOGUS", DNS_ANSWER_BOGUS}};

static bool zone_failure(slice word, uint8_t *out)
{
    for (size_t i = 0; i < ARRAY_LEN(zone_failures); i++)
        if (slice_eq_nocase(word, slice_str(zone_failures[i].word))) {
            *out = (uint8_t)zone_failures[i].status;
            return true;
        }
    return false;
}

static uint16_t zone_type(slice word)
{
    for (size_t i = 0; i < ARRAY_LEN(zone_types); i++)
        if (slice_eq_nocase(word, slice_str(dns_type_name(zone_types[i].type))))
            return zone_types[i].type;
    return 0;
}

/* A word that can be the name of a type we do not know: SPF, TYPE99, CAA. */
static bool zone_is_type(slice word)
{
    for (size_t i = 0; i < word.n; i++)
        if (!ascii_is_alpha(word.p[i]) && !(i && (ascii_is_digit(word.p[i]) || word.p[i] == '-')))
            return false;
    return word.n > 0;
}

struct zone_line {
    struct dns_zone_record record;
    bool skip; /* empty, a comment, or a name that nobody can ask for */
    const char *wrong;
};

static void zone_owner(slice name, struct zone_line *l)
{
    slice rest = slice_starts(name, SLICE("*.")) ? slice_from(name, 2) : name;
    struct buf wire CLEANUP(buf_done);
    size_t at = 0;
    l->record.wild = rest.n != name.n;
    l->skip = true;
    buf_init(&wire, DNS_NAME_WIRE);
    if (dns_zone_text_name(rest, &wire) == OK)
        l->skip = dns_name_read_odd(buf_view(&wire), &at, &l->record.name) != OK;
}

static void zone_line(slice line, struct buf *rdata, struct zone_line *l)
{
    struct cursor c = cursor_of(line);
    struct zone_word w;
    bool bad = false;
    uint32_t ttl;
    *l = (struct zone_line){.record = {.ttl_s = ZONE_TTL_S}};
    if (!zone_word(&c, &w, &bad)) {
        l->skip = true;
        l->wrong = bad ? "a quote is not closed" : NULL;
        return;
    }
    if (slice_eq_nocase(w.text, SLICE("$TTL"))) {
        l->skip = true;
        return;
    }
    if (w.text.n && w.text.p[0] == '$') {
        l->wrong = "names are written in full here; $ORIGIN and $INCLUDE are not understood";
        return;
    }
    zone_owner(w.text, l);
    while (zone_word(&c, &w, &bad)) {
        if (slice_u32(w.text, &ttl)) {
            l->record.ttl_s = ttl;
            continue;
        }
        if (slice_eq_nocase(w.text, SLICE("IN")))
            continue;
        if (zone_failure(w.text, &l->record.status))
            return;
        l->record.type = zone_type(w.text);
        if (l->record.type == 0 && !zone_is_type(w.text))
            l->wrong = "this is no type of record";
        else if (l->record.type && dns_zone_text_rdata(l->record.type, c.rest, rdata))
            l->wrong = "the data does not fit the type";
        return;
    }
    l->wrong = bad ? "a quote is not closed" : "the type of the record is missing";
}

static size_t zone_count_lines(slice text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

enum err dns_zone_text_read(slice text, struct arena *a, struct dns_zone *out, struct err_detail *detail)
{
    size_t lines = zone_count_lines(text), number = 0;
    struct buf rdata CLEANUP(buf_done) = {.max = DNS_ZONE_RDATA_MAX + 512};
    struct dns_zone z = {0};
    if (lines > DNS_ZONE_RECORDS_MAX) {
        err_detail_set(detail, "more than %d lines", DNS_ZONE_RECORDS_MAX);
        return ERR_LIMIT;
    }
    z.records = ARENA_ARRAY(a, lines, struct dns_zone_record);
    if (!z.records)
        return ERR_LIMIT;
    while (text.n) {
        struct zone_line l;
        slice line;
        (void)slice_split(text, '\n', &line, &text); /* the last line may have no end */
        number++;
        buf_clear(&rdata);
        zone_line(line, &rdata, &l);
        if (l.wrong) {
            err_detail_set(detail, "line %zu: %s", number, l.wrong);
            return ERR_SYNTAX;
        }
        if (l.skip)
            continue;
        if (!arena_dup(a, buf_view(&rdata), &l.record.rdata))
            return ERR_LIMIT;
        z.records[z.n++] = l.record;
    }
    *out = z;
    return OK;
}

/* ---- answers */

enum zone_found { ZONE_NO_NAME, ZONE_NAME, ZONE_CNAME, ZONE_RECORDS, ZONE_FAILED };

/* What the records of one owner (or one "*." owner) say about a type. */
static enum zone_found zone_look(const struct dns_zone *z, slice owner, bool wild, uint16_t type,
                                 size_t *out_n, const struct dns_zone_record **out)
{
    const struct dns_zone_record *cname = NULL, *failed = NULL;
    bool exists = false;
    *out_n = 0;
    for (size_t i = 0; i < z->n; i++) {
        const struct dns_zone_record *r = &z->records[i];
        if (!wild && dns_name_below(&r->name, owner))
            exists = true;
        if (r->wild != wild || !slice_eq(dns_name_view(&r->name), owner))
            continue;
        exists = true;
        if (r->status != DNS_ANSWER_OK)
            failed = r;
        else if (r->type == type && (*out_n)++ == 0)
            *out = r;
        else if (r->type == DNS_CNAME)
            cname = r;
    }
    if (*out_n)
        return ZONE_RECORDS;
    if (failed)
        *out = failed;
    else if (cname)
        *out = cname;
    return failed ? ZONE_FAILED : cname ? ZONE_CNAME : exists ? ZONE_NAME : ZONE_NO_NAME;
}

static void zone_give(const struct dns_zone *z, slice owner, bool wild, uint16_t type, size_t n,
                      struct arena *a, struct dns_answer *out)
{
    slice *rdata = ARENA_ARRAY(a, n, slice);
    *out = (struct dns_answer){.status = rdata ? DNS_ANSWER_OK : DNS_ANSWER_TEMPFAIL, .ttl_s = UINT32_MAX};
    for (size_t i = 0; rdata && i < z->n; i++) {
        const struct dns_zone_record *r = &z->records[i];
        if (r->wild != wild || r->type != type || r->status != DNS_ANSWER_OK ||
            !slice_eq(dns_name_view(&r->name), owner))
            continue;
        rdata[out->n++] = r->rdata;
        out->ttl_s = r->ttl_s < out->ttl_s ? r->ttl_s : out->ttl_s;
    }
    out->rdata = rdata;
}

/* RFC 4592 §3.3.1: the closest name above that exists is where a "*" is looked for. */
static enum zone_found zone_find(const struct dns_zone *z, slice name, uint16_t type, slice *out_owner,
                                 bool *out_wild, size_t *out_n, const struct dns_zone_record **out)
{
    enum zone_found f = zone_look(z, name, false, type, out_n, out);
    *out_owner = name;
    *out_wild = false;
    for (slice above = name; f == ZONE_NO_NAME && above.n;) {
        size_t dot = slice_index(above, '.'), n;
        const struct dns_zone_record *ignored;
        above = slice_from(above, dot + 1);
        if (above.n && zone_look(z, above, false, 0, &n, &ignored) == ZONE_NO_NAME)
            continue;
        *out_owner = above;
        *out_wild = true;
        return zone_look(z, above, true, type, out_n, out);
    }
    return f;
}

void dns_zone_answer(const struct dns_zone *z, slice name, uint16_t type, struct arena *a,
                     struct dns_answer *out)
{
    struct dns_name at = {.n = 0}; /* an empty name is the root */
    *out = (struct dns_answer){.status = DNS_ANSWER_NXDOMAIN};
    if (name.n && dns_name_parse_odd(name, &at))
        return;
    for (unsigned chain = 0; chain < ZONE_CHAIN; chain++) {
        const struct dns_zone_record *r = NULL;
        slice owner;
        bool wild;
        size_t n;
        switch (zone_find(z, dns_name_view(&at), type, &owner, &wild, &n, &r)) {
        case ZONE_NO_NAME:
            *out = (struct dns_answer){.status = DNS_ANSWER_NXDOMAIN};
            return;
        case ZONE_NAME:
            *out = (struct dns_answer){.status = DNS_ANSWER_OK};
            return;
        case ZONE_FAILED:
            *out = (struct dns_answer){.status = (enum dns_answer_status)r->status};
            return;
        case ZONE_RECORDS:
            zone_give(z, owner, wild, type, n, a, out);
            return;
        case ZONE_CNAME:
            if (dns_rr_name_odd(r->rdata, &at)) {
                *out = (struct dns_answer){.status = DNS_ANSWER_NXDOMAIN};
                return;
            }
            break;
        }
    }
    *out = (struct dns_answer){.status = DNS_ANSWER_TEMPFAIL}; /* aliases in circles */
}
