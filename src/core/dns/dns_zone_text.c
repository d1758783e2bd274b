#include "core/dns/dns_zone_text.h"

#include "core/dns/dns_text.h"

#define ZONE_TTL_S 3600 /* of a record without one */

/* ---- words */

struct zone_word {
    slice text; /* without its quotes */
    bool quoted;
};

/* A line end is a blank, too: a record in parentheses goes on behind it. */
static bool zone_blank(int c)
{
    return c == ' ' || c == '\t' || c == '(' || c == ')' || c == '\r' || c == '\n';
}

/* Blanks and comments. */
static void zone_skip(struct cursor *c)
{
    for (;;) {
        if (zone_blank(cursor_peek(c)))
            cursor_skip(c, 1);
        else if (cursor_peek(c) == ';')
            cursor_skip(c, slice_index(c->rest, '\n'));
        else
            return;
    }
}

/* The next word; false at the end of the record. *bad: a quote that is not closed. */
static bool zone_word(struct cursor *c, struct zone_word *out, bool *bad)
{
    size_t n = 0;
    zone_skip(c);
    if (cursor_end(c))
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
    if (ip_parse(text, &ip) || slice_has(text, ':') == v4) /* ::ffff:192.0.2.1 is an address of IPv6 here */
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

/* Types of which only the mnemonic is known here (the registry "Domain Name System (DNS) Parameters"). */
static const char zone_others[] =
    " A6 AFSDB AMTRELAY APL ATMA AVC BRID CAA CDNSKEY CDS CERT CLA CSYNC DHCID DLV DNSKEY DOA DS DSYNC EID "
    "EUI48 EUI64 GID GPOS HHIT HINFO HIP HTTPS IPN IPSECKEY ISDN KEY KX L32 L64 LOC LP MB MD MF MG MINFO MR "
    "NAPTR NID NIMLOC NINFO NSAP NSAP-PTR NSEC NSEC3 NSEC3PARAM NULL NXT OPENPGPKEY PX RESINFO RKEY RP RRSIG "
    "RT SIG SINK SMIMEA SPF SSHFP SVCB TA TALINK UID UINFO UNSPEC URI WALLET WKS X25 ZONEMD ";

static bool zone_other(slice word)
{
    struct buf key CLEANUP(buf_done) = {.max = 32};
    if (word.n > 16 || slice_has(word, ' ') || buf_byte(&key, ' ') || buf_append(&key, word) ||
        buf_byte(&key, ' '))
        return false;
    return slice_find_nocase(slice_str(zone_others), buf_view(&key)) < sizeof zone_others - 1;
}

/* *out 0: a type of zone_others. False: this is no type. */
static bool zone_type(struct zone_word w, uint16_t *out)
{
    if (w.quoted)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(zone_types); i++)
        if (slice_eq_nocase(w.text, slice_str(dns_type_name(zone_types[i].type)))) {
            *out = zone_types[i].type;
            return true;
        }
    *out = 0;
    return (slice_starts_nocase(w.text, SLICE("TYPE")) && dns_text_type(w.text, out)) || zone_other(w.text);
}

/* One record of the file, from its line to where the next begins. */
struct zone_entry {
    slice text;
    size_t line;           /* where it begins */
    struct dns_name owner; /* of the record before, for a line that begins with a blank */
    bool owner_wild, owner_known, owner_named;
    struct dns_zone_record record;
    bool skip; /* empty, a comment, or a name that nobody can ask for */
    const char *wrong;
    slice word; /* what is wrong, when it is short and printable; else empty */
};

/* Cuts the next entry off: a line, or several when parentheses or quotes are open at its end. */
static void zone_cut(slice *rest, size_t *line, struct zone_entry *e)
{
    size_t i = 0, depth = 0;
    bool quoted = false, comment = false, over = false;
    e->line = *line;
    for (; i < rest->n && !over; i++) {
        uint8_t b = rest->p[i];
        *line += b == '\n';
        if (b == '\n' && !quoted) {
            comment = false;
            over = depth == 0;
        } else if (comment) {
            continue;
        } else if (b == '\\' && i + 1 < rest->n && rest->p[i + 1] != '\n') {
            i++;
        } else if (b == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            comment = b == ';';
            depth += b == '(';
            if (b == ')' && depth-- == 0) {
                e->wrong = "a parenthesis is closed that was not opened";
                return;
            }
        }
    }
    e->wrong = quoted ? "a quote is not closed" : depth ? "a parenthesis is not closed" : NULL;
    e->text = slice_sub(*rest, 0, i);
    *rest = slice_from(*rest, i);
}

static void zone_owner(slice name, struct zone_entry *e)
{
    slice below = slice_starts(name, SLICE("*.")) ? slice_from(name, 2) : name;
    struct buf wire CLEANUP(buf_done);
    size_t at = 0;
    buf_init(&wire, DNS_NAME_WIRE);
    e->owner_wild = below.n != name.n;
    e->owner_known = false;
    e->owner_named = true;
    if (slice_eq(name, SLICE("@"))) {
        e->wrong = "names are written in full here; there is no @";
        return;
    }
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < ' ' || name.p[i] > '~') {
            e->wrong = "a name is written in ASCII, as xn--..., other octets as \\DDD";
            return;
        }
    if (dns_zone_text_name(below, &wire))
        e->wrong = "the name has an empty label, one of more than 63 octets, or is longer than 255";
    else
        e->owner_known = dns_name_read_odd(buf_view(&wire), &at, &e->owner) == OK;
}

/* A line that begins with a blank goes on with the name of the one before (RFC 1035 §5.1), unless it begins
 * with a name after all: people indent. */
static bool zone_goes_on(slice text, struct zone_word first)
{
    uint16_t type;
    uint32_t ttl;
    return text.n && (text.p[0] == ' ' || text.p[0] == '\t') &&
           (zone_type(first, &type) || slice_u32(first.text, &ttl) ||
            slice_eq_nocase(first.text, SLICE("IN")));
}

static bool zone_printable(slice word)
{
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] < ' ' || word.p[i] > '~')
            return false;
    return word.n > 0 && word.n <= 32;
}

/* TYPE RDATA, or SERVFAIL and the like. */
static void zone_data(struct zone_word type, struct cursor c, struct buf *rdata, struct zone_entry *e)
{
    struct zone_word more;
    bool bad = false, nothing = !zone_word(&(struct cursor){c.rest}, &more, &bad);
    for (size_t i = 0; i < ARRAY_LEN(zone_failures); i++)
        if (slice_eq_nocase(type.text, slice_str(zone_failures[i].word))) {
            e->record.status = (uint8_t)zone_failures[i].status;
            e->wrong = nothing ? NULL : "a failure is of a whole name: nothing stands behind it";
            return;
        }
    if (!zone_type(type, &e->record.type)) {
        e->word = zone_printable(type.text) ? type.text : (slice){0};
        e->wrong = "this is no type of record";
    } else if (e->record.type == DNS_TXT && nothing) {
        e->wrong = buf_byte(rdata, 0) ? "the data is too long" : NULL; /* one empty text */
    } else if (e->record.type && dns_zone_text_rdata(e->record.type, c.rest, rdata)) {
        e->wrong = "the data does not fit the type";
    }
}

static void zone_entry(struct buf *rdata, struct zone_entry *e)
{
    struct cursor c = cursor_of(e->text);
    struct zone_word w;
    bool bad = false, class_seen = false, ttl_seen = false;
    e->record = (struct dns_zone_record){.ttl_s = ZONE_TTL_S};
    e->skip = !zone_word(&c, &w, &bad) || slice_eq_nocase(w.text, SLICE("$TTL"));
    if (e->skip)
        return;
    if (w.text.n && w.text.p[0] == '$') {
        e->wrong = "names are written in full here; $ORIGIN and $INCLUDE are not understood";
        return;
    }
    if (!zone_goes_on(e->text, w))
        zone_owner(w.text, e);
    else if (e->owner_named)
        c = cursor_of(e->text);
    else
        e->wrong = "there is no name, here or before";
    if (e->wrong)
        return;
    e->skip = !e->owner_known;
    e->record.name = e->owner;
    e->record.wild = e->owner_wild;
    while (zone_word(&c, &w, &bad)) {
        if (!ttl_seen && !w.quoted && slice_u32(w.text, &e->record.ttl_s)) {
            ttl_seen = true;
        } else if (!class_seen && slice_eq_nocase(w.text, SLICE("IN"))) {
            class_seen = true;
        } else {
            zone_data(w, c, rdata, e);
            return;
        }
    }
    e->wrong = "the type of the record is missing";
}

static size_t zone_count_lines(slice text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

static void zone_tell(const struct zone_entry *e, struct err_detail *detail)
{
    if (e->word.n)
        err_detail_set(detail, "line %zu: %s: %.*s", e->line, e->wrong, SLICE_FMT(e->word));
    else
        err_detail_set(detail, "line %zu: %s", e->line, e->wrong);
}

enum err dns_zone_text_read(slice text, struct arena *a, struct dns_zone *out, struct err_detail *detail)
{
    size_t lines = zone_count_lines(text), line = 1;
    struct buf rdata CLEANUP(buf_done) = {.max = DNS_ZONE_RDATA_MAX + 512};
    struct zone_entry e = {.skip = false};
    struct dns_zone z = {0};
    if (lines > DNS_ZONE_RECORDS_MAX) {
        err_detail_set(detail, "more than %d lines", DNS_ZONE_RECORDS_MAX);
        return ERR_LIMIT;
    }
    z.records = ARENA_ARRAY(a, lines, struct dns_zone_record);
    if (!z.records)
        return ERR_LIMIT;
    while (text.n) {
        buf_clear(&rdata);
        zone_cut(&text, &line, &e);
        if (!e.wrong)
            zone_entry(&rdata, &e);
        if (e.wrong) {
            zone_tell(&e, detail);
            return ERR_SYNTAX;
        }
        if (e.skip)
            continue;
        if (!arena_dup(a, buf_view(&rdata), &e.record.rdata))
            return ERR_LIMIT;
        z.records[z.n++] = e.record;
    }
    *out = z;
    return OK;
}
