/* The fields of a header block, chained by a cheap function of their names, so that an h= of hundreds of
 * names does not walk a thousand fields for each. Who makes names on which it is the same has a few of them
 * compared, as long as DKIM_NAME_MAX lets them be (THREATS 6). */
#include "core/dkim/dkim_parts.h"
#include "core/mail/header.h"

/* FNV-1a over the name in lower case. */
static uint32_t fields_key(slice name)
{
    uint32_t key = 2166136261u;
    for (size_t i = 0; i < name.n; i++)
        key = (key ^ ascii_lower(name.p[i])) * 16777619u;
    return key;
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
        if (field.name.n == 0 || field.name.n > DKIM_NAME_MAX) /* a name nobody signs is not looked for */
            continue;
        to->key = fields_key(field.name);
        uint32_t *chain = &f.chain[to->key % ARRAY_LEN(f.chain)];
        to->above = *chain;
        *chain = (uint32_t)f.n;
    }
    if (slice_starts(it.rest, SLICE("\n"))) /* strict readers take the empty line for junk, and read on */
        it.defects |= MAIL_DEFECT_BARE_LF;
    f.defect = fields_defect(it.defects);
    *out = f;
    return true;
}

size_t dkim_fields_count(const struct dkim_fields *f, slice name)
{
    size_t n = 0;
    uint32_t key;
    if (name.n == 0 || name.n > DKIM_NAME_MAX)
        return 0;
    key = fields_key(name);
    for (uint32_t i = f->chain[key % ARRAY_LEN(f->chain)]; i; i = f->at[i - 1].above)
        n += f->at[i - 1].key == key && slice_eq_nocase(f->at[i - 1].name, name);
    return n;
}

void dkim_fields_begin(struct dkim_fields *f)
{
    f->stamp++;
}

const struct dkim_field *dkim_fields_take(struct dkim_fields *f, slice name)
{
    uint32_t key;
    if (name.n == 0 || name.n > DKIM_NAME_MAX)
        return NULL;
    key = fields_key(name);
    for (uint32_t i = f->chain[key % ARRAY_LEN(f->chain)]; i; i = f->at[i - 1].above) {
        struct dkim_field *field = &f->at[i - 1];
        if (field->key == key && field->taken != f->stamp && field->raw.p != f->itself.p &&
            slice_eq_nocase(field->name, name)) {
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
