/* check: what the parts of doctor that look at things share: what is wrong, since when, and who was told. */
#ifndef POSTHORN_PROC_DOCTOR_CHECK_H
#define POSTHORN_PROC_DOCTOR_CHECK_H

#include "policy/doctor/finding.h"
#include "proc/doctor/doctor.h"
#include "survey/survey.h"

/* kept.c: findings from check to check, in the file "findings" of doctor's folder: a line each: word, since
 * (Unix ms), how often seen, told, subject. */
struct kept;
struct kept *kept_open(void);
/* What a check found: sets since in each, and makes two lists in the arena: what is to be told as new (errors
 * and warnings; things that often pass by themselves only when they were there twice) and what is to be told
 * as mended. */
void kept_compare(struct kept *k, struct findings *found, time_ms now, struct arena *a,
                  struct findings *out_opened, struct findings *out_closed);
/* Writes the file. ERR_IO; the findings in memory are as they are. */
NODISCARD enum err kept_save(const struct kept *k);
size_t kept_count(const struct kept *k, enum finding_severity at_least);

/* alert.c: one message to the administrator about what changed. domains: ours, to know what is local. */
void alert_send(struct doctor *d, const struct doctor_domain *domains, size_t n_domains,
                const struct findings *opened, const struct findings *closed, size_t still_open);
/* Makes and hands a message of doctor's own to relay. header: fields with their line ends, without the empty
 * line. fn may be NULL. False: it did not even begin. */
bool alert_enqueue(struct doctor *d, uint64_t mail_id, slice reverse_path, slice recipient, bool local,
                   slice header, slice body, slice message_id, chan_reply_fn fn, void *arg);

/* probe.c: the last probe of each domain, as facts; slices live until the next turn. */
size_t probe_facts(struct doctor *d, struct facts_probe *out, size_t max);
extern const struct doctor_part doctor_probe_part;
/* check.c. Before the lock-in: certificates that are trusted. */
NODISCARD enum err check_prepare(struct role_self *role, struct err_detail *detail);
/* A check as soon as may be; its findings are kept and told. */
void check_soon(struct doctor *d);
bool check_is_off(const struct doctor *d);
/* Tests: seconds after which a probe is lost, and the port of name servers; 0: the usual. */
void check_test(const struct doctor *d, uint32_t *out_dns_port, uint32_t *out_probe_s);

#endif
