/* Mail from outside: header, examination, decision, answer.
 *
 * The DNS works while the body is hashed. When time is up (judge_dns_until()) what has no answer counts
 * as a time-out, and the message is decided with what is known. */
#include "policy/inbound.h"
#include "core/auth/auth_results.h"
#include "core/mail/header.h"
#include "core/mail/limits.h"
#include "core/reports/failure_write.h"
#include "ipc/x_reporter.h"
#include "proc/judge/judge__.h"

#define INBOUND_RESULTS_MAX 8192 /* bytes of an Authentication-Results field */

static slice inbound_hostname(const struct job *j)
{
    return role_setting(j->judge->role, "hostname", 0);
}

static void inbound_full(struct job *j)
{
    judge_job_defer(j, SLICE("the message needs more memory than a message may"));
}

/* ---- the answer */

static bool inbound_prefix(struct job *j)
{
    struct buf value CLEANUP(buf_done) = {.max = INBOUND_RESULTS_MAX};
    struct buf field CLEANUP(buf_done) = {.max = 2 * INBOUND_RESULTS_MAX};
    if (auth_results_print(examination_results(j->examination), inbound_hostname(j), &value) ||
        header_write(&field, SLICE("Authentication-Results"), buf_view(&value), HEADER_STRUCTURED) ||
        field.n > PREFIX_MAX / 2) {
        verdict_reason(&j->verdict, SLICE("the results are too long for a header field, which is left out"));
        return true;
    }
    return arena_dup(&j->arena, buf_view(&field), &j->verdict.prefix);
}

static uint8_t inbound_disposition(const struct job *j, const struct dmarc_result *d)
{
    if (j->applied.applied == DMARC_POLICY_REJECT)
        return SEEN_REJECT;
    if (j->applied.applied == DMARC_POLICY_QUARANTINE)
        return SEEN_QUARANTINE;
    return d->result == AUTH_PASS ? SEEN_PASS : SEEN_NONE;
}

static uint8_t inbound_override(const struct job *j, const struct dmarc_result *d)
{
    switch (j->applied.override) {
    case AUTHENTICATION_FORWARDER:
        return SEEN_OVERRIDE_FORWARDER;
    case AUTHENTICATION_MAILING_LIST:
        return SEEN_OVERRIDE_MAILING_LIST;
    case AUTHENTICATION_ARC:
        return SEEN_OVERRIDE_LOCAL_POLICY;
    case AUTHENTICATION_NO_OVERRIDE:
        break;
    }
    return d->result == AUTH_FAIL && d->testing ? SEEN_OVERRIDE_TEST_MODE : SEEN_OVERRIDE_NO;
}

static slice inbound_domain(slice address)
{
    return slice_from(address, slice_rindex(address, '@') + 1);
}

/* Reporter counts it for the reports we owe the author's domain. A row that is lost costs a count. */
static void inbound_report(struct job *j)
{
    const struct auth_results *r = examination_results(j->examination);
    const struct dmarc_result *d = &r->dmarc;
    struct chan *c = role_chan(j->judge->role, ROLE_REPORTER, 0);
    struct seen_dkim dkim[X_REPORTER_DKIM_MAX];
    struct seen m = {.mail_id = j->ask.mail_id,
                     .at = j->ask.now,
                     .source = j->ask.client_ip,
                     .author = d->author,
                     .policy_domain = d->policy_domain,
                     .record = d->record,
                     .envelope_from = inbound_domain(j->ask.reverse_path),
                     .envelope_to = j->ask.n_rcpts ? inbound_domain(j->ask.rcpts[0].address) : (slice){0},
                     .spf = (uint8_t)r->spf.result,
                     .spf_of_helo = r->spf.of_helo,
                     .spf_domain = r->spf.domain,
                     .dkim = dkim,
                     .dmarc = (uint8_t)d->result,
                     .spf_aligned = d->spf_aligned,
                     .dkim_aligned = d->dkim_aligned,
                     .policy = (uint8_t)d->published,
                     .disposition = inbound_disposition(j, d),
                     .override_type = inbound_override(j, d),
                     .override_comment = j->applied.comment};
    if (!c || d->policy_domain.n == 0)
        return;
    for (; m.n_dkim < r->n_dkim && m.n_dkim < X_REPORTER_DKIM_MAX; m.n_dkim++)
        dkim[m.n_dkim] = (struct seen_dkim){.domain = r->dkim[m.n_dkim].domain,
                                            .selector = r->dkim[m.n_dkim].selector,
                                            .result = (uint8_t)r->dkim[m.n_dkim].result};
    IGNORE_RESULT(chan_send(c, X_REPORTER_SEEN, &m, NULL, 0), "a count that is lost");
}

/* What became of it, RFC 6591 §3.2.2. */
static slice inbound_delivery(const struct job *j)
{
    switch (j->verdict.action) {
    case VERDICT_REJECT:
        return SLICE("reject");
    case VERDICT_JUNK:
        return SLICE("spam");
    default:
        return SLICE("delivered");
    }
}

/* A failure report, when the author's domain asks for one on mail that failed so (fo=, ruf=). Mostly it does
 * not. Only then the header goes along. */
static void inbound_failed(struct job *j)
{
    const struct auth_results *r = examination_results(j->examination);
    const struct dmarc_result *d = &r->dmarc;
    struct failure_result how = {
        .spf_aligned = d->spf_aligned, .dkim_aligned = d->dkim_aligned, .spf = r->spf.result};
    struct chan *c = role_chan(j->judge->role, ROLE_REPORTER, 0);
    struct buf value CLEANUP(buf_done) = {.max = 8192};
    struct failed m = {.mail_id = j->ask.mail_id,
                       .at = j->ask.now,
                       .source = j->ask.client_ip,
                       .author = d->author,
                       .policy_domain = d->policy_domain,
                       .record = d->record,
                       .envelope_from = inbound_domain(j->ask.reverse_path),
                       .envelope_to = j->ask.n_rcpts ? inbound_domain(j->ask.rcpts[0].address) : (slice){0},
                       .delivery = inbound_delivery(j),
                       .spf_aligned = d->spf_aligned,
                       .dkim_aligned = d->dkim_aligned};
    if (!c || d->policy_domain.n == 0 || d->ruf.n == 0 || (d->result != AUTH_FAIL && d->result != AUTH_PASS))
        return;
    for (size_t i = 0; i < r->n_dkim; i++) {
        if (r->dkim[i].result != AUTH_FAIL && r->dkim[i].result != AUTH_PERMERROR)
            continue;
        how.dkim_failed = true;
        if (m.dkim_domain.n == 0) {
            m.dkim_domain = r->dkim[i].domain;
            m.dkim_selector = r->dkim[i].selector;
        }
    }
    m.failure = failure_asked(d->fo, &how);
    if (m.failure.n == 0)
        return;
    if (auth_results_print(r, inbound_hostname(j), &value) == OK)
        m.results = buf_view(&value);
    m.header = slice_sub(j->message, 0, size_min(header_end(j->message), FAILED_HEADER_MAX));
    IGNORE_RESULT(chan_send(c, X_REPORTER_FAILED, &m, NULL, 0), "a courtesy");
}

/* Mail to nobody but the addresses at which reports come in: reports on reports would never end. Beside other
 * recipients such an address changes nothing, or a forger would name it to stay out of all reports. */
static bool inbound_is_report(const struct job *j)
{
    for (size_t i = 0; i < j->ask.n_rcpts; i++)
        if (!slice_starts_nocase(j->ask.rcpts[i].address, SLICE("dmarc-reports@")) &&
            !slice_starts_nocase(j->ask.rcpts[i].address, SLICE("tls-reports@")))
            return false;
    return j->ask.n_rcpts > 0;
}

void judge_inbound_results(struct job *j, struct judge_verdict *out)
{
    const struct auth_results *r = examination_results(j->examination);
    struct judge_dkim *dkim = ARENA_ARRAY(&j->arena, size_min(r->n_dkim, JUDGE_DKIM_MAX), struct judge_dkim);
    out->judged = true;
    out->iprev = (uint8_t)r->iprev.result;
    out->spf = (uint8_t)r->spf.result;
    out->arc = (uint8_t)r->arc.result;
    out->dmarc = (uint8_t)r->dmarc.result;
    out->iprev_name = r->iprev.result == AUTH_PASS ? r->iprev.name : (slice){0};
    out->spf_domain = slice_sub(r->spf.domain, 0, DNS_NAME_MAX);
    out->author = r->dmarc.author;
    out->policy = (uint8_t)r->dmarc.published;
    out->applied = (uint8_t)j->applied.applied;
    out->override_type = (uint8_t)j->applied.override;
    out->replayed = j->replay.replayed;
    out->dkim = dkim;
    for (size_t i = 0; dkim && i < r->n_dkim && i < JUDGE_DKIM_MAX; i++, out->n_dkim++)
        dkim[i] = (struct judge_dkim){.domain = r->dkim[i].domain,
                                      .selector = r->dkim[i].selector,
                                      .result = (uint8_t)r->dkim[i].result};
}

/* ---- the decision */

/* A signature that passes and came to many (THREATS 23). */
static bool inbound_replay(struct job *j)
{
    const struct auth_results *r = examination_results(j->examination);
    struct buf text CLEANUP(buf_done) = {.max = 200};
    slice words;
    struct ip ip;
    if (ip_from_slice(j->ask.client_ip, &ip))
        return true;
    for (size_t i = 0; i < r->n_dkim; i++) {
        struct replay_seen s;
        if (r->dkim[i].result != AUTH_PASS)
            continue;
        s = replay_count(j->judge->replay, r->dkim[i].fingerprint, &ip, (uint32_t)size_max(j->ask.n_rcpts, 1),
                         loop_now(j->judge->role->loop));
        if (s.times > j->replay.times)
            j->replay = s;
    }
    if (!j->replay.replayed)
        return true;
    (void)buf_print(&text, "the same signature was seen %u times, from %u%s address%s", j->replay.times,
                    j->replay.clients, j->replay.clients == REPLAY_CLIENTS ? " or more" : "",
                    j->replay.clients == 1 ? "" : "es"); /* fits */
    if (!arena_dup(&j->arena, buf_view(&text), &words))
        return false;
    verdict_reason(&j->verdict, words);
    return true;
}

/* What the recipients' domains trust; false: it is not known yet. */
static bool inbound_rcpts(struct job *j, struct authentication_policy *p, bool *out_failed)
{
    slice *sealers = ARENA_ARRAY(&j->arena, j->ask.n_rcpts, slice), last = {0};
    bool wait = false;
    *out_failed = sealers == NULL;
    for (size_t i = 0; sealers && i < j->ask.n_rcpts; i++) {
        slice domain = inbound_domain(j->ask.rcpts[i].address);
        if (i && slice_eq(domain, last)) {
            sealers[i] = sealers[i - 1];
            continue;
        }
        last = domain;
        const struct house_domain *d = judge_house_domain(j->judge->house, domain);
        wait |= d && d->state == HOUSE_WAIT;
        *out_failed |= d && d->state == HOUSE_NO_ANSWER;
        if (d && d->state == HOUSE_KNOWN && !arena_dup(&j->arena, d->trust_sealers, &sealers[i]))
            *out_failed = true;
    }
    p->rcpt_sealers = sealers;
    p->n_rcpts = j->ask.n_rcpts;
    p->rcpts_known = true;
    return !wait;
}

static void inbound_decide_all(struct job *j)
{
    const struct auth_results *r = examination_results(j->examination);
    struct authentication_policy p = {.forwarders = j->judge->forwarders,
                                      .n_forwarders = j->judge->n_forwarders,
                                      .sealers = j->judge->sealers,
                                      .n_sealers = j->judge->n_sealers,
                                      .sends_nothing = examination_sends_nothing(j->examination),
                                      .odd_author = examination_odd_author(j->examination),
                                      .of_list = examination_of_list(j->examination),
                                      .dns_works = judge_dns_works(j->judge->dns, j->began_at)};
    bool failed = false;
    if (authentication_wants_rcpts(r, &p)) {
        j->of_house = true;
        if (!inbound_rcpts(j, &p, &failed))
            return; /* judge_house_came() runs this again */
        if (failed) {
            judge_job_defer(j, SLICE("what the recipients' domains trust could not be looked up"));
            return;
        }
    }
    j->of_house = false;
    p.rcpts_known = true;
    if (!authentication_decide(r, &p, &j->arena, &j->verdict, &j->applied) || !inbound_replay(j) ||
        !judge_lists_tell(j) ||
        !authentication_remove_forged(j->message, &mail_limits_default, inbound_hostname(j), &j->arena,
                                      &j->verdict) ||
        !inbound_prefix(j)) {
        inbound_full(j);
        return;
    }
    j->judged = true;
    if (j->verdict.action != VERDICT_DEFER && !inbound_is_report(j)) { /* what is deferred comes again */
        inbound_report(j);
        inbound_failed(j);
    }
    judge_job_answer(j);
}

/* ---- the examination */

static void inbound_step(struct job *j)
{
    if (judge_memory(j->judge) > JUDGE_ARENAS_FULL) {
        judge_job_defer(j, SLICE("too many messages need much memory at once"));
        return;
    }
    for (;;) {
        enum auth_step s = examination_step(j->examination, &j->dns, j->judge->keys);
        enum auth_step lists = judge_lists_ask(j);
        if (s == AUTH_NO_MEMORY) {
            inbound_full(j);
            return;
        }
        if (s == AUTH_DONE && lists != AUTH_WAIT) {
            j->step = inbound_decide_all;
            inbound_decide_all(j);
            return;
        }
        time_ms until = judge_dns_until(j->judge->dns, j->began_at);
        if (!j->asker.late && loop_now(j->judge->role->loop) >= until) {
            judge_dns_give_up(j->judge->dns, &j->asker);
            continue;
        }
        if (judge_dns_ask(j->judge->dns, &j->asker) == 0) {
            if (j->asker.late && dns_table_open(&j->dns) == 0)
                judge_job_defer(j, SLICE("the checks of its origin came to no end"));
            else
                loop_timer_set(&j->timer, until);
            return; /* answers, or the timer, run this again */
        }
    }
}

static void inbound_piece(struct job *j, slice piece)
{
    examination_body(j->examination, piece);
}

static void inbound_hash(struct job *j)
{
    if (!judge_job_hash(j, inbound_piece)) {
        judge_job_go(j);
        return;
    }
    examination_body_end(j->examination);
    j->step = inbound_step;
    inbound_step(j);
}

static void inbound_came(void *arg)
{
    judge_job_go(arg);
}

void judge_inbound_begin(struct job *j)
{
    struct examination_ask ask = {.helo = j->ask.helo,
                                  .reverse_path = j->ask.reverse_path,
                                  .hostname = inbound_hostname(j),
                                  .now = j->ask.now};
    if (!inbound_decide(j->message, &mail_limits_default, &j->arena, &j->verdict)) {
        inbound_full(j);
        return;
    }
    if (j->verdict.action == VERDICT_REJECT) { /* whoever it is from */
        judge_job_answer(j);
        return;
    }
    ask.header = slice_sub(j->message, 0, header_end(j->message));
    j->hashed = ask.header.n;
    if (ip_from_slice(j->ask.client_ip, &ask.client))
        ask.client = (struct ip){0};
    j->examination = examination_begin(&ask, &mail_limits_default, &j->arena);
    if (!j->examination || !dns_table_init(&j->dns, &j->arena, EXAMINATION_QUESTIONS + JUDGE_LISTS_MAX)) {
        inbound_full(j);
        return;
    }
    judge_asker_init(&j->asker, &j->dns, inbound_came, j);
    examination_want(j->examination, &j->dns);
    IGNORE_RESULT(judge_lists_ask(j), "inbound_step() asks again");
    (void)judge_dns_ask(j->judge->dns, &j->asker); /* as above */
    j->step = inbound_hash;
    inbound_hash(j);
}

void judge_inbound_done(struct job *j)
{
    judge_asker_done(&j->asker);
}
