/* What check.c (who may look when) and check_run.c (one look, from its beginning to its end) share. */
#ifndef POSTHORN_PROC_DOCTOR_CHECK__H
#define POSTHORN_PROC_DOCTOR_CHECK__H

#include "proc/doctor/check.h"
#include "proc/doctor/gather.h"

#define CHECK_EVERY_MS MS_HOUR

/* A round, or a check of one domain. */
struct check {
    struct list link;
    struct doctor *doctor;
    struct doctor_call *call; /* NULL: the clock, or the asker is gone */
    char only[256];
    bool running;
    struct arena arena; /* of the part under way */
    struct gathered gathered;
    struct survey_outward outward[SURVEY_OUTWARD_MAX];
    /* of the whole round */
    struct arena round;
    struct rounds_domain *domains; /* all of ours */
    size_t n_domains;
    slice *all;   /* their names */
    slice *names; /* those that this round looks at */
    size_t n_names, at;
    slice last;
    enum err names_err; /* which domains are ours is not known */
    enum err err;       /* of a part that did not come to its end */
    bool house_looked, silent;
    size_t looked, found;
    enum finding_severity worst;
    struct findings opened, closed;
};

struct doctor_check {
    struct list checks;
    struct kept *kept;
    struct survey_trust *trust;
    bool off;
    uint32_t test_dns_port, test_probe_s;
    time_ms last_at;
    time_ms next_at; /* monotonic: the next round by the clock */
    uint64_t done;
};

/* check.c: answers of the DNS for a survey; arg is the struct doctor. */
void check__lookup(void *arg, slice name, uint16_t type, void (*fn)(void *fn_arg, const struct dns_answer *a),
                   void *fn_arg);
/* Starts what may start. */
void check__next(struct doctor *d);
/* check_run.c: begins; at the end the check is gone, and check__next() was called. Never before this returns.
 */
void check__start(struct check *c);
/* A word for who waits. */
void check__progress(struct check *c, const char *text);

#endif
