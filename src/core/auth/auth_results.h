/* auth_results: all that the checks found about one message, and the Authentication-Results field made of it
 * (RFC 8601). The struct is what the house decides by; the field is for clients. */
#ifndef POSTHORN_CORE_AUTH_AUTH_RESULTS_H
#define POSTHORN_CORE_AUTH_AUTH_RESULTS_H

#include "base/buf.h"
#include "core/arc/arc.h"
#include "core/auth/auth.h"
#include "core/dkim/dkim.h"
#include "core/dmarc/dmarc.h"
#include "core/iprev/iprev.h"
#include "core/spf/spf.h"

struct auth_results {
    slice client; /* its address as text */
    slice helo;
    slice reverse_path; /* as mailbox_print() writes it; empty: the null sender */
    struct iprev_result iprev;
    struct spf_result spf;
    const struct dkim_result *dkim;
    size_t n_dkim;
    struct arc_result arc;
    struct dmarc_result dmarc;
};

/* Appends the value of the field: "mx.example.org; spf=pass smtp.mailfrom=...; dkim=...". Every piece from
 * outside was checked to be a domain name or is quoted or left out (THREATS 21). ERR_LIMIT when out is full.
 */
NODISCARD enum err auth_results_print(const struct auth_results *r, slice authserv_id, struct buf *out);

/* Does this Authentication-Results value (unfolded or not) claim to be ours: its authserv-id, read as RFC
 * 8601 §2.2 and also as a careless reader would, equals ours (ASCII case folded)? Such fields are removed on
 * the way in (RFC 8601 §5). */
bool auth_results_is_ours(slice value, slice authserv_id);

#endif
