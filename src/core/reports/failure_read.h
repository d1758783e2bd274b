/* failure_read: a failure report: what one message in our name failed at (RFC 6591, RFC 9991, in the form of
 * RFC 5965: fields of a message/feedback-report part).
 *
 * Somebody's mail lies inside such reports. Kept are the fields below and nothing else: no body, no subject,
 * of the addresses the domain (RFC 9991 §7). */
#ifndef POSTHORN_CORE_REPORTS_FAILURE_READ_H
#define POSTHORN_CORE_REPORTS_FAILURE_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/time.h"

struct failure_report {
    slice type; /* Feedback-Type: "auth-failure", "abuse" ... lower case */
    slice user_agent;
    slice failure;  /* Auth-Failure: "dmarc", "spf", "bodyhash" ... */
    slice delivery; /* Delivery-Result */
    slice aligned;  /* Identity-Alignment */
    slice reporting_mta;
    slice reported_domain; /* of Reported-Domain, else of From */
    slice header_from;     /* domain of From of the message inside */
    slice mail_from;       /* domain of Original-Mail-From */
    slice rcpt_to;         /* domain of Original-Rcpt-To */
    slice dkim_domain, dkim_selector;
    struct ip source;   /* none: not said */
    time_ms arrived;    /* Unix ms; 0: not said */
    uint64_t incidents; /* at least 1 */
};

/* fields: the body of the feedback-report part, transfer encoding undone. inside: the header of the message
 * reported on, or empty. ERR_SYNTAX: no Feedback-Type, and no domain. */
NODISCARD enum err failure_read(slice fields, slice inside, struct arena *a, struct failure_report *out,
                                struct err_detail *why);
/* The same for servers that tell it in prose: lines "Sender Domain: example.org", "Sender IP Address: ...".
 */
NODISCARD enum err failure_read_prose(slice text, struct arena *a, struct failure_report *out,
                                      struct err_detail *why);

#endif
