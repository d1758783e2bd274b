/* auth: the words in which every check of a message's origin answers (RFC 8601 §2.7), and how a check that
 * needs the DNS is run.
 *
 * Results travel through the house as these values; the Authentication-Results field is for clients only
 * (THREATS 21). */
#ifndef POSTHORN_CORE_AUTH_AUTH_H
#define POSTHORN_CORE_AUTH_AUTH_H

#include "base/slice.h"

/* The numbers travel on channels and lie in the journal: never reuse or renumber one. */
enum auth_result {
    AUTH_NONE = 0,
    AUTH_PASS = 1,
    AUTH_FAIL = 2,
    AUTH_SOFTFAIL = 3, /* SPF only */
    AUTH_NEUTRAL = 4,
    AUTH_POLICY = 5, /* valid, but not by our rules */
    AUTH_TEMPERROR = 6,
    AUTH_PERMERROR = 7,
    AUTH__LAST = AUTH_PERMERROR
};

/* "pass", "temperror", ... Static memory; "none" for numbers outside. */
slice auth_result_word(enum auth_result r);

/* What a check that is a function of a dns_table returns. */
enum auth_step {
    AUTH_DONE,     /* *out is filled in */
    AUTH_WAIT,     /* questions were noted; run it again when answers are there */
    AUTH_NO_MEMORY /* the arena's cap: the message is deferred */
};

#endif
