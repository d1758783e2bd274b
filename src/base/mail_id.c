#include "base/mail_id.h"

#define MAIL_ID_EPOCH 1577836800000 /* 2020-01-01T00:00:00Z */

static const char mail_id_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

uint64_t mail_id_next(struct mail_id_maker *m, time_ms now)
{
    time_ms t = now - MAIL_ID_EPOCH;
    if (t < 1)
        t = 1; /* a clock before 2020 must not stop mail */
    if (t <= m->last) {
        t = m->last;
        if (++m->count == 0)
            t++; /* the counter is spent: borrow from the next millisecond */
    } else {
        m->count = 0;
    }
    m->last = t;
    return (uint64_t)t << 22 | (uint64_t)(m->process & 63) << 16 | m->count;
}

void mail_id_print(uint64_t id, char out[MAIL_ID_TEXT + 1])
{
    for (int i = 0; i < MAIL_ID_TEXT; i++)
        out[i] = mail_id_digits[id >> (5 * (MAIL_ID_TEXT - 1 - i)) & 31];
    out[MAIL_ID_TEXT] = 0;
}

enum err mail_id_parse(slice text, uint64_t *out)
{
    uint64_t id = 0;
    if (text.n != MAIL_ID_TEXT)
        return ERR_SYNTAX;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = strchr(mail_id_digits, ascii_upper(text.p[i]));
        if (text.p[i] == 0 || !at || (i == 0 && at - mail_id_digits > 15))
            return ERR_SYNTAX;
        id = id << 5 | (uint64_t)(at - mail_id_digits);
    }
    *out = id;
    return OK;
}

time_ms mail_id_time(uint64_t id)
{
    return (time_ms)(id >> 22) + MAIL_ID_EPOCH;
}
