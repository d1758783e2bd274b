#include "core/dns/dns_table.h"

struct dns_table_row {
    struct dns_name name;
    uint16_t type;
    bool answered;
    struct dns_answer answer;
};

static const struct dns_answer dns_table_nowhere = {.status = DNS_ANSWER_NXDOMAIN};
static const struct dns_answer dns_table_full = {.status = DNS_ANSWER_TEMPFAIL};

bool dns_table_init(struct dns_table *t, struct arena *arena, size_t questions_max)
{
    *t = (struct dns_table){.arena = arena, .max = questions_max};
    t->rows = ARENA_ARRAY(arena, questions_max, struct dns_table_row *);
    return t->rows != NULL;
}

/* The table is small (a message asks a few dozen questions), so it is searched from its beginning. */
static const struct dns_answer *dns_table_find(struct dns_table *t, const struct dns_name *name,
                                               uint16_t type)
{
    struct dns_table_row *row;
    for (size_t i = 0; i < t->n; i++) {
        row = t->rows[i];
        if (row->type == type && dns_name_eq(&row->name, name))
            return row->answered ? &row->answer : NULL;
    }
    row = t->n == t->max ? NULL : ARENA_NEW(t->arena, struct dns_table_row);
    if (!row)
        return &dns_table_full;
    row->name = *name;
    row->type = type;
    t->rows[t->n++] = row;
    return NULL;
}

const struct dns_answer *dns_table_get(struct dns_table *t, slice name, uint16_t type)
{
    struct dns_name parsed;
    return dns_name_parse(name, &parsed) ? &dns_table_nowhere : dns_table_find(t, &parsed, type);
}

const struct dns_answer *dns_table_get_odd(struct dns_table *t, slice name, uint16_t type)
{
    struct dns_name parsed;
    return dns_name_parse_odd(name, &parsed) ? &dns_table_nowhere : dns_table_find(t, &parsed, type);
}

bool dns_table_next(struct dns_table *t, size_t *out_question, slice *out_name, uint16_t *out_type)
{
    if (t->sent == t->n)
        return false;
    *out_question = t->sent;
    *out_name = dns_name_view(&t->rows[t->sent]->name);
    *out_type = t->rows[t->sent]->type;
    t->sent++;
    return true;
}

static bool dns_table_copy(struct dns_table *t, const struct dns_answer *from, struct dns_answer *to)
{
    size_t bytes = 0;
    slice *rdata;
    if (from->n > DNS_TABLE_RRS_MAX)
        return false;
    rdata = ARENA_ARRAY(t->arena, from->n, slice);
    if (!rdata)
        return false;
    for (size_t i = 0; i < from->n; i++) {
        if (from->rdata[i].n > DNS_TABLE_RDATA_MAX - bytes || !arena_dup(t->arena, from->rdata[i], &rdata[i]))
            return false;
        bytes += from->rdata[i].n;
    }
    *to = *from;
    to->rdata = rdata;
    return true;
}

void dns_table_put(struct dns_table *t, size_t question, const struct dns_answer *answer)
{
    must(question < t->sent);
    struct dns_table_row *row = t->rows[question];
    if (row->answered)
        return;
    if (!dns_table_copy(t, answer, &row->answer))
        row->answer = dns_table_full;
    row->answered = true;
}

size_t dns_table_open(const struct dns_table *t)
{
    size_t open = 0;
    for (size_t i = 0; i < t->sent; i++)
        open += !t->rows[i]->answered;
    return open;
}
