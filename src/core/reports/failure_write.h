/* failure_write: what a failure report says of one message (RFC 9991; RFC 6591 in the form of RFC 5965).
 *
 * Somebody's mail is told about to a stranger who owns the domain it claims to be from, so it is as little as
 * serves him: no body, no subject, of the header only the fields listed in failure_write.c, and no local part
 * of any address but those of From, which is in his name (RFC 6590; THREATS: privacy): neither in the results
 * nor in Received nor in what a signature has copied, since all of them may name who the message was for. */
#ifndef POSTHORN_CORE_REPORTS_FAILURE_WRITE_H
#define POSTHORN_CORE_REPORTS_FAILURE_WRITE_H

#include "base/buf.h"
#include "base/ip.h"
#include "base/time.h"
#include "core/auth/auth.h"

/* How a message failed, as far as fo= asks. */
struct failure_result {
    bool spf_aligned, dkim_aligned; /* passed and aligned */
    enum auth_result spf;
    bool dkim_failed; /* some signature failed, whoever's it was */
};
/* What to report the message for: "dmarc" (fo=0, fo=1), "signature" (d) or "spf" (s) as Auth-Failure has it;
 * empty: the domain does not ask for it (RFC 9989 §4.7). fo as published; empty is "0". */
slice failure_asked(slice fo, const struct failure_result *r);

/* Is the message of a kind that gets no failure report: a report itself, or written by no person
 * (Auto-Submitted)? So that two servers never report on each other's reports (RFC 9991 §5). */
bool failure_exempt(slice header);

struct failure_write {
    slice hostname; /* ours */
    slice reported_domain, mail_from_domain, rcpt_domain;
    slice failure;  /* of failure_asked() */
    slice delivery; /* "delivered", "spam", "reject" ... RFC 6591 §3.2.2 */
    slice results;  /* value of the Authentication-Results field */
    bool spf_aligned, dkim_aligned;
    slice dkim_domain, dkim_selector; /* of the signature that failed, or empty */
    struct ip source;
    time_ms arrived;
};
/* Appends the fields of the part message/feedback-report. ERR_SYNTAX: a value that no field can hold;
 * ERR_LIMIT: out is full. */
NODISCARD enum err failure_write_fields(const struct failure_write *f, struct buf *out);
/* Appends the header of the message, redacted. What is no field, or cannot be written, is left out.
 * ERR_LIMIT. */
NODISCARD enum err failure_write_header(slice header, struct buf *out);

#endif
