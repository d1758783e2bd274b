/* report_mail: the message around a DMARC report we send.
 *
 * Aggregate: RFC 9990 §3.5: a sentence for people and the gzip, whose name and whose Subject say what it is.
 * Failure: RFC 9991 in the form of RFC 5965 and RFC 6591: a sentence, the machine's part, and the redacted
 * header of the message (failure_write).
 *
 * Every field is made by header_write(). Auto-Submitted says that no person wrote it (RFC 3834), so that
 * nobody answers it. */
#ifndef POSTHORN_CORE_REPORTS_REPORT_MAIL_H
#define POSTHORN_CORE_REPORTS_REPORT_MAIL_H

#include "base/buf.h"
#include "base/time.h"

#define REPORT_MAIL_TO_MAX 5

struct report_mail {
    slice receiver; /* the domain of ours that the mail came to */
    slice from;     /* dmarc-reports@receiver */
    slice hostname;
    slice policy_domain;
    slice report_id;  /* letters, digits, "-" and "." */
    slice message_id; /* with its brackets */
    time_ms begin, end, now;
    const slice *to; /* mailboxes as mailbox_print() writes them */
    size_t n_to;
    uint64_t messages;
};

/* "receiver!policy-domain!begin!end!id.xml.gz", RFC 9990 §3.5.1. */
enum err report_mail_name(const struct report_mail *m, struct buf *out);
/* Appends the whole message. ERR_SYNTAX: a value that no header field can hold; ERR_LIMIT: out is full. */
NODISCARD enum err report_mail_aggregate(const struct report_mail *m, slice gzip, struct buf *out);
/* The same around fields (message/feedback-report) and header (text/rfc822-headers). words: the sentences,
 * lines with LF, ASCII. */
NODISCARD enum err report_mail_failure(const struct report_mail *m, slice words, slice fields, slice header,
                                       struct buf *out);

#endif
