/* The fields of a header block, chained by a cheap function of their names, so that an h= of hundreds of
 * names does not walk a thousand fields for each. */
#include "core/dkim/dkim_parts.h"
#include "core/mail/header.h"

static size_t fields_chain(const struct dkim_fields *f, slice name)
{
    size_t n = name.n;
    return (n * 7 + ascii_lower(name.p[0]) * 3u + ascii_lower(name.p[n - 1])) % ARRAY_LEN(f->chain);
}

static const char *fields_defect(uint32_t defects)
{
    static const struct {
        uint32_t defect;
        const char *words;
    } table[] = {
        {MAIL_DEFECT_HEADER_JUNK, "junk in header: a line of the header block is no field"},
        {MAIL_DEFECT_HEADER_MANY, "the message has too many header fields"},
        {MAIL_DEFECT_HEADER_NUL, "junk in header: a NUL"},
        {MAIL_DEFECT_BARE_CR, "junk in header: a CR inside a line"},
        {MAIL_DEFECT_BARE_LF, "junk in header: a line that ends with LF alone"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (defects & table[i].defect)
            return table[i].words;
    return NULL;
}

/* The lines of a block are counted first, so that the arena is asked for what is there. */
static size_t fields_room(slice header)
{
    size_t n = 1;
    while (n < DKIM_FIELDS_MAX && header.n) {
        header = slice_from(header, slice_index(header, '\n') + 1);
        n++;
    }
    return n;
}

bool dkim_fields_read(slice header, struct arena *a, struct dkim_fields *out)
{
    struct mail_limits limits = mail_limits_default;
    struct dkim_fields f = {0};
    struct header_field field;
    size_t room = fields_room(header);
    limits.header_fields = room;
    f.at = ARENA_ARRAY(a, room, struct dkim_field);
    if (!f.at)
        return false;
    struct header_iter it = header_iter(header, &limits);
    while (header_next(&it, &field)) {
        struct dkim_field *to = &f.at[f.n++];
        *to = (struct dkim_field){.name = field.name, .value = field.value, .raw = field.raw};
        if (field.name.n == 0)
            continue;
        uint32_t *chain = &f.chain[fields_chain(&f, field.name)];
        to->above = *chain;
        *chain = (uint32_t)f.n;
    }
    f.defect = fields_defect(it.defects);
    *out = f;
    return true;
}

size_t dkim_fields_count(const struct dkim_fields *f, slice name)
{
    size_t n = 0;
    if (name.n == 0)
        return 0;
    for (uint32_t i = f->chain[fields_chain(f, name)]; i; i = f->at[i - 1].above)
        n += slice_eq_nocase(f->at[i - 1].name, name);
    return n;
}

void dkim_fields_begin(struct dkim_fields *f)
{
    f->stamp++;
}

const struct dkim_field *dkim_fields_take(struct dkim_fields *f, slice name)
{
    if (name.n == 0)
        return NULL;
    for (uint32_t i = f->chain[fields_chain(f, name)]; i; i = f->at[i - 1].above) {
        struct dkim_field *field = &f->at[i - 1];
        if (field->taken != f->stamp && slice_eq_nocase(field->name, name)) {
            field->taken = f->stamp;
            return field;
        }
    }
    return NULL;
}

bool dkim_fields_hash(struct dkim_fields *f, slice h, struct dkim_header_hash *hash)
{
    struct tag_items it = tag_items(h);
    slice name;
    dkim_fields_begin(f);
    while (tag_items_next(&it, ':', &name)) {
        const struct dkim_field *field = dkim_fields_take(f, name);
        if (!field)
            continue;
        if (field->raw.n > DKIM_HASHED_MAX - f->hashed)
            return false;
        f->hashed += field->raw.n;
        dkim_header_hash_field(hash, field->raw);
    }
    return true;
}
