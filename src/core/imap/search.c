#include "core/imap/search.h"

#include "core/imap/write.h"

static const uint8_t search_costs[] = {
    [IMAP_KEY_AND] = IMAP_COST_INDEX,       [IMAP_KEY_OR] = IMAP_COST_INDEX,
    [IMAP_KEY_NOT] = IMAP_COST_INDEX,       [IMAP_KEY_ALL] = IMAP_COST_INDEX,
    [IMAP_KEY_FLAG] = IMAP_COST_INDEX,      [IMAP_KEY_NEW] = IMAP_COST_INDEX,
    [IMAP_KEY_KEYWORD] = IMAP_COST_INDEX,   [IMAP_KEY_SEQ] = IMAP_COST_INDEX,
    [IMAP_KEY_UID] = IMAP_COST_INDEX,       [IMAP_KEY_LARGER] = IMAP_COST_INDEX,
    [IMAP_KEY_SMALLER] = IMAP_COST_INDEX,   [IMAP_KEY_BEFORE] = IMAP_COST_INDEX,
    [IMAP_KEY_ON] = IMAP_COST_INDEX,        [IMAP_KEY_SINCE] = IMAP_COST_INDEX,
    [IMAP_KEY_OLDER] = IMAP_COST_INDEX,     [IMAP_KEY_YOUNGER] = IMAP_COST_INDEX,
    [IMAP_KEY_MODSEQ] = IMAP_COST_INDEX,    [IMAP_KEY_EMAILID] = IMAP_COST_INDEX,
    [IMAP_KEY_THREADID] = IMAP_COST_STORED, [IMAP_KEY_SENTBEFORE] = IMAP_COST_STORED,
    [IMAP_KEY_SENTON] = IMAP_COST_STORED,   [IMAP_KEY_SENTSINCE] = IMAP_COST_STORED,
    [IMAP_KEY_SUBJECT] = IMAP_COST_STORED,  [IMAP_KEY_FROM] = IMAP_COST_STORED,
    [IMAP_KEY_TO] = IMAP_COST_STORED,       [IMAP_KEY_CC] = IMAP_COST_STORED,
    [IMAP_KEY_BCC] = IMAP_COST_STORED,      [IMAP_KEY_HEADER] = IMAP_COST_HEADER,
    [IMAP_KEY_BODY] = IMAP_COST_BODY,       [IMAP_KEY_TEXT] = IMAP_COST_BODY,
};
static_assert(ARRAY_LEN(search_costs) == IMAP_KEY_COUNT, "every key has a cost");

bool imap_search_is_key(enum imap_search_op op)
{
    return op > IMAP_KEY_NOT;
}

enum imap_search_cost imap_search_cost(enum imap_search_op op)
{
    return (enum imap_search_cost)search_costs[op];
}

static enum imap_tri search_not(enum imap_tri a)
{
    return a == IMAP_UNKNOWN ? a : a == IMAP_YES ? IMAP_NO : IMAP_YES;
}

/* Kleene's three values: AND is no if either is, OR is yes if either is. */
static enum imap_tri search_join(enum imap_search_op op, enum imap_tri a, enum imap_tri b)
{
    enum imap_tri wins = op == IMAP_KEY_AND ? IMAP_NO : IMAP_YES;
    if (a == wins || b == wins)
        return wins;
    return a == IMAP_UNKNOWN ? a : b;
}

enum imap_tri imap_search_eval(const struct imap_search *s, const uint8_t *answers)
{
    enum imap_tri stack[IMAP_SEARCH_TERMS_MAX];
    size_t top = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct imap_search_key *k = &s->keys[i];
        if (imap_search_is_key(k->op)) {
            enum imap_tri v = (enum imap_tri)answers[i];
            must(top < IMAP_SEARCH_TERMS_MAX);
            stack[top++] = k->negate ? search_not(v) : v;
        } else if (k->op == IMAP_KEY_NOT) {
            must(top >= 1);
            stack[top - 1] = search_not(stack[top - 1]);
        } else {
            must(top >= 2);
            top--;
            stack[top - 1] = search_join(k->op, stack[top - 1], stack[top]);
        }
    }
    must(top == 1);
    return stack[0];
}

bool imap_search_needs(const struct imap_search *s, uint8_t *answers, size_t i)
{
    uint8_t was = answers[i];
    enum imap_tri yes, no;
    answers[i] = IMAP_YES;
    yes = imap_search_eval(s, answers);
    answers[i] = IMAP_NO;
    no = imap_search_eval(s, answers);
    answers[i] = was;
    return yes != no || yes == IMAP_UNKNOWN;
}

void imap_search_resolve(struct imap_search *s, uint32_t seq_max, uint32_t uid_max)
{
    for (size_t i = 0; i < s->n; i++) {
        struct imap_search_key *k = &s->keys[i];
        if (k->op == IMAP_KEY_SEQ)
            imap_set_resolve(&k->set, seq_max);
        else if (k->op == IMAP_KEY_UID)
            imap_set_resolve(&k->set, uid_max);
    }
}

void imap_search_write_head(struct buf *b, slice tag, bool uid)
{
    (void)buf_str(b, "* ESEARCH (TAG "); /* the caller asks buf_failed() */
    imap_write_string(b, tag, false);
    (void)buf_str(b, uid ? ") UID" : ")");
}
