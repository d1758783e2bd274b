/* What the files of dmarc share. */
#ifndef POSTHORN_CORE_DMARC_DMARC__H
#define POSTHORN_CORE_DMARC_DMARC__H

#include "core/dmarc/dmarc.h"
#include "core/dmarc/dmarc_walk.h"

/* Each writes r->reason in words, into the arena; false at its cap. The first for a result under a policy,
 * the second when it is not known which policy because the author's domain may not exist, the third without a
 * policy: policy is then a record that cannot be used, or NULL. */
bool dmarc_reason(struct dmarc_result *r, const struct spf_result *spf, const struct dkim_result *dkim,
                  size_t n_dkim, struct arena *a);
bool dmarc_reason_unfound(struct dmarc_result *r, struct arena *a);
bool dmarc_reason_without(struct dmarc_result *r, const struct dmarc_walk *w, const struct dmarc_step *policy,
                          struct arena *a);

#endif
