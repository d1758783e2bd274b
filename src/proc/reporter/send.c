/* send: the aggregate reports we owe, one after the other: journal says which periods are over and not
 * settled, directory whether our domain sends reports, the DNS who may get them; then the rows, the XML, the
 * message, relay, and the word to journal that it is settled.
 *
 * A report is settled after relay took it for good. When reporter or journal dies between the two it is made
 * again, with the same Report-ID and Message-ID: at most one copy too many, and whoever reads reports knows
 * it by its id. What goes wrong for now is left for the next pass, GIVE_UP_MS long. */
#include "core/dmarc/dmarc_record.h"
#include "core/reports/aggregate_write.h"
#include "core/reports/report_text.h"
#include "ipc/x_relay.h"
#include "ipc/x_settings.h"
#include "policy/domain_setting.h"
#include "proc/reporter/dests.h"
#include "proc/reporter/reporter.h"
#include "sys/body.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/settle.h"
#include "text/pack.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define GIVE_UP_MS   (3 * MS_DAY)
#define PER_DEST     1000 /* reports on one period to mailboxes of one domain */
#define MAIL_MAX     ((size_t)12 << 20)
#define ROWS_MAX     (AGGREGATE_WRITE_RECORDS_MAX + REPORT_PAGE_ROWS)
#define OWED_ARENA   ((size_t)512 * 1024)
#define WORK_ARENA   ((size_t)4 << 20)
#define SETTLE_BYTES ((size_t)1 << 20)

struct sender {
    struct reporter *reporter;
    struct loop_timer timer;
    bool busy; /* a pass is under way */
    struct arena owed_arena;
    const struct owed *owed; /* a page of them */
    size_t n_owed, at;
    bool more;
    /* the one in hand */
    struct arena work;
    struct dmarc_record record;
    struct dests dests;
    struct aggregate_writer writer;
    uint32_t rows;
    uint64_t mail_id;
    char report_id[64], from[300], message_id[400];
    struct settled settled;
    /* how many went where, of one period: hash of a destination's domain -> number */
    struct map counts;
    int64_t counted;
};

static void send_next(struct sender *s);
static void send_rest(struct sender *s);
static void send_rows(struct sender *s);

static const struct owed *in_hand(const struct sender *s)
{
    return &s->owed[s->at];
}

static void send_release(struct sender *s)
{
    bool large = s->writer.xml.n > SETTLE_BYTES;
    dests_forget(&s->dests);
    aggregate_writer_done(&s->writer);
    s->writer = (struct aggregate_writer){0};
    arena_reset(&s->work);
    if (large)
        settle();
}

/* The next one; pause: after a message, so that a minute has REPORTS_A_MINUTE at most. */
static void send_step(struct sender *s, bool pause)
{
    send_release(s);
    s->at++;
    loop_timer_after(&s->timer, pause ? MS_MINUTE / REPORTS_A_MINUTE : 0);
}

/* A part of this server is away: the pass ends here, and the next one tries all of it again. */
static void send_later(struct sender *s, const char *why)
{
    log_warning("the DMARC report on %.*s and those behind it wait: %s", SLICE_FMT(in_hand(s)->policy_domain),
                why);
    send_release(s);
    send_rest(s);
}

/* ---- settled */

static void send_settled(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct sender *s = arg;
    const struct report_kept *m = message;
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(m->err);
    if (e)
        log_warning("that a DMARC report is settled could not be kept: %s", err_text(e));
    send_step(s, s->settled.outcome == SETTLED_SENT);
}

static void send_settle(struct sender *s, enum settled_outcome outcome, slice to)
{
    const struct owed *o = in_hand(s);
    enum err e;
    s->settled = (struct settled){.begin = o->begin,
                                  .policy_domain = o->policy_domain,
                                  .envelope_to = o->envelope_to,
                                  .record = o->record,
                                  .outcome = (uint8_t)outcome,
                                  .at = clock_unix(),
                                  .to = slice_sub(to, 0, SETTLED_TO_MAX),
                                  .messages = s->writer.messages};
    e = role_call(s->reporter->role, ROLE_JOURNAL, REPORTER_JOURNAL_SETTLED, &s->settled, NULL, 0, JOURNAL_MS,
                  send_settled, s);
    if (e)
        send_settled(s, e, NULL, NULL, 0);
}

/* ---- the message */

static void send_queued(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct sender *s = arg;
    const struct queued *m = message;
    struct buf to CLEANUP(buf_done) = {.max = SETTLED_TO_MAX};
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(m->err);
    if (err_kind(e) == ERR_KIND_PERMANENT) { /* this one: not those behind it */
        log_warning("the DMARC report on %.*s is not taken: %.*s", SLICE_FMT(in_hand(s)->policy_domain),
                    SLICE_FMT(m ? m->text : (slice){0}));
        send_step(s, true);
        return;
    }
    if (e) {
        send_later(s, "the queue does not take it");
        return;
    }
    s->reporter->reports_sent++;
    for (size_t i = 0; i < s->dests.n_to; i++) {
        role_tell(s->reporter->role, (struct journal_event){.kind = JOURNAL_REPORT_SENT,
                                                            .mail = s->mail_id,
                                                            .address = s->dests.to[i],
                                                            .name = in_hand(s)->policy_domain,
                                                            .text = SLICE("aggregate"),
                                                            .number = s->writer.messages});
        buf_print(&to, "%s%.*s", i ? ", " : "", SLICE_FMT(s->dests.to[i]));
    }
    send_settle(s, SETTLED_SENT, buf_view(&to));
}

static time_ms period_end(const struct sender *s)
{
    return (in_hand(s)->begin + s->reporter->period_s - 1) * MS_SECOND;
}

/* What RFC 9990 §3.1 wants to know but the rows. */
static struct aggregate_report send_head(const struct sender *s)
{
    const struct owed *o = in_hand(s);
    const struct dmarc_record *d = &s->record;
    return (struct aggregate_report){
        .org = o->envelope_to,
        .email = slice_str(s->from),
        .report_id = slice_str(s->report_id),
        .generator = SLICE("Posthorn"),
        .begin = o->begin * MS_SECOND,
        .end = period_end(s),
        .policy = {.domain = o->policy_domain,
                   .p = (uint8_t)d->p,
                   .sp = (uint8_t)d->sp,
                   .np = (uint8_t)d->np,
                   .adkim = d->dkim_strict ? 's' : 'r',
                   .aspf = d->spf_strict ? 's' : 'r',
                   .testing = d->testing,
                   .treewalk = true,
                   .fo = d->fo},
    };
}

/* Those who said that it is too large for them do not get it: as it travels, in base64 (RFC 9990 §3.5). */
static void send_heed_sizes(struct sender *s, size_t gzip_bytes)
{
    struct dests *d = &s->dests;
    size_t n = 0, bytes = (gzip_bytes + 2) / 3 * 4;
    bytes += (bytes + 75) / 76 * 2;
    for (size_t i = 0; i < d->n_to; i++) {
        if (d->size_max[i] && bytes > d->size_max[i])
            continue;
        d->size_max[n] = d->size_max[i];
        d->to[n++] = d->to[i];
    }
    d->n_to = n;
}

static enum err send_write(struct sender *s, struct buf *gzip, struct buf *mail)
{
    struct aggregate_report head = send_head(s);
    struct buf xml CLEANUP(buf_done) = {.max = AGGREGATE_WRITE_BYTES_MAX + ((size_t)64 << 10)};
    enum err e = aggregate_write_end(&s->writer, &head, &xml);
    slice piece = buf_view(&xml);
    if (!e)
        e = pack_gzip(&piece, 1, gzip);
    if (e)
        return e;
    send_heed_sizes(s, gzip->n);
    const struct report_mail m = {.receiver = in_hand(s)->envelope_to,
                                  .from = slice_str(s->from),
                                  .hostname = role_setting(s->reporter->role, "hostname", 0),
                                  .policy_domain = in_hand(s)->policy_domain,
                                  .report_id = head.report_id,
                                  .message_id = slice_str(s->message_id),
                                  .begin = head.begin,
                                  .end = head.end,
                                  .now = clock_unix(),
                                  .to = s->dests.to,
                                  .n_to = s->dests.n_to,
                                  .messages = s->writer.messages};
    return s->dests.n_to ? report_mail_aggregate(&m, buf_view(gzip), mail) : ERR_NOT_FOUND;
}

static void send_message(struct sender *s)
{
    struct buf gzip CLEANUP(buf_done) = {.max = MAIL_MAX / 2}, mail CLEANUP(buf_done) = {.max = MAIL_MAX};
    enum err e = send_write(s, &gzip, &mail);
    s->mail_id = mail_id_next(&s->reporter->ids, clock_unix());
    if (!e)
        e = send_mail(s->reporter, s->mail_id, slice_str(s->from), s->dests.to, s->dests.n_to,
                      slice_str(s->message_id), buf_view(&mail), send_queued, s);
    if (e == ERR_NOT_FOUND)
        send_settle(s, SETTLED_NOBODY, SLICE("larger than any of its receivers takes"));
    else if (e && err_kind(e) == ERR_KIND_TEMPORARY)
        send_later(s, err_text(e));
    else if (e)
        send_settle(s, SETTLED_GIVEN_UP, slice_str(err_text(e)));
}

/* ---- its rows */

static void send_take(struct sender *s, const struct seen_row *row)
{
    struct aggregate_dkim dkim[X_REPORTER_DKIM_MAX];
    struct aggregate_record r = {.count = row->count,
                                 .disposition = row->disposition,
                                 .dkim_aligned = row->dkim_aligned,
                                 .spf_aligned = row->spf_aligned,
                                 .reason = row->override_type,
                                 .reason_comment = row->override_comment,
                                 .header_from = row->author,
                                 .envelope_from = row->envelope_from,
                                 .spf_domain = row->spf_domain,
                                 .spf = row->spf,
                                 .spf_of_helo = row->spf_of_helo,
                                 .dkim = dkim};
    for (; r.n_dkim < row->n_dkim && r.n_dkim < X_REPORTER_DKIM_MAX; r.n_dkim++)
        dkim[r.n_dkim] = (struct aggregate_dkim){row->dkim[r.n_dkim].domain, row->dkim[r.n_dkim].selector,
                                                 row->dkim[r.n_dkim].result};
    if (ip_from_slice(row->source, &r.source) == OK)
        aggregate_write_record(&s->writer, &r);
}

static void send_rows_came(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct sender *s = arg;
    const struct material *m = message;
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(m->err);
    if (e) {
        send_later(s, "the journal does not answer");
        return;
    }
    for (size_t i = 0; i < m->n_rows; i++)
        send_take(s, &m->rows[i]);
    s->rows += (uint32_t)m->n_rows;
    if (m->more && s->rows < ROWS_MAX)
        send_rows(s);
    else
        send_message(s);
}

static void send_rows(struct sender *s)
{
    const struct owed *o = in_hand(s);
    const struct material_ask m = {o->begin, o->policy_domain, o->envelope_to, o->record, s->rows};
    enum err e = role_call(s->reporter->role, ROLE_JOURNAL, REPORTER_JOURNAL_MATERIAL_ASK, &m, NULL, 0,
                           JOURNAL_MS, send_rows_came, s);
    if (e)
        send_rows_came(s, e, NULL, NULL, 0);
}

/* ---- may it be sent, and to whom? */

/* Who lets a record change with each message, or has a thousand names, is owed a thousand reports a day: he
 * gets that many, and those behind him get theirs. */
static void send_heed_counts(struct sender *s)
{
    struct dests *d = &s->dests;
    size_t n = 0;
    if (s->counted != in_hand(s)->begin)
        map_done(&s->counts);
    s->counted = in_hand(s)->begin;
    for (size_t i = 0; i < d->n_to; i++) {
        slice domain = report_domain_end(slice_from(d->to[i], slice_rindex(d->to[i], '@') + 1));
        uint64_t key = hash_slice(&s->reporter->seen_key, domain);
        uintptr_t count = (uintptr_t)map_get(&s->counts, key) + 1;
        if (count > PER_DEST) {
            d->refused = d->to[i];
            d->why = SLICE("its domain was sent a thousand reports on this day already");
            continue;
        }
        (void)map_put(&s->counts, key, (void *)count); /* the old number */
        d->size_max[n] = d->size_max[i];
        d->to[n++] = d->to[i];
    }
    d->n_to = n;
}

static void send_dests(void *arg)
{
    struct sender *s = arg;
    const struct dests *d = &s->dests;
    bool late = clock_unix() > period_end(s) + GIVE_UP_MS;
    send_heed_counts(s);
    if (d->refused.n && (!d->temporary || late))
        role_tell(s->reporter->role, (struct journal_event){.kind = JOURNAL_REPORT_WITHHELD,
                                                            .address = d->refused,
                                                            .name = in_hand(s)->policy_domain,
                                                            .text = d->why});
    if (d->temporary && !late && d->n_to == 0) {
        send_step(s, false); /* the next pass asks again */
    } else if (d->n_to == 0) {
        send_settle(s, d->temporary ? SETTLED_GIVEN_UP : SETTLED_NOBODY,
                    d->why.n ? d->why : SLICE("nobody asked for it"));
    } else {
        aggregate_writer_init(&s->writer, AGGREGATE_WRITE_RECORDS_MAX, AGGREGATE_WRITE_BYTES_MAX);
        s->rows = 0;
        send_rows(s);
    }
}

static void send_allowed(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct sender *s = arg;
    const struct settings_domain *m = message;
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(m->err);
    if (e == ERR_NOT_FOUND || e == ERR_SYNTAX) {
        send_settle(s, SETTLED_OFF, SLICE("the domain is no longer here"));
    } else if (e) {
        send_later(s, "the directory does not answer");
    } else if (!domain_setting_on(x_settings_value(m, DOMAIN_REPORTS))) {
        send_settle(s, SETTLED_OFF, SLICE("reports are switched off for the domain"));
    } else {
        s->dests = (struct dests){.role = s->reporter->role,
                                  .policy_domain = in_hand(s)->policy_domain,
                                  .own = in_hand(s)->envelope_to,
                                  .done = send_dests,
                                  .arg = s};
        dests_find(&s->dests, s->record.rua, &s->work);
    }
}

/* Of what makes the report this one, so that a second try has the same. */
static void send_name(struct sender *s)
{
    const struct owed *o = in_hand(s);
    static const struct hash_key key = {0x506f7374686f726eU, 1}; /* not secret: only spreads */
    struct buf b CLEANUP(buf_done) = {.max = 8192};
    buf_print(&b, "%.*s %.*s %.*s", SLICE_FMT(o->policy_domain), SLICE_FMT(o->envelope_to),
              SLICE_FMT(o->record));
    /* letters and digits: it is the file name's unique-id, too, which may have no other (RFC 9990 §3.5.2) */
    snprintf(s->report_id, sizeof s->report_id, "%lld%016llx", (long long)o->begin,
             (unsigned long long)hash_slice(&key, buf_view(&b)));
    snprintf(s->from, sizeof s->from, "dmarc-reports@%.*s", SLICE_FMT(o->envelope_to));
    snprintf(s->message_id, sizeof s->message_id, "<%s@%.*s>", s->report_id, SLICE_FMT(o->envelope_to));
}

static void send_one(struct sender *s)
{
    const struct owed *o = in_hand(s);
    const struct settings_domain_ask m = {o->envelope_to};
    enum err e;
    if (dmarc_record_parse(o->record, &s->record) || s->record.rua.n == 0) {
        send_settle(s, SETTLED_NOBODY, SLICE("nobody asked for it"));
        return;
    }
    if (o->envelope_to.n == 0) {
        send_settle(s, SETTLED_OFF, SLICE("it came to no domain"));
        return;
    }
    send_name(s);
    e = role_call(s->reporter->role, ROLE_DIRECTORY, X_SETTINGS_DOMAIN_ASK, &m, NULL, 0, DIRECTORY_MS,
                  send_allowed, s);
    if (e)
        send_allowed(s, e, NULL, NULL, 0);
}

/* ---- what is owed */

/* Spread over half an hour, so that not every server of the world reports to one at midnight. */
static bool send_is_due(const struct sender *s, const struct owed *o)
{
    static const struct hash_key key = {0, 0};
    uint64_t span = (uint64_t)s->reporter->period_s / 48 + 1;
    time_ms wait = (time_ms)(hash_slice(&key, o->policy_domain) % span) * MS_SECOND;
    return clock_unix() >= (o->begin + s->reporter->period_s) * MS_SECOND + LATE_MS + wait;
}

static bool send_keep_page(struct sender *s, const struct owed_page *m)
{
    struct owed *owed;
    arena_reset(&s->owed_arena);
    owed = ARENA_ARRAY(&s->owed_arena, m->n_owed + 1, struct owed);
    for (size_t i = 0; owed && i < m->n_owed; i++) {
        owed[i] = m->owed[i];
        if (!arena_dup(&s->owed_arena, m->owed[i].policy_domain, &owed[i].policy_domain) ||
            !arena_dup(&s->owed_arena, m->owed[i].envelope_to, &owed[i].envelope_to) ||
            !arena_dup(&s->owed_arena, m->owed[i].record, &owed[i].record))
            return false;
    }
    s->owed = owed;
    s->n_owed = owed ? m->n_owed : 0;
    s->at = 0;
    s->more = m->more && m->n_owed;
    return owed != NULL;
}

static void send_rest(struct sender *s)
{
    time_ms pause = (time_ms)s->reporter->period_s * MS_SECOND / 144; /* ten minutes of a day */
    s->busy = false;
    s->n_owed = s->at = 0;
    loop_timer_after(&s->timer, pause > MS_SECOND ? pause : MS_SECOND);
}

static void send_owed(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct sender *s = arg;
    const struct owed_page *m = message;
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(m->err);
    if (e || !send_keep_page(s, m)) {
        send_rest(s);
        return;
    }
    send_next(s);
}

static void send_ask(struct sender *s, const struct owed *after)
{
    struct owed_ask m = {.until = (clock_unix() - LATE_MS) / MS_SECOND - s->reporter->period_s};
    enum err e;
    m.begin = m.until - (GIVE_UP_MS + MS_DAY) / MS_SECOND; /* what is older was given up */
    if (after) {
        m.begin = after->begin;
        m.policy_domain = after->policy_domain;
        m.envelope_to = after->envelope_to;
        m.record = after->record;
    }
    e = role_call(s->reporter->role, ROLE_JOURNAL, REPORTER_JOURNAL_OWED_ASK, &m, NULL, 0, JOURNAL_MS,
                  send_owed, s);
    if (e)
        send_owed(s, e, NULL, NULL, 0);
}

static void send_next(struct sender *s)
{
    if (s->reporter->draining)
        return;
    while (s->at < s->n_owed && !send_is_due(s, in_hand(s)))
        s->at++;
    if (s->at < s->n_owed)
        send_one(s);
    else if (s->more)
        send_ask(s, &s->owed[s->n_owed - 1]);
    else
        send_rest(s);
}

static void send_timer(void *arg)
{
    struct sender *s = arg;
    if (s->reporter->draining)
        return;
    if (s->busy) {
        send_next(s);
    } else {
        s->busy = true;
        send_ask(s, NULL);
    }
}

void send_begin(struct reporter *r)
{
    struct sender *s = calloc(1, sizeof *s);
    must(s);
    r->sender = s;
    s->reporter = r;
    arena_init(&s->owed_arena, "reports owed", OWED_ARENA);
    arena_init(&s->work, "report to send", WORK_ARENA);
    loop_timer_init(r->role->loop, &s->timer, send_timer, s);
    send_rest(s);
}

enum err send_mail(struct reporter *r, uint64_t mail_id, slice reverse_path, const slice *to, size_t n_to,
                   slice message_id, slice mail, chan_reply_fn fn, void *arg)
{
    struct enqueue_rcpt rcpts[REPORT_MAIL_TO_MAX] = {0};
    struct enqueue m = {.mail_id = mail_id,
                        .reverse_path = reverse_path,
                        .received_at = clock_unix(),
                        .message_id = message_id,
                        .rcpts = rcpts};
    struct body_writer w;
    int fd CLEANUP(fd_done) = -1;
    uint64_t bytes;
    enum err e;
    for (; m.n_rcpts < n_to && m.n_rcpts < REPORT_MAIL_TO_MAX; m.n_rcpts++)
        rcpts[m.n_rcpts] = (struct enqueue_rcpt){.address = to[m.n_rcpts], .notify = 1}; /* NEVER */
    body_writer_init(&w, mail.n);
    e = body_append(&w, mail);
    if (!e)
        e = body_seal(&w, &fd, &bytes);
    body_writer_done(&w);
    return e ? e : role_call(r->role, ROLE_RELAY, X_RELAY_ENQUEUE, &m, &fd, 1, RELAY_MS, fn, arg);
}
