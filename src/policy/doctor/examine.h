/* examine: from what was observed to findings: the checks of doctor, one function each, in a table.
 *
 * A function of the setup, the facts and a dns_table (core/dns/dns_table.h): it notes its questions, returns
 * AUTH_WAIT, and is run again from the start when the answers are there. Nothing is concluded from an answer
 * that did not come: that is a finding of its own (unobserved). */
#ifndef POSTHORN_POLICY_DOCTOR_EXAMINE_H
#define POSTHORN_POLICY_DOCTOR_EXAMINE_H

#include "core/auth/auth.h"
#include "core/dns/dns_table.h"
#include "policy/doctor/facts.h"
#include "policy/doctor/finding.h"

/* Room in the dns_table for one domain's questions, and for those of the host. */
#define EXAMINE_QUESTIONS 256

/* AUTH_DONE: *out holds what was found, sorted. The arena is for *out and for scratch; a run that ended with
 * AUTH_WAIT has used some of it. */
NODISCARD enum auth_step examine(const struct setup *setup, const struct facts *facts, struct dns_table *dns,
                                 struct arena *a, struct findings *out);

/* The same before anything is set up (`posthorn doctor --before-install`): setup has one domain and the
 * addresses that the server shall have. What is not there yet because it was not made yet is no finding. */
NODISCARD enum auth_step examine_before(const struct setup *setup, const struct facts *facts,
                                        struct dns_table *dns, struct arena *a, struct findings *out);

/* Is this a resolver that everybody may ask? Its name ("Google Public DNS"), or NULL. */
const char *examine_public_resolver(slice address);

#endif
