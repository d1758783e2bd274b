/* survey/certificate: what a certificate shows to a stranger: its time, its names, its chain. */
#ifndef POSTHORN_SURVEY_CERTIFICATE_H
#define POSTHORN_SURVEY_CERTIFICATE_H

#include "policy/doctor/facts.h"
#include "sys/tls.h"

struct survey_certificates; /* those that are trusted */

NODISCARD enum err survey_certificates_new(slice pem, struct survey_certificates **out);
void survey_certificates_free(struct survey_certificates **c);
/* Of an established connection. Slices live in the arena. Time is not part of the chain's judgement: an
 * expired certificate with a whole chain has a whole chain. */
void survey_certificate_see(struct survey_certificates *c, const struct tls *t, slice hostname,
                            struct arena *arena, struct facts_certificate *out);

#endif
