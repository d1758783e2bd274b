#include "text/xml.h"

#include "text/utf8.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK      ((size_t)16 * 1024)
#define NAMES_MAX  ((size_t)256 * 1024) /* bytes of all different names together */
#define REASON_MAX 160

struct xml {
    const struct xml_handler *handler;
    void *arg;
    xmlParserCtxt *parser;
    enum err over; /* why no more is read */
    bool begun;    /* something other than blanks came */
    bool element;  /* an element came */
    size_t depth, mistakes;
    size_t spaces;                   /* namespaces declared by the elements that are open */
    uint8_t at_depth[XML_DEPTH_MAX]; /* how many of them by each */
    size_t quiet;                    /* bytes since the last event */
    uint8_t tail[4];                 /* the beginning of a UTF-8 sequence */
    size_t tail_n;
    enum { BYTES, LITTLE, BIG } wide; /* UTF-16, of which byte order */
    uint8_t start[2];                 /* the first two bytes tell which */
    size_t start_n;
    uint8_t odd; /* the first byte of a unit */
    bool has_odd;
    uint32_t high; /* the first half of a pair; 0: none */
    size_t reason_n;
    char reason[REASON_MAX];
};

static void xml_over(struct xml *x, enum err e)
{
    if (x->over)
        return;
    x->over = e;
    xmlStopParser(x->parser);
}

static slice xml_name(const xmlChar *name)
{
    return slice_str((const char *)name);
}

static void on_open(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_spaces,
                    const xmlChar **spaces, int n_attributes, int n_defaulted, const xmlChar **attributes)
{
    struct xml *x = arg;
    (void)prefix, (void)uri, (void)spaces, (void)n_defaulted, (void)attributes;
    x->quiet = 0;
    x->element = true;
    if (x->over)
        return;
    /* libxml2 compares each attribute with those before it, and looks a prefix up among all the namespaces
     * that are open: one tag may be that expensive, ten thousand may not (THREATS 6) */
    if (++x->depth > XML_DEPTH_MAX || n_attributes > XML_ATTRIBUTES_MAX || n_spaces > XML_ATTRIBUTES_MAX ||
        x->spaces + (size_t)n_spaces > XML_SPACES_MAX) {
        xml_over(x, ERR_LIMIT);
        return;
    }
    x->at_depth[x->depth - 1] = (uint8_t)n_spaces;
    x->spaces += (size_t)n_spaces;
    if (!x->handler->open(x->arg, xml_name(name)))
        xml_over(x, ERR_LIMIT);
}

static void on_close(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct xml *x = arg;
    (void)prefix, (void)uri;
    x->quiet = 0;
    if (x->over)
        return;
    if (x->depth > 0)
        x->spaces -= x->at_depth[--x->depth];
    if (!x->handler->close(x->arg, xml_name(name)))
        xml_over(x, ERR_LIMIT);
}

static void on_text(void *arg, const xmlChar *text, int n)
{
    struct xml *x = arg;
    x->quiet = 0;
    if (!x->over && n > 0 && !x->handler->text(x->arg, slice_of(text, (size_t)n)))
        xml_over(x, ERR_LIMIT);
}

static void on_comment(void *arg, const xmlChar *text)
{
    struct xml *x = arg;
    (void)text;
    x->quiet = 0;
}

static void on_instruction(void *arg, const xmlChar *target, const xmlChar *data)
{
    struct xml *x = arg;
    (void)target, (void)data;
    x->quiet = 0;
}

/* Called for every DOCTYPE before anything in it counts. */
static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    xml_over(arg, ERR_DENIED);
}

static void on_mistake(void *arg, xmlError *error)
{
    struct xml *x = arg;
    size_t n;
    if (error->level < XML_ERR_ERROR || x->over)
        return;
    if (x->mistakes++ == 0) {
        int printed = snprintf(x->reason, sizeof x->reason, "line %d: %s", error->line,
                               error->message ? error->message : "not well-formed");
        n = printed < 0 ? 0 : size_min((size_t)printed, sizeof x->reason - 1);
        for (size_t i = 0; i < n; i++)
            if (x->reason[i] < ' ' || x->reason[i] > '~')
                x->reason[i] = ' ';
        x->reason_n = slice_trim(slice_of(x->reason, n)).n;
    }
    if (error->code == XML_ERR_NO_MEMORY || x->mistakes > XML_MISTAKES_MAX)
        xml_over(x, ERR_LIMIT); /* the dictionary at its bound says "no memory", too */
}

void xml_warm_up(void)
{
    xmlInitParser();
}

struct xml *xml_new(const struct xml_handler *handler, void *arg)
{
    struct xml *x = calloc(1, sizeof *x);
    xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
                         .startElementNs = on_open,
                         .endElementNs = on_close,
                         .characters = on_text,
                         .cdataBlock = on_text,
                         .ignorableWhitespace = on_text,
                         .comment = on_comment,
                         .processingInstruction = on_instruction,
                         .internalSubset = on_doctype,
                         .serror = on_mistake};
    if (!x)
        return NULL;
    x->handler = handler;
    x->arg = arg;
    x->parser = xmlCreatePushParserCtxt(&sax, x, NULL, 0, NULL);
    if (!x->parser) {
        free(x);
        return NULL;
    }
    /* IGNORE_ENC: what we hand over is UTF-8 already */
    xmlCtxtUseOptions(x->parser, XML_PARSE_RECOVER | XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
    xmlDictSetLimit(x->parser->dict, NAMES_MAX);
    return x;
}

void xml_free(struct xml **x)
{
    if (!*x)
        return;
    xmlFreeParserCtxt((*x)->parser);
    free(*x);
    *x = NULL;
}

/* Blanks for control characters, U+FFFD for what is no UTF-8 (XML 1.0 §2.2). */
static enum err xml_clean(slice in, struct buf *out)
{
    size_t from = out->n;
    enum err e = utf8_sanitise(in, out);
    for (size_t i = from; i < out->n; i++)
        if (out->p[i] < ' ' && out->p[i] != '\t' && out->p[i] != '\n' && out->p[i] != '\r')
            out->p[i] = ' ';
    return e;
}

static enum err xml_chunk(struct xml *x, slice clean, bool last)
{
    if (x->over)
        return x->over;
    x->quiet += clean.n;
    /* what is wrong comes by on_mistake() */
    (void)xmlParseChunk(x->parser, (const char *)clean.p, (int)clean.n, last);
    if (!x->over && x->quiet > XML_TOKEN_MAX)
        xml_over(x, ERR_LIMIT);
    return x->over;
}

static enum err xml_bytes(struct xml *x, slice piece)
{
    struct buf clean CLEANUP(buf_done);
    buf_init(&clean, 4 * CHUNK);
    if (!x->begun) { /* what stands before the first "<" may be a mark of the encoding, or an empty line */
        size_t skip = 0;
        while (skip < piece.n && piece.p[skip] != '<' && (piece.p[skip] <= ' ' || piece.p[skip] >= 0x80))
            skip++;
        piece = slice_from(piece, skip);
        x->begun = piece.n > 0;
    }
    while (piece.n && !x->over) {
        slice part = slice_sub(piece, 0, CHUNK);
        uint8_t room[CHUNK + sizeof x->tail];
        size_t keep;
        piece = slice_from(piece, part.n);
        memcpy(room, x->tail, x->tail_n);
        memcpy(room + x->tail_n, part.p, part.n);
        part = slice_of(room, x->tail_n + part.n);
        keep = utf8_incomplete_tail(part);
        x->tail_n = keep;
        memcpy(x->tail, part.p + part.n - keep, keep);
        buf_clear(&clean);
        must(xml_clean(slice_sub(part, 0, part.n - keep), &clean) == OK); /* at most three bytes for one */
        if (xml_chunk(x, buf_view(&clean), false))
            break;
    }
    return x->over;
}

static void put_utf8(uint32_t c, struct buf *out)
{
    if (c < 0x80) {
        buf_byte(out, (uint8_t)c);
    } else if (c < 0x800) {
        buf_byte(out, (uint8_t)(0xc0 | c >> 6));
        buf_byte(out, (uint8_t)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_byte(out, (uint8_t)(0xe0 | c >> 12));
        buf_byte(out, (uint8_t)(0x80 | (c >> 6 & 63)));
        buf_byte(out, (uint8_t)(0x80 | (c & 63)));
    } else {
        buf_byte(out, (uint8_t)(0xf0 | c >> 18));
        buf_byte(out, (uint8_t)(0x80 | (c >> 12 & 63)));
        buf_byte(out, (uint8_t)(0x80 | (c >> 6 & 63)));
        buf_byte(out, (uint8_t)(0x80 | (c & 63)));
    }
}

/* UTF-16 (RFC 2781 §2.2); half a pair becomes U+FFFD. iconv is not used: it loads files. */
static enum err xml_wide(struct xml *x, slice piece)
{
    struct buf out CLEANUP(buf_done);
    buf_init(&out, 4 * CHUNK);
    for (size_t i = 0; i < piece.n && !x->over; i++) {
        uint32_t unit;
        if (!x->has_odd) {
            x->odd = piece.p[i];
            x->has_odd = true;
            continue;
        }
        x->has_odd = false;
        unit = x->wide == LITTLE ? (uint32_t)piece.p[i] << 8 | x->odd : (uint32_t)x->odd << 8 | piece.p[i];
        if (unit >= 0xdc00 && unit < 0xe000 && x->high) {
            put_utf8(0x10000 + ((x->high - 0xd800) << 10) + (unit - 0xdc00), &out);
            x->high = 0;
        } else {
            if (x->high)
                put_utf8(0xfffd, &out);
            x->high = unit >= 0xd800 && unit < 0xdc00 ? unit : 0;
            if (!x->high)
                put_utf8(unit >= 0xdc00 && unit < 0xe000 ? 0xfffd : unit, &out);
        }
        if (out.n > 3 * CHUNK) {
            IGNORE_RESULT(xml_bytes(x, buf_view(&out)), "x->over says it");
            buf_clear(&out);
        }
    }
    return x->over ? x->over : xml_bytes(x, buf_view(&out));
}

static enum err xml_known(struct xml *x, slice piece)
{
    return x->wide == BYTES ? xml_bytes(x, piece) : xml_wide(x, piece);
}

enum err xml_feed(struct xml *x, slice piece)
{
    enum err e;
    if (x->start_n == sizeof x->start)
        return xml_known(x, piece);
    while (piece.n && x->start_n < sizeof x->start) {
        x->start[x->start_n++] = piece.p[0];
        piece = slice_from(piece, 1);
    }
    if (x->start_n < sizeof x->start)
        return x->over;
    if ((x->start[0] == 0xff && x->start[1] == 0xfe) || (x->start[0] == '<' && x->start[1] == 0))
        x->wide = LITTLE;
    else if ((x->start[0] == 0xfe && x->start[1] == 0xff) || (x->start[0] == 0 && x->start[1] == '<'))
        x->wide = BIG;
    e = xml_known(x, slice_of(x->start, sizeof x->start));
    return e ? e : xml_known(x, piece);
}

enum err xml_end(struct xml *x)
{
    enum err e = x->start_n == 1 ? xml_bytes(x, slice_of(x->start, 1)) : OK;
    if (e)
        return e;
    e = xml_chunk(x, SLICE(""), true);
    if (e)
        return e;
    return x->element ? OK : ERR_SYNTAX;
}

size_t xml_mistakes(const struct xml *x)
{
    return x->mistakes;
}

slice xml_reason(const struct xml *x)
{
    return slice_of(x->reason, x->reason_n);
}
