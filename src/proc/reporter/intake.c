/* intake: a report on its way in: read at once, then two questions: directory, whose domain is it about
 * (x_settings); journal, keep it. Between them only its head and its packed rows are in memory. */
#include "core/dns/dns_name.h"
#include "core/reports/report_text.h"
#include "ipc/report_rows.h"
#include "ipc/x_settings.h"
#include "policy/report_sources.h"
#include "policy/report_take.h"
#include "proc/reporter/reporter.h"
#include "sys/body.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/settle.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX   ((uint64_t)64 << 20)
#define PARENTS_MAX   8 /* names above the domain reported on that are asked for */
#define SETTLE_BYTES  ((size_t)4 << 20)
#define PERIOD_MAX_MS (8 * MS_DAY) /* a week; nobody shall be told to be stricter for one report */

struct intake_job {
    struct list link;
    struct reporter *reporter;
    struct role_peer *peer; /* NULL: who asked is gone */
    uint64_t id, mail_id, connection;
    int rows;           /* sealed */
    struct arena arena; /* head's texts */
    struct report_head head;
    slice about;     /* the domain the report names */
    slice recipient; /* whole address */
    slice asked;     /* the domain directory is asked about */
    unsigned parents;
    bool last; /* the recipient's own domain is asked about: the last try */
};

static void job_end(struct intake_job *j, enum err e, slice text)
{
    struct reporter *r = j->reporter;
    struct intake_taken m = {.err = (uint32_t)e, .text = slice_sub(text, 0, TEXT_MAX)};
    if (e == OK)
        r->taken++;
    else if (err_kind(e) == ERR_KIND_PERMANENT)
        r->refused++;
    if (j->peer && j->peer->chan)
        IGNORE_RESULT(chan_reply(j->peer->chan, j->id, X_INTAKE_TAKEN, &m, NULL, 0), "who asked is gone");
    role_forget(r->role, j);
    list_remove(&j->link);
    r->n_intakes--;
    fd_done(&j->rows);
    arena_done(&j->arena);
    free(j);
}

void intake_forget(struct reporter *r, const struct role_peer *peer)
{
    LIST_EACH(it, &r->intakes)
    {
        struct intake_job *j = LIST_OF(it, struct intake_job, link);
        if (j->peer == peer)
            j->peer = NULL;
    }
}

/* ---- journal */

static void job_tell(const struct intake_job *j, bool known)
{
    static const char *const kinds[] = {"DMARC aggregate report", "DMARC failure report", "TLS report"};
    char text[512];
    int n = snprintf(text, sizeof text, "%s on %.*s by %.*s%s", kinds[j->head.kind],
                     SLICE_FMT(j->head.domain), SLICE_FMT(j->head.org), known ? ", known already" : "");
    role_tell(j->reporter->role,
              (struct journal_event){.mail = j->mail_id,
                                     .connection = j->connection,
                                     .kind = JOURNAL_DELIVERED,
                                     .address = j->recipient,
                                     .name = SLICE("reports"),
                                     .text = slice_of(text, size_min((size_t)n, sizeof text - 1))});
}

static void job_kept(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct intake_job *j = arg;
    const struct report_kept *kept = message;
    (void)fds, (void)n_fds; /* none */
    if (e == OK && kept->err == OK) {
        job_tell(j, kept->known);
        job_end(j, OK, (slice){0});
        return;
    }
    /* whatever journal says: the report is fine, so it shall come again */
    job_end(j, e ? e : ERR_BUSY, SLICE("reports cannot be kept just now; please send it again later"));
}

static void job_keep(struct intake_job *j)
{
    enum err e = role_call(j->reporter->role, ROLE_JOURNAL, REPORTER_JOURNAL_REPORT, &j->head, &j->rows, 1,
                           JOURNAL_MS, job_kept, j);
    if (e)
        job_kept(j, e, NULL, NULL, 0);
}

/* ---- directory: is it about a domain of ours? It may be one below ours, or, of TLS and shared policies, one
 * above: then it counts for the domain of the address it came to. */

static void job_ask(struct intake_job *j);

static void job_not_ours(struct intake_job *j)
{
    char text[TEXT_MAX];
    int n = snprintf(text, sizeof text, "this server takes reports on its own domains only, not on %.*s",
                     SLICE_FMT(j->about));
    job_end(j, ERR_DENIED, slice_of(text, size_min((size_t)n, sizeof text - 1)));
}

static void job_asked(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct intake_job *j = arg;
    const struct settings_domain *m = message;
    slice label, parent, local, domain;
    struct dns_name mine;
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(m->err);
    if (e == OK) {
        j->head.domain = j->asked;
        job_keep(j);
        return;
    }
    if (e != ERR_NOT_FOUND && e != ERR_SYNTAX) {
        job_end(j, ERR_BUSY, SLICE("the part of this server that knows its domains is not answering"));
        return;
    }
    if (j->last) {
        job_not_ours(j);
    } else if (j->parents++ < PARENTS_MAX && slice_split(j->asked, '.', &label, &parent) &&
               slice_has(parent, '.')) {
        j->asked = parent;
        job_ask(j);
    } else if (slice_split(j->recipient, '@', &local, &domain) && dns_name_parse(domain, &mine) == OK &&
               dns_name_below(&mine, j->about)) {
        j->last = true;
        j->asked = domain;
        job_ask(j);
    } else {
        job_not_ours(j);
    }
}

static void job_ask(struct intake_job *j)
{
    struct settings_domain_ask m = {j->asked};
    enum err e = role_call(j->reporter->role, ROLE_DIRECTORY, X_SETTINGS_DOMAIN_ASK, &m, NULL, 0,
                           DIRECTORY_MS, job_asked, j);
    if (e)
        job_asked(j, e, NULL, NULL, 0);
}

/* ---- packing */

static enum err pack(struct body_writer *w, const struct ipc_shape *shape, const void *row)
{
    struct buf packed CLEANUP(buf_done);
    enum err e;
    buf_init(&packed, IPC_BYTES_MAX);
    e = report_rows_add(&packed, shape, row);
    return e ? e : body_append(w, buf_view(&packed));
}

static enum err pack_aggregate(const struct aggregate_report *a, struct body_writer *w)
{
    enum err e = OK;
    for (const struct aggregate_record *s = a->records; s && !e; s = s->next) {
        struct report_dkim dkim[AGGREGATE_DKIM_MAX];
        struct aggregate_row row = {.source = ip_slice(&s->source),
                                    .count = s->count,
                                    .disposition = s->disposition,
                                    .reason = s->reason,
                                    .reason_comment = s->reason_comment,
                                    .dkim_aligned = s->dkim_aligned,
                                    .spf_aligned = s->spf_aligned,
                                    .header_from = s->header_from,
                                    .envelope_from = s->envelope_from,
                                    .envelope_to = s->envelope_to,
                                    .spf_domain = s->spf_domain,
                                    .spf = s->spf,
                                    .spf_of_helo = s->spf_of_helo,
                                    .dkim = dkim,
                                    .n_dkim = s->n_dkim};
        for (size_t i = 0; i < s->n_dkim; i++)
            dkim[i] = (struct report_dkim){s->dkim[i].domain, s->dkim[i].selector, s->dkim[i].result};
        e = pack(w, &aggregate_row_shape, &row);
    }
    return e;
}

static enum err pack_failure(const struct failure_report *f, struct body_writer *w)
{
    struct failure_row row = {.source = ip_slice(&f->source),
                              .failure = f->failure,
                              .delivery = f->delivery,
                              .aligned = f->aligned,
                              .user_agent = f->user_agent,
                              .header_from = f->header_from,
                              .mail_from = f->mail_from,
                              .rcpt_to = f->rcpt_to,
                              .dkim_domain = f->dkim_domain,
                              .dkim_selector = f->dkim_selector,
                              .arrived = f->arrived,
                              .incidents = f->incidents};
    return pack(w, &failure_row_shape, &row);
}

static enum err pack_tls(const struct tlsrpt *t, struct body_writer *w)
{
    enum err e = OK;
    for (size_t i = 0; i < t->n_policies && !e; i++) {
        const struct tlsrpt_policy *p = &t->policies[i];
        struct tls_row row = {.policy_type = p->type,
                              .policy_domain = p->domain,
                              .mx = p->mx,
                              .good = p->good,
                              .failed = p->failed};
        e = pack(w, &tls_row_shape, &row);
        for (size_t k = 0; k < p->n_failures && !e; k++) {
            const struct tlsrpt_failure *f = &p->failures[k];
            row = (struct tls_row){.policy_type = p->type,
                                   .policy_domain = p->domain,
                                   .result = f->result.n ? f->result : SLICE("unknown"),
                                   .sending_ip = f->sending_ip,
                                   .receiving_mx = f->receiving_mx,
                                   .receiving_ip = f->receiving_ip,
                                   .reason = f->reason,
                                   .count = f->count};
            e = pack(w, &tls_row_shape, &row);
        }
    }
    return e;
}

static enum err pack_rows(const struct report *r, struct body_writer *w)
{
    switch (r->kind) {
    case REPORT_AGGREGATE:
        return pack_aggregate(&r->aggregate, w);
    case REPORT_FAILURE:
        return pack_failure(&r->failure, w);
    default:
        return pack_tls(&r->tls, w);
    }
}

/* ---- the head */

static slice kept_text(struct intake_job *j, slice s)
{
    slice out;
    return arena_dup(&j->arena, s, &out) ? out : (slice){0};
}

static void head_aggregate(struct intake_job *j, const struct aggregate_report *a)
{
    struct report_head *h = &j->head;
    h->kind = REPORT_HEAD_AGGREGATE;
    h->org = kept_text(j, a->org);
    h->report_id = kept_text(j, a->report_id);
    h->email = kept_text(j, a->email);
    h->contact = kept_text(j, a->contact);
    h->begin = a->begin;
    h->end = a->end ? a->end : a->begin;
    h->p = a->policy.p;
    h->sp = a->policy.sp;
    h->np = a->policy.np;
    h->adkim = (uint8_t)a->policy.adkim;
    h->aspf = (uint8_t)a->policy.aspf;
    h->testing = a->policy.testing;
    h->fo = kept_text(j, a->policy.fo);
    h->messages = a->messages;
    h->left_out = a->records_left_out;
    h->mistake = kept_text(j, a->mistake);
    j->about = kept_text(j, a->policy.domain);
}

/* A failure report has no id of its own: the message it came in is its name. */
static void head_failure(struct intake_job *j, const struct failure_report *f)
{
    struct report_head *h = &j->head;
    char id[32];
    int n = snprintf(id, sizeof id, "%016llx", (unsigned long long)j->mail_id);
    h->kind = REPORT_HEAD_FAILURE;
    h->org = kept_text(j, f->reporting_mta.n ? f->reporting_mta : h->author);
    h->report_id = kept_text(j, slice_of(id, (size_t)n));
    h->begin = h->end = f->arrived;
    h->messages = f->incidents;
    j->about = kept_text(j, f->reported_domain);
}

static void head_tls(struct intake_job *j, const struct tlsrpt *t)
{
    struct report_head *h = &j->head;
    slice local, domain = {0};
    h->kind = REPORT_HEAD_TLS;
    h->org = kept_text(j, t->org);
    h->report_id = kept_text(j, t->report_id);
    h->contact = kept_text(j, t->contact);
    h->begin = t->begin;
    h->end = t->end ? t->end : t->begin;
    for (size_t i = 0; i < t->n_policies; i++) {
        h->messages += t->policies[i].good + t->policies[i].failed;
        if (j->about.n == 0)
            j->about = kept_text(j, t->policies[i].domain);
    }
    if (j->about.n == 0 && slice_split(j->recipient, '@', &local, &domain))
        j->about = domain; /* "no-policy-found" names none */
}

/* A period that can be true: not in the future, not backwards, of PERIOD_MAX_MS at most. What is not said, or
 * cannot be, is a day that ends now. */
static void head_period(struct report_head *h)
{
    if (h->end <= 0 || h->end > h->taken_at)
        h->end = h->taken_at;
    if (h->begin <= 0 || h->begin >= h->end)
        h->begin = h->end - MS_DAY;
    if (h->end - h->begin > PERIOD_MAX_MS)
        h->begin = h->end - PERIOD_MAX_MS;
}

/* Some leave the id out: then the period is the name, or all but the first would be taken for the same. */
static void head_id(struct intake_job *j)
{
    char id[64];
    int n = snprintf(id, sizeof id, "%lld-%lld", (long long)j->head.begin, (long long)j->head.end);
    if (j->head.report_id.n == 0)
        j->head.report_id = kept_text(j, slice_of(id, (size_t)n));
}

/* Under the name that is proven, whatever the report calls itself. */
static void head_who(struct intake_job *j)
{
    struct buf who CLEANUP(buf_done);
    buf_init(&who, REPORT_WHO_MAX);
    report_who(j->head.author, j->head.org, &who);
    if (!buf_failed(&who))
        j->head.org = kept_text(j, buf_view(&who));
}

static enum err job_read(struct intake_job *j, slice message, const struct intake *m, struct err_detail *why)
{
    struct arena a CLEANUP(arena_done);
    struct body_writer w;
    struct report report;
    uint64_t bytes;
    enum err e;
    arena_init(&a, "report", REPORT_ARENA_MAX);
    e = report_take(message, &a, &report, why);
    if (e)
        return e;
    j->head.mail_id = m->mail_id;
    j->head.taken_at = m->received_at > 0 ? m->received_at : clock_unix();
    j->head.p = j->head.sp = j->head.np = AGGREGATE_POLICY_ABSENT;
    if (m->judged && m->dmarc == AUTH_PASS)
        j->head.author = kept_text(j, m->author);
    j->head.proven = j->head.author.n > 0;
    if (report.kind == REPORT_AGGREGATE)
        head_aggregate(j, &report.aggregate);
    else if (report.kind == REPORT_FAILURE)
        head_failure(j, &report.failure);
    else
        head_tls(j, &report.tls);
    body_writer_init(&w, REPORT_ROWS_BYTES_MAX);
    if (j->head.proven) /* of one that counts nowhere the head is enough */
        e = pack_rows(&report, &w);
    head_who(j);
    head_period(&j->head);
    head_id(j);
    j->head.holder = report_domain_end(j->head.author);
    if (!e)
        e = body_seal(&w, &j->rows, &bytes);
    body_writer_done(&w);
    if (a.used > SETTLE_BYTES)
        settle();
    return e;
}

/* What the sender hears: which address this is, and what was wrong. */
static void job_unreadable(struct intake_job *j, enum err e, const struct err_detail *why)
{
    char text[TEXT_MAX];
    int n = snprintf(text, sizeof text, "this address takes DMARC and TLS reports only: %s",
                     why->text[0] ? why->text : err_text(e));
    /* whatever could not be read now cannot be read later */
    job_end(j, err_kind(e) == ERR_KIND_PERMANENT || e == ERR_CORRUPT ? ERR_SYNTAX : e,
            slice_of(text, size_min((size_t)n, sizeof text - 1)));
}

void intake_give(struct reporter *r, struct role_peer *peer, uint64_t id, const struct intake *m, int fd)
{
    struct intake_job *j = calloc(1, sizeof *j);
    struct body body = {0};
    struct err_detail why = {{0}};
    enum err e = OK;
    must(j);
    *j = (struct intake_job){.reporter = r,
                             .peer = peer,
                             .id = id,
                             .mail_id = m->mail_id,
                             .connection = m->connection,
                             .rows = -1};
    arena_init(&j->arena, "report head", 64 * 1024);
    list_append(&r->intakes, &j->link);
    if (r->n_intakes++ >= INTAKES_MAX || r->draining) {
        job_end(j, ERR_BUSY, SLICE("too many reports at once; please send it again later"));
        return;
    }
    j->recipient = kept_text(j, m->recipient);
    seen_flush(r); /* should this report be the end of us, what is counted is not */
    e = body_map(fd, MESSAGE_MAX, &body);
    if (e) {
        err_detail_set(&why, "%s", err_text(e));
    } else {
        e = job_read(j, body_view(&body), m, &why);
        body_unmap(&body);
    }
    if (e) {
        job_unreadable(j, e, &why);
        return;
    }
    j->asked = j->about;
    job_ask(j);
}
