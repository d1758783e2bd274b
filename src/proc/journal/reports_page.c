#include "proc/journal/reports__.h"

struct reports__page reports__page_of(struct stmt *q, struct arena *a, size_t row_bytes)
{
    struct reports__page p = {.q = q, .a = a, .row_bytes = row_bytes};
    p.rows = arena_array(a, REPORT_PAGE_ROWS, row_bytes);
    p.before = a->used;
    p.e = p.rows ? OK : ERR_LIMIT;
    return p;
}

void *reports__row(struct reports__page *p)
{
    enum err e = p->e ? p->e : stmt_row(p->q);
    if (e) {
        p->e = e == ERR_NOT_FOUND ? OK : e;
        return NULL;
    }
    /* What the rows point at is about what they take on the channel. */
    p->more = p->n == REPORT_PAGE_ROWS || p->a->used - p->before > REPORT_PAGE_BYTES;
    return p->more ? NULL : p->rows + p->n++ * p->row_bytes;
}

slice reports__text(struct reports__page *p, int column)
{
    slice out = {0};
    if (!arena_dup(p->a, stmt_slice(p->q, column), &out))
        p->e = ERR_LIMIT;
    return out;
}

void reports__signatures(struct reports__page *p, int column, const struct report_dkim **out, size_t *out_n)
{
    slice text = reports__text(p, column);
    if (!p->e)
        p->e = reports__dkim_parse(text, p->a, out, out_n);
}
