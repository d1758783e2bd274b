#include "policy/inbound.h"

#include "policy/header_check.h"

bool inbound_decide(slice message, const struct mail_limits *limits, struct arena *a, struct verdict *out)
{
    struct verdict v = {.action = VERDICT_ACCEPT};
    struct header_checked h;
    slice *ids;
    size_t n;
    header_check(message, limits, &v, &h);
    if (h.fields.count[FIELD_RECEIVED] > INBOUND_RECEIVED_MAX)
        verdict_reject(&v, 554, SLICE("5.4.6"),
                       SLICE("This message has passed through more than 30 servers: it is going in circles"));
    if (h.fields.count[FIELD_FROM] == 0)
        verdict_reject(
            &v, 550, SLICE("5.6.0"),
            SLICE("This message has no From field, so nobody could tell who wrote it; send it with "
                  "exactly one (RFC 5322, section 3.6)"));
    if (h.fields.defects & MAIL_DEFECT_DUPLICATE)
        verdict_reason(&v, SLICE("a header field that may be there once is there more often"));
    if (!address_msg_ids(h.fields.value[FIELD_MESSAGE_ID], 1, a, &ids, &n))
        return false;
    if (n)
        v.message_id = ids[0];
    *out = v;
    return true;
}
