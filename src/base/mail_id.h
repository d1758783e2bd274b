/* mail_id: the id a message has from its first byte, in our Received field, the queue, the journal and
 * `posthorn trace`.
 *
 * 64 bits: 42 of milliseconds since 2020 (139 years), 6 of the process that made it, 16 of a counter. Written
 * as 13 digits of Crockford's base 32 (no I, L, O, U), so ids sort by time as text. */
#ifndef POSTHORN_BASE_MAIL_ID_H
#define POSTHORN_BASE_MAIL_ID_H

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

#define MAIL_ID_TEXT 13

struct mail_id_maker {
    uint8_t process; /* 0..63, different for every process that makes ids at the same time */
    uint16_t count;
    time_ms last; /* ids never run backwards, even when the clock does */
};

/* A new id, never zero. now is Unix time. */
uint64_t mail_id_next(struct mail_id_maker *m, time_ms now);
/* Writes MAIL_ID_TEXT characters and a NUL. */
void mail_id_print(uint64_t id, char out[MAIL_ID_TEXT + 1]);
/* Reads them back, either case. ERR_SYNTAX when it is no id. */
NODISCARD enum err mail_id_parse(slice text, uint64_t *out);
/* When the id was made (Unix time). */
time_ms mail_id_time(uint64_t id);

#endif
