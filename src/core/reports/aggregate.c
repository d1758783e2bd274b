#include "core/reports/aggregate.h"

slice aggregate_disposition_word(enum aggregate_disposition d)
{
    static const slice words[] = {SLICE_INIT("none"), SLICE_INIT("pass"), SLICE_INIT("quarantine"),
                                  SLICE_INIT("reject")};
    return words[(unsigned)d < ARRAY_LEN(words) ? d : AGGREGATE_NONE];
}

slice aggregate_reason_word(enum aggregate_reason r)
{
    static const slice words[] = {
        SLICE_INIT(""),          SLICE_INIT("local_policy"),     SLICE_INIT("mailing_list"),
        SLICE_INIT("other"),     SLICE_INIT("policy_test_mode"), SLICE_INIT("trusted_forwarder"),
        SLICE_INIT("forwarded"), SLICE_INIT("sampled_out"),
    };
    static_assert(ARRAY_LEN(words) == AGGREGATE_REASON__LAST + 1, "every reason has a word");
    return words[(unsigned)r < ARRAY_LEN(words) ? r : AGGREGATE_REASON_NO];
}

struct aggregate_record *aggregate_add(struct aggregate_report *r, struct arena *a)
{
    struct aggregate_record *record = ARENA_NEW(a, struct aggregate_record);
    if (!record)
        return NULL;
    if (r->last)
        r->last->next = record;
    else
        r->records = record;
    r->last = record;
    r->n_records++;
    return record;
}
