/* aggregate: a DMARC aggregate report as a value: what one receiver saw, during some time, of mail that
 * claims to be from one domain (RFC 9990, and RFC 7489 Appendix C before it). aggregate_read makes one of
 * XML; whoever writes reports fills one in.
 *
 * Everything lives in an arena. Texts are valid UTF-8 without control characters, at most AGGREGATE_TEXT_MAX
 * bytes; domains are names that dns_name_parse() took, or empty. */
#ifndef POSTHORN_CORE_REPORTS_AGGREGATE_H
#define POSTHORN_CORE_REPORTS_AGGREGATE_H

#include "base/arena.h"
#include "base/ip.h"
#include "base/time.h"
#include "core/auth/auth.h"

#define AGGREGATE_TEXT_MAX    255
#define AGGREGATE_DKIM_MAX    10 /* of one record; more are left out */
#define AGGREGATE_RECORDS_MAX 20000

/* What was done with the messages of a record, RFC 9990 §3.1.1.8. The numbers lie in the journal and travel
 * on channels (ipc/x_reporter.h has the same). */
enum aggregate_disposition {
    AGGREGATE_NONE = 0,
    AGGREGATE_PASS = 1,
    AGGREGATE_QUARANTINE = 2,
    AGGREGATE_REJECT = 3,
    AGGREGATE_DISPOSITION__LAST = AGGREGATE_REJECT
};
/* Why that differs from the policy, RFC 9990 §3.1.1.9; and the ones of RFC 7489 Appendix C. The same. */
enum aggregate_reason {
    AGGREGATE_REASON_NO = 0,
    AGGREGATE_REASON_LOCAL_POLICY = 1,
    AGGREGATE_REASON_MAILING_LIST = 2,
    AGGREGATE_REASON_OTHER = 3,
    AGGREGATE_REASON_TEST_MODE = 4,
    AGGREGATE_REASON_FORWARDER = 5,
    AGGREGATE_REASON_FORWARDED = 6,   /* RFC 7489 */
    AGGREGATE_REASON_SAMPLED_OUT = 7, /* RFC 7489 */
    AGGREGATE_REASON__LAST = AGGREGATE_REASON_SAMPLED_OUT
};
/* Their words; "none" and "" for numbers outside. Static memory. */
slice aggregate_disposition_word(enum aggregate_disposition d);
slice aggregate_reason_word(enum aggregate_reason r);

struct aggregate_dkim {
    slice domain, selector;
    uint8_t result; /* enum auth_result */
};

struct aggregate_record {
    struct aggregate_record *next;
    struct ip source; /* none when it could not be read */
    uint64_t count;
    uint8_t disposition;            /* enum aggregate_disposition */
    bool dkim_aligned, spf_aligned; /* policy_evaluated: passed and aligned */
    uint8_t reason;                 /* enum aggregate_reason; the first of several */
    slice reason_comment;
    slice header_from, envelope_from, envelope_to;
    slice spf_domain;
    uint8_t spf; /* enum auth_result */
    bool spf_of_helo;
    struct aggregate_dkim *dkim;
    size_t n_dkim;
};

/* policy_published. Letters are as in the record: 'r' or 's'; 0: not said. Policies are numbers of enum
 * dmarc_policy; AGGREGATE_POLICY_ABSENT: not said. */
#define AGGREGATE_POLICY_ABSENT 255
struct aggregate_policy {
    slice domain;
    uint8_t p, sp, np;
    char adkim, aspf;
    bool testing;
    bool treewalk; /* discovery_method says so; else not said, or psl */
    slice fo;
};

struct aggregate_report {
    slice org, email, contact, report_id, generator, error;
    time_ms begin, end; /* Unix ms; 0: not said */
    struct aggregate_policy policy;
    struct aggregate_record *records, *last; /* in order */
    size_t n_records;
    uint64_t messages;         /* in all records, those left out included */
    uint64_t records_left_out; /* beyond AGGREGATE_RECORDS_MAX */
    size_t mistakes;           /* of the XML */
    slice mistake;             /* the first, in words */
};

/* A record at the end of the report. NULL at the arena's cap. */
NODISCARD struct aggregate_record *aggregate_add(struct aggregate_report *r, struct arena *a);

#endif
