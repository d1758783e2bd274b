/* check: looks at this server from outside every hour and keeps what it finds. */
#include "proc/doctor/doctor.h"

#define CHECK_FIRST_MS MS_MINUTE
#define CHECK_EVERY_MS MS_HOUR

static void check_run(struct doctor *d)
{
    (void)d;
}

static void check_verb(struct doctor *d, struct doctor_call *call)
{
    (void)d;
    doctor_end(call, OK, (slice){0});
}

static const struct doctor_verb check_verbs[] = {
    {"doctor", 0, 1, check_verb},
};

const struct doctor_part doctor_check_part = {
    .name = "check",
    .run = check_run,
    .first_ms = CHECK_FIRST_MS,
    .every_ms = CHECK_EVERY_MS,
    .verbs = check_verbs,
    .n_verbs = ARRAY_LEN(check_verbs),
};
