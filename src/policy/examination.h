/* examination: all that can be found out about where one message comes from: iprev, SPF, DKIM, ARC and DMARC
 * over one dns_table.
 *
 * It runs the evaluators of src/core and puts their results into one struct auth_results; what follows from
 * them is policy/authentication's to say. The first questions of all checks are noted before anything waits,
 * so the time it takes in the DNS is that of the longest chain, not the sum.
 *
 *     begin, body..., body_end     the message passes by once
 *     want                         any time: notes the questions that do not need the body
 *     step                         until it does not say AUTH_WAIT; then results
 *
 * Invariants: 1. a result that is there never changes. 2. without a usable author (no From field, several, or
 * an address in it that has no domain) DMARC is permerror, or what the authors that can be looked at make of
 * it when that is worse: nobody is taken at their word (THREATS 20).
 *
 * Limits: those of the evaluators; at most EXAMINATION_QUESTIONS questions make sense in one table. */
#ifndef POSTHORN_POLICY_EXAMINATION_H
#define POSTHORN_POLICY_EXAMINATION_H

#include "core/auth/auth_results.h"
#include "core/mail/limits.h"

#define EXAMINATION_QUESTIONS 300

struct examination_ask {
    slice header;       /* the header block with its empty line; empty: there is no message, SPF alone */
    struct ip client;   /* who hands it over; none: there is no iprev and no SPF */
    slice helo;         /* as the client said it */
    slice reverse_path; /* local@domain, or empty: the null sender */
    slice hostname;     /* ours */
    time_ms now;        /* Unix */
};

struct examination;

/* Views into ask are kept; everything lives in the arena. NULL at its cap. */
struct examination *examination_begin(const struct examination_ask *ask, const struct mail_limits *limits,
                                      struct arena *a);
/* The next piece of the body; any split gives the same results. */
void examination_body(struct examination *x, slice piece);
void examination_body_end(struct examination *x);
/* Notes what is known to be asked, before the body is there. */
void examination_want(struct examination *x, struct dns_table *dns);
/* After the body's end. Run again when answers are there. cache may be NULL. */
NODISCARD enum auth_step examination_step(struct examination *x, struct dns_table *dns,
                                          struct dkim_keys_cache *cache);
/* After AUTH_DONE. Lives as long as the arena. */
const struct auth_results *examination_results(const struct examination *x);
/* After AUTH_DONE: does the domain that SPF was asked about say that it sends no mail at all ("v=spf1 -all"
 * and nothing else)? */
bool examination_sends_nothing(const struct examination *x);
/* Does From hold an address that cannot be looked at (no usable domain behind its "@", beside other
 * addresses, or too many of them)? Somebody's program may show it as the author. */
bool examination_odd_author(const struct examination *x);
/* Does it say that it comes by a mailing list (a List-Id field, RFC 2919)? Anybody can say so. */
bool examination_of_list(const struct examination *x);

#endif
