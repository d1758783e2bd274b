/* failed: failure reports: asked for by a domain (ruf=), switched on for a domain of ours, and then about its
 * mail only: written, redacted, sent at once.
 *
 * Few: FAILED_PER_DOMAIN a day (UTC) about one policy, FAILED_A_DAY in all, FAILED_JOBS under way. Journal
 * has each in reports.db before it goes out, and is asked for those of the day at the start; until it has
 * answered none goes out. Lost ones are not made up for: a failure report is a courtesy. Their reverse-path
 * is empty (RFC 9991 §5), so nothing comes back. */
#include "core/dmarc/dmarc_record.h"
#include "core/reports/failure_write.h"
#include "ipc/x_relay.h"
#include "ipc/x_settings.h"
#include "policy/domain_setting.h"
#include "proc/reporter/dests.h"
#include "proc/reporter/reporter.h"
#include "sys/clock.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define JOB_ARENA ((size_t)4 << 20)
#define PART_MAX  ((size_t)128 * 1024)
#define AGAIN_MS  (5 * MS_SECOND) /* journal did not say how many there were */

struct failed_job {
    struct list link;
    struct reporter *reporter;
    struct arena arena;
    struct failed m; /* in the arena */
    struct dmarc_record record;
    struct dests dests;
    char id[32];
};

static void job_end(struct failed_job *j)
{
    dests_forget(&j->dests);
    role_forget(j->reporter->role, j);
    list_remove(&j->link);
    j->reporter->n_failed_jobs--;
    arena_done(&j->arena);
    free(j);
}

/* ---- how many there were today */

static struct failed_count *count_of(struct reporter *r, slice domain)
{
    int64_t day = clock_unix() / MS_DAY;
    if (day != r->failed_day) {
        r->failed_day = day;
        r->failed_today = 0;
        r->n_failed_counts = 0;
    }
    for (size_t i = 0; i < r->n_failed_counts; i++)
        if (r->failed_counts[i].hash == hash_slice(&r->seen_key, domain))
            return &r->failed_counts[i];
    if (r->n_failed_counts == FAILED_A_DAY)
        return NULL;
    r->failed_counts[r->n_failed_counts] = (struct failed_count){.hash = hash_slice(&r->seen_key, domain)};
    return &r->failed_counts[r->n_failed_counts];
}

static void count(struct reporter *r, slice domain, uint64_t n)
{
    struct failed_count *c = count_of(r, domain);
    r->failed_today += (unsigned)size_min((size_t)n, FAILED_A_DAY);
    if (!c)
        return;
    if (c == &r->failed_counts[r->n_failed_counts])
        r->n_failed_counts++;
    c->n += (unsigned)size_min((size_t)n, FAILED_PER_DOMAIN);
}

static bool may_send(struct reporter *r, slice domain)
{
    const struct failed_count *c = count_of(r, domain);
    return r->failed_known && c && r->failed_today < FAILED_A_DAY && c->n < FAILED_PER_DOMAIN;
}

/* What journal has of today, of a reporter that was here before. */
static void counts_came(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct reporter *r = arg;
    const struct report_page *p = message;
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(p->err);
    if (e) {
        loop_timer_after(&r->failed_timer, AGAIN_MS);
        return;
    }
    for (size_t i = 0; i < p->n_orgs; i++)
        count(r, p->orgs[i].org, p->orgs[i].reports);
    r->failed_known = true;
}

static void counts_ask(void *arg)
{
    struct reporter *r = arg;
    int64_t now = clock_unix();
    const struct report_ask m = {.question = REPORT_ASK_FAILED, .since = now - now % MS_DAY};
    enum err e =
        role_call(r->role, ROLE_JOURNAL, REPORTER_JOURNAL_ASK, &m, NULL, 0, JOURNAL_MS, counts_came, r);
    if (e)
        counts_came(r, e, NULL, NULL, 0);
}

void failed_begin(struct reporter *r)
{
    loop_timer_init(r->role->loop, &r->failed_timer, counts_ask, r);
    loop_timer_after(&r->failed_timer, 0);
}

/* ---- the report */

static void job_queued(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct failed_job *j = arg;
    const struct queued *m = message;
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(m->err);
    for (size_t i = 0; i < j->dests.n_to && !e; i++)
        role_tell(j->reporter->role, (struct journal_event){.kind = JOURNAL_REPORT_SENT,
                                                            .mail = j->m.mail_id,
                                                            .address = j->dests.to[i],
                                                            .name = j->m.policy_domain,
                                                            .text = SLICE("failure")});
    j->reporter->failures_sent += e == OK;
    job_end(j);
}

static enum err job_write(const struct failed_job *j, const struct report_mail *mail, struct buf *out)
{
    const struct failed *m = &j->m;
    struct buf fields CLEANUP(buf_done) = {.max = PART_MAX}, header CLEANUP(buf_done) = {.max = PART_MAX};
    struct buf words CLEANUP(buf_done) = {.max = 4096};
    struct failure_write f = {.hostname = mail->hostname,
                              .reported_domain = m->author,
                              .mail_from_domain = m->envelope_from,
                              .rcpt_domain = m->envelope_to,
                              .failure = m->failure,
                              .delivery = m->delivery,
                              .results = m->results,
                              .spf_aligned = m->spf_aligned,
                              .dkim_aligned = m->dkim_aligned,
                              .dkim_domain = m->dkim_domain,
                              .dkim_selector = m->dkim_selector,
                              .arrived = m->at};
    char ip[IP_TEXT];
    enum err e = ip_from_slice(m->source, &f.source);
    if (!e)
        e = failure_write_fields(&f, &fields);
    if (!e)
        e = failure_write_header(m->header, &header);
    if (e)
        return e;
    ip_print(&f.source, ip);
    buf_print(&words,
              "A message came to %.*s from the address %s\nthat claims to be from %.*s, and failed: %.*s.\n"
              "What became of it: %.*s.\n\nThis report was asked for by the DMARC record of %.*s (ruf=).\n"
              "Whom the message was for, its subject and its text are not told.\n",
              SLICE_FMT(m->envelope_to), ip, SLICE_FMT(m->author), SLICE_FMT(m->failure),
              SLICE_FMT(m->delivery), SLICE_FMT(m->policy_domain));
    return report_mail_failure(mail, buf_view(&words), buf_view(&fields), buf_view(&header), out);
}

/* It is counted on disk: out with it. */
static void job_counted(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct failed_job *j = arg;
    struct reporter *r = j->reporter;
    const struct report_kept *kept = message;
    struct buf mail CLEANUP(buf_done) = {.max = 4 * PART_MAX};
    char from[300], message_id[400];
    uint64_t mail_id = mail_id_next(&r->ids, clock_unix());
    (void)fds, (void)n_fds; /* none */
    snprintf(from, sizeof from, "dmarc-reports@%.*s", SLICE_FMT(j->m.envelope_to));
    snprintf(message_id, sizeof message_id, "<%s@%.*s>", j->id, SLICE_FMT(j->m.envelope_to));
    const struct report_mail m = {.receiver = j->m.envelope_to,
                                  .from = slice_str(from),
                                  .hostname = role_setting(r->role, "hostname", 0),
                                  .policy_domain = j->m.policy_domain,
                                  .report_id = slice_str(j->id),
                                  .message_id = slice_str(message_id),
                                  .now = clock_unix(),
                                  .to = j->dests.to,
                                  .n_to = j->dests.n_to};
    if (!e)
        e = err_from_wire(kept->err);
    if (e || job_write(j, &m, &mail) ||
        send_mail(r, mail_id, (slice){0}, m.to, m.n_to, m.message_id, buf_view(&mail), job_queued, j))
        job_end(j);
}

static void job_send(struct failed_job *j)
{
    struct reporter *r = j->reporter;
    int64_t now = clock_unix();
    const struct settled m = {.begin = (now - now % MS_DAY) / MS_SECOND,
                              .policy_domain = j->m.policy_domain,
                              .envelope_to = j->m.envelope_to,
                              .record = slice_str(j->id),
                              .outcome = SETTLED_FAILURE,
                              .at = now,
                              .to = slice_sub(j->dests.to[0], 0, SETTLED_TO_MAX),
                              .messages = 1};
    if (!may_send(r, j->m.policy_domain)) {
        job_end(j);
        return;
    }
    count(r, j->m.policy_domain, 1);
    if (role_call(r->role, ROLE_JOURNAL, REPORTER_JOURNAL_SETTLED, &m, NULL, 0, JOURNAL_MS, job_counted, j))
        job_end(j);
}

static void job_dests(void *arg)
{
    struct failed_job *j = arg;
    const struct dests *d = &j->dests;
    if (d->refused.n && !d->temporary)
        role_tell(j->reporter->role, (struct journal_event){.kind = JOURNAL_REPORT_WITHHELD,
                                                            .mail = j->m.mail_id,
                                                            .address = d->refused,
                                                            .name = j->m.policy_domain,
                                                            .text = d->why});
    if (d->n_to)
        job_send(j);
    else
        job_end(j);
}

static void job_allowed(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct failed_job *j = arg;
    const struct settings_domain *m = message;
    (void)fds, (void)n_fds; /* none */
    if (e || m->err || !domain_setting_on(x_settings_value(m, DOMAIN_FAILURE_REPORTS))) {
        job_end(j);
        return;
    }
    j->dests = (struct dests){.role = j->reporter->role,
                              .policy_domain = j->m.policy_domain,
                              .own = j->m.envelope_to,
                              .failure = true,
                              .done = job_dests,
                              .arg = j};
    dests_find(&j->dests, j->record.ruf, &j->arena);
}

static bool job_copy(struct failed_job *j, const struct failed *in)
{
    struct arena *a = &j->arena;
    struct failed *m = &j->m;
    *m = *in;
    return arena_dup(a, in->source, &m->source) && arena_dup(a, in->author, &m->author) &&
           arena_dup(a, in->policy_domain, &m->policy_domain) && arena_dup(a, in->record, &m->record) &&
           arena_dup(a, in->envelope_from, &m->envelope_from) &&
           arena_dup(a, in->envelope_to, &m->envelope_to) && arena_dup(a, in->failure, &m->failure) &&
           arena_dup(a, in->delivery, &m->delivery) && arena_dup(a, in->dkim_domain, &m->dkim_domain) &&
           arena_dup(a, in->dkim_selector, &m->dkim_selector) && arena_dup(a, in->results, &m->results) &&
           arena_dup(a, in->header, &m->header);
}

void failed_note(struct reporter *r, const struct failed *m)
{
    struct settings_domain_ask ask;
    struct failed_job *j;
    enum err e;
    /* mail with the null sender is a bounce: whom its report would serve is not who it claims to be from */
    if (r->draining || r->n_failed_jobs == FAILED_JOBS || m->envelope_from.n == 0 || m->envelope_to.n == 0 ||
        !may_send(r, m->policy_domain) || failure_exempt(m->header))
        return;
    j = calloc(1, sizeof *j);
    must(j);
    j->reporter = r;
    snprintf(j->id, sizeof j->id, "f%016llx", (unsigned long long)entropy_u64());
    arena_init(&j->arena, "failure report", JOB_ARENA);
    list_append(&r->failed_jobs, &j->link);
    r->n_failed_jobs++;
    /* under psd=y others than who asks own the names (RFC 9991 §2) */
    if (!job_copy(j, m) || dmarc_record_parse(j->m.record, &j->record) || j->record.ruf.n == 0 ||
        j->record.psd == DMARC_PSD_YES) {
        job_end(j);
        return;
    }
    ask.domain = j->m.envelope_to;
    e = role_call(r->role, ROLE_DIRECTORY, X_SETTINGS_DOMAIN_ASK, &ask, NULL, 0, DIRECTORY_MS, job_allowed,
                  j);
    if (e)
        job_end(j);
}
