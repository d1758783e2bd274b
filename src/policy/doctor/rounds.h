/* rounds: which of our domains a round of checks looks at, when there are too many for one.
 *
 * Every round: the domains that the server itself lives in, and those that something was wrong with when they
 * were last looked at, as far as ROUNDS_WRONG. Of the rest so many as the round has room for, in the order of
 * their names, from where the last round ended: so each has its turn. With an hour between rounds and
 * rounds_rest() a round, each is looked at within ROUNDS_A_DAY hours. */
#ifndef POSTHORN_POLICY_DOCTOR_ROUNDS_H
#define POSTHORN_POLICY_DOCTOR_ROUNDS_H

#include "base/slice.h"

#define ROUNDS_REST  256 /* of the rest at least */
#define ROUNDS_WRONG 256
#define ROUNDS_A_DAY 20 /* rounds in which all have their turn; a day has more, for those that are lost */

struct rounds_domain {
    slice name;  /* in the order of slice_cmp(), none twice */
    bool always; /* the server lives there */
    bool wrong;  /* something was wrong there */
    bool chosen; /* out: this round looks at it */
    bool looked; /* for who looks: it did */
};

/* How many of the rest of n domains a round by the clock looks at. */
size_t rounds_rest(size_t n);
/* Sets chosen in each; after: the name that the last round ended with, or empty. How many were chosen;
 * *out_last: the name that this round ends with, one of d; empty when there is none. */
size_t rounds_choose(struct rounds_domain *d, size_t n, slice after, size_t rest, slice *out_last);

/* The one with this name, or NULL. */
struct rounds_domain *rounds_find(struct rounds_domain *d, size_t n, slice name);

#endif
