/* check: what the parts of doctor that look at things share: what is wrong, since when, and who was told. */
#ifndef POSTHORN_PROC_DOCTOR_CHECK_H
#define POSTHORN_PROC_DOCTOR_CHECK_H

#include "policy/doctor/finding.h"
#include "policy/doctor/rounds.h"
#include "proc/doctor/doctor.h"
#include "survey/survey.h"

/* kept.c: findings from check to check, in the file "findings" of doctor's folder: a line each: word, since
 * (Unix ms), how often seen, told (the severity that was told, 0: not), subject, domain of ours (empty: the
 * server). A first line says where the rounds are: "round", the last name. At most KEPT_MAX findings. */
#define KEPT_MAX 16384
struct kept;
struct kept *kept_open(void);
void kept_free(struct kept **k); /* writes nothing */
/* A round of checks: begin; see what each part of it found; end. kept_see() sets since in each finding, and
 * appends to opened what is to be told as new: errors and warnings, what often passes by itself only when it
 * was there twice; once, and again when it became an error. */
void kept_begin(struct kept *k);
void kept_see(struct kept *k, struct findings *found, time_ms now, struct findings *opened);
/* What a round saw of a domain (empty: of the server). */
enum kept_look { KEPT_LOOKED, KEPT_NOT_LOOKED, KEPT_NOT_OURS };
/* Appends to closed what was told and is not there any more. What could not be seen stays. */
void kept_end(struct kept *k, enum kept_look (*look)(void *arg, slice domain), void *arg,
              struct findings *closed);
/* Nobody could be told of these: they are told with the next round. */
void kept_untold(struct kept *k, const struct findings *opened);
/* Since when one is known, without changing anything. */
void kept_since(const struct kept *k, struct findings *found);
/* Marks the domains that something is wrong with (warnings and errors). */
void kept_wrong(const struct kept *k, struct rounds_domain *d, size_t n);
/* The name the last round ended with; empty: none. */
slice kept_round(const struct kept *k);
void kept_round_set(struct kept *k, slice name);
/* Writes the file. ERR_IO; the findings in memory are as they are. */
NODISCARD enum err kept_save(const struct kept *k);
size_t kept_count(const struct kept *k, enum finding_severity at_least);

/* alert.c: one message to the administrator about what changed. domains: ours, to know what is local. Of many
 * changes the worst ALERT_SHOWN are told in full. fn(arg, e) is called once: ERR_..., it did not reach the
 * queue; before this returns when it did not even begin. */
#define ALERT_SHOWN 20
void alert_send(struct doctor *d, const slice *domains, size_t n_domains, const struct findings *opened,
                const struct findings *closed, size_t still_open, void (*fn)(void *arg, enum err e),
                void *arg);
/* Makes and hands a message of doctor's own to relay. header: fields with their line ends, without the empty
 * line. False: it did not even begin, and fn is not called. */
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
/* Does the server itself live in this domain of ours, or its administrator read mail there? */
bool check_is_own(const struct doctor *d, slice domain);
/* Tests: seconds after which a probe is lost, and the port of name servers; 0: the usual. */
void check_test(const struct doctor *d, uint32_t *out_dns_port, uint32_t *out_probe_s);

#endif
