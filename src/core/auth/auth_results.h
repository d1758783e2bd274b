/* auth_results: all that the checks found about one message, and the Authentication-Results field made of it
 * (RFC 8601). The struct is what the house decides by; the field is for clients.
 *
 * Nothing of the field that came from outside is written before it was looked at (THREATS 21): a domain is a
 * name by dns_name_parse(), a local part is a plain dot-atom, other values are tokens or quoted; what is
 * neither is left out. No comments are written, so no reader can lose its way in one, and no reason holds
 * "=", ";" or a parenthesis, so that one who only searches for "dmarc=pass" finds our own words.
 *
 * Fields that others wrote are read by auth_results_read.h. */
#ifndef POSTHORN_CORE_AUTH_AUTH_RESULTS_H
#define POSTHORN_CORE_AUTH_AUTH_RESULTS_H

#include "base/buf.h"
#include "core/arc/arc.h"
#include "core/auth/auth.h"
#include "core/auth/auth_results_read.h"
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

/* Appends the value of the field, on one line: "mx.example.org; iprev=...; spf=pass smtp.mailfrom=...;
 * dkim=...; arc=...; dmarc=...". iprev and arc are left out when they found nothing; when no check found
 * anything it is "mx.example.org; none". authserv_id is ours: a host name. ERR_LIMIT when out is full; out is
 * then as before. */
NODISCARD enum err auth_results_print(const struct auth_results *r, slice authserv_id, struct buf *out);

#endif
