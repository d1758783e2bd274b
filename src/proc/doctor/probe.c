/* probe: once an hour a message of each domain to itself, out by relay and the public MX, in at port 25 like
 * a stranger's (THREATS 64). What does not come back in PROBE_MS is lost, and relay says why.
 *
 * The message holds a random token, so that nobody else's message counts; what came back is verified here
 * against the public DNS, as a receiver would. State is in memory only: after a restart the next probe tells.
 */
#include "core/dkim/dkim.h"
#include "core/mail/header.h"
#include "ipc/x_intake.h"
#include "ipc/x_relay.h"
#include "proc/doctor/check.h"
#include "sys/body.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "text/date.h"

#include <stdio.h>
#include <stdlib.h>

#define PROBE_MS        (10 * MS_MINUTE)
#define PROBE_DOMAINS   32 /* of a house with more domains these are probed: they go the same way */
#define PROBE_LOOK_MS   (20 * MS_SECOND)
#define PROBE_BYTES_MAX 65536
#define PROBE_ARENA     ((size_t)2 << 20)

struct probe {
    struct doctor *doctor;
    char domain[256];
    char token[33];
    enum facts_probe_state state;
    enum facts_probe_state outcome; /* of the last one that ended: it counts while the next is under way */
    uint64_t mail_id;
    time_ms sent_at, back_at;
    bool sign_wanted, has_signature;
    uint8_t dkim, spf, dmarc;
    char part[64], reason[1024], dkim_reason[512];
    struct loop_timer timer;
};

struct doctor_probe {
    struct probe *probes[PROBE_DOMAINS];
    size_t n;
};

/* A probe that came back, while its signature is verified. */
struct probe_check {
    struct probe *probe;
    struct arena arena;
    struct dns_table dns;
    struct dkim_verify *verify;
};

static struct probe *probe_of(struct doctor *d, slice domain)
{
    for (size_t i = 0; d->probe && i < d->probe->n; i++)
        if (slice_eq_nocase(slice_str(d->probe->probes[i]->domain), domain))
            return d->probe->probes[i];
    return NULL;
}

size_t probe_facts(struct doctor *d, struct facts_probe *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; d->probe && i < d->probe->n && n < max; i++) {
        const struct probe *p = d->probe->probes[i];
        out[n++] = (struct facts_probe){.domain = slice_str(p->domain),
                                        .state = p->state == PROBE_UNDER_WAY ? p->outcome : p->state,
                                        .sent_at = p->sent_at,
                                        .back_at = p->back_at,
                                        .part = slice_str(p->part),
                                        .reason = slice_str(p->reason),
                                        .signed_ = p->has_signature,
                                        .sign_wanted = p->sign_wanted,
                                        .dkim = p->dkim,
                                        .spf = p->spf,
                                        .dmarc = p->dmarc,
                                        .dkim_reason = slice_str(p->dkim_reason)};
    }
    return n;
}

/* ---- lost: which part was it? */

static void probe_lost(struct probe *p, const char *part, slice reason)
{
    p->state = p->outcome = PROBE_LOST;
    snprintf(p->part, sizeof p->part, "%s", part);
    snprintf(p->reason, sizeof p->reason, "%.*s", SLICE_FMT(slice_sub(reason, 0, sizeof p->reason - 1)));
    check_soon(p->doctor);
}

/* Relay's words for what stopped a message, and the part that each means. The first that is found counts. */
static const char *probe_part(const struct relay_seen *m)
{
    static const struct {
        const char *words, *part;
    } known[] = {
        {"sign", "the signer"},
        {"DKIM", "the signer"},
        {"name server", "the DNS"},
        {"DNS", "the DNS"},
        {"MX", "the DNS"},
        {"no such domain", "the DNS"},
        {"does not exist", "the DNS"},
        {"no address", "the DNS"},
    };
    slice reply = m->reply;
    if (m->held.n)
        return "the queue, which holds it";
    if (!m->attempts)
        return "the queue, which has not tried it";
    if (m->code)
        return "port 25 in, which did not take it";
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (slice_find(reply, slice_str(known[i].words)) < reply.n)
            return known[i].part;
    return "port 25"; /* in or out: examine knows whether others can be reached */
}

static void probe_seen(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct probe *p = arg;
    const struct relay_seen *m = message;
    (void)fds, (void)n_fds;
    if (p->state != PROBE_UNDER_WAY)
        return; /* it came back meanwhile */
    if (e)
        probe_lost(p, "relay, which does not answer", slice_str(err_text(e)));
    else if (m->err)
        probe_lost(p, "the store of the queue", slice_str(err_text(err_from_wire(m->err))));
    else if (!m->found)
        probe_lost(p, "a server that took it and is not this one",
                   SLICE("It left the queue, so somebody took it; see posthorn trace."));
    else
        probe_lost(p, probe_part(m), m->held.n ? m->held : m->reply);
}

static void probe_late(void *arg)
{
    struct probe *p = arg;
    const struct relay_look m = {.mail_id = p->mail_id, .drop = true};
    enum err e;
    if (p->state != PROBE_UNDER_WAY)
        return;
    e = role_call(p->doctor->role, ROLE_RELAY, X_RELAY_LOOK, &m, NULL, 0, PROBE_LOOK_MS, probe_seen, p);
    if (e)
        probe_lost(p, "relay, which does not answer", slice_str(err_text(e)));
}

/* ---- out */

static void probe_queued(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct probe *p = arg;
    const struct queued *m = message;
    (void)fds, (void)n_fds;
    if (p->state != PROBE_UNDER_WAY)
        return;
    if (e)
        probe_lost(p, "relay, which does not answer", slice_str(err_text(e)));
    else if (m->err)
        probe_lost(p, "the store of the queue",
                   m->text.n ? m->text : slice_str(err_text(err_from_wire(m->err))));
}

static enum err probe_header(const struct probe *p, slice address, slice message_id, struct buf *h)
{
    struct buf date CLEANUP(buf_done) = {.max = 64};
    enum err e = date_print(p->sent_at, 0, &date);
    if (!e)
        e = header_write_mailbox(h, SLICE("From"), SLICE("Posthorn probe"), address, HEADER_ENCODE);
    if (!e)
        e = header_write_mailbox(h, SLICE("To"), (slice){0}, address, HEADER_ENCODE);
    if (!e)
        e = header_write(h, SLICE("Subject"), SLICE("Probe: does mail still come in?"), HEADER_ENCODE);
    if (!e)
        e = header_write(h, SLICE("Date"), buf_view(&date), HEADER_STRUCTURED);
    if (!e)
        e = header_write(h, SLICE("Message-ID"), message_id, HEADER_STRUCTURED);
    if (!e)
        e = header_write(h, SLICE("Auto-Submitted"), SLICE("auto-generated"), HEADER_STRUCTURED);
    if (!e)
        e = header_write(h, SLICE("Posthorn-Probe"), slice_str(p->token), HEADER_STRUCTURED);
    return e;
}

static void probe_send(struct probe *p)
{
    struct buf header CLEANUP(buf_done) = {.max = 4096};
    char address[300], message_id[400];
    uint32_t port, seconds;
    check_test(p->doctor, &port, &seconds);
    p->sent_at = clock_unix();
    p->mail_id = mail_id_next(&p->doctor->ids, p->sent_at);
    p->state = PROBE_UNDER_WAY;
    for (size_t i = 0; i < 32; i += 16)
        snprintf(p->token + i, 17, "%016llx", (unsigned long long)entropy_u64());
    snprintf(address, sizeof address, "posthorn-probe@%s", p->domain);
    snprintf(message_id, sizeof message_id, "<%s@%s>", p->token, p->domain);
    if (probe_header(p, slice_str(address), slice_str(message_id), &header) ||
        !alert_enqueue(
            p->doctor, p->mail_id, slice_str(address), slice_str(address), false, buf_view(&header),
            SLICE("This server sends itself a message every hour, to see that mail still arrives.\r\n"),
            slice_str(message_id), probe_queued, p)) {
        probe_lost(p, "relay, which does not answer", (slice){0});
        return;
    }
    loop_timer_after(&p->timer, seconds ? (time_ms)seconds * MS_SECOND : PROBE_MS);
}

/* Of a domain that is not ours any more nothing is wrong. */
static void probe_forget(struct doctor *d, const struct doctor_domain *domains, size_t n)
{
    size_t left = 0;
    for (size_t i = 0; i < d->probe->n; i++) {
        struct probe *p = d->probe->probes[i];
        bool ours = p->state == PROBE_UNDER_WAY;
        for (size_t k = 0; k < n && !ours; k++)
            ours = slice_eq_nocase(slice_str(p->domain), domains[k].name);
        if (ours) {
            d->probe->probes[left++] = p;
            continue;
        }
        role_forget(d->role, p);
        loop_timer_done(&p->timer);
        free(p);
    }
    d->probe->n = left;
}

static void probe_domain(struct doctor *d, const struct doctor_domain *domain)
{
    struct probe *p = probe_of(d, domain->name);
    if (!p) {
        if (d->probe->n == PROBE_DOMAINS)
            return;
        p = calloc(1, sizeof *p);
        must(p);
        p->doctor = d;
        snprintf(p->domain, sizeof p->domain, "%.*s", SLICE_FMT(slice_sub(domain->name, 0, 255)));
        loop_timer_init(d->role->loop, &p->timer, probe_late, p);
        d->probe->probes[d->probe->n++] = p;
    }
    p->sign_wanted = slice_eq(doctor_domain_setting(domain, "sign", SLICE("on")), SLICE("on"));
    if (p->state != PROBE_UNDER_WAY)
        probe_send(p);
}

static void probe_domains(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct doctor *d = arg;
    if (!e)
        probe_forget(d, domains, n);
    for (size_t i = 0; !e && i < n; i++)
        if (check_is_own(d, domains[i].name)) /* whatever others there are */
            probe_domain(d, &domains[i]);
    for (size_t i = 0; !e && i < n; i++)
        if (!check_is_own(d, domains[i].name))
            probe_domain(d, &domains[i]);
}

static void probe_start(struct doctor *d)
{
    d->probe = calloc(1, sizeof *d->probe);
    must(d->probe);
}

static void probe_run(struct doctor *d)
{
    if (!check_is_off(d))
        doctor_domains(d, (slice){0}, probe_domains, d);
}

/* ---- back */

static void probe_verified(struct probe_check *c, enum auth_step step, const struct dkim_result *results,
                           size_t n)
{
    struct probe *p = c->probe;
    const struct dkim_result *best = NULL;
    for (size_t i = 0; step == AUTH_DONE && i < n; i++)
        if (slice_eq(results[i].domain, slice_str(p->domain)) &&
            (!best || (best->result == AUTH_PASS && results[i].result != AUTH_PASS)))
            best = &results[i]; /* each of our signatures must verify: the worst counts */
    p->has_signature = best != NULL;
    p->dkim = (uint8_t)(best ? best->result : AUTH_NONE);
    snprintf(p->dkim_reason, sizeof p->dkim_reason, "%.*s",
             SLICE_FMT(best ? slice_sub(best->reason, 0, sizeof p->dkim_reason - 1) : (slice){0}));
    p->back_at = clock_unix();
    p->state = p->outcome = PROBE_BACK;
    loop_timer_clear(&p->timer);
    arena_done(&c->arena);
    free(c);
    check_soon(p->doctor);
}

static void probe_verify(void *arg)
{
    struct probe_check *c = arg;
    const struct dkim_result *results = NULL;
    size_t n = 0;
    enum auth_step step = dkim_verify_finish(c->verify, &c->dns, clock_unix(), NULL, &results, &n);
    if (step == AUTH_WAIT)
        doctor_ask(c->probe->doctor, &c->dns, true, probe_verify, c);
    else
        probe_verified(c, step, results, n);
}

static void probe_back(struct probe *p, const struct intake *m, slice message)
{
    struct probe_check *c = calloc(1, sizeof *c);
    size_t end = header_end(message);
    slice header;
    must(c);
    c->probe = p;
    p->spf = m->judged ? m->spf : AUTH_NONE;
    p->dmarc = m->judged ? m->dmarc : AUTH_NONE;
    arena_init(&c->arena, "probe", PROBE_ARENA);
    if (arena_dup(&c->arena, slice_sub(message, 0, end), &header) && dns_table_init(&c->dns, &c->arena, 64))
        c->verify = dkim_verify_begin(header, &c->arena);
    if (!c->verify) {
        probe_verified(c, AUTH_NO_MEMORY, NULL, 0);
        return;
    }
    dkim_verify_body(c->verify, slice_from(message, end));
    dkim_verify_body_end(c->verify);
    probe_verify(c);
}

static void probe_given(struct doctor *d, const struct intake *m, int fd)
{
    struct body body = {0};
    struct header_field token;
    struct probe *p = probe_of(d, slice_from(m->recipient, slice_rindex(m->recipient, '@') + 1));
    if (!p || p->state != PROBE_UNDER_WAY || body_map(fd, PROBE_BYTES_MAX, &body))
        return;
    if (header_find(slice_sub(body_view(&body), 0, header_end(body_view(&body))), SLICE("Posthorn-Probe"),
                    &token) &&
        slice_eq_secret(slice_trim(token.value), slice_str(p->token)))
        probe_back(p, m, body_view(&body));
    body_unmap(&body);
}

/* Whatever came is taken: a stranger learns nothing of what we await. */
static bool probe_message(struct doctor *d, struct role_peer *peer, uint16_t type, uint64_t id,
                          const void *message, int *fds, size_t n_fds)
{
    const struct intake_taken taken = {.err = OK};
    if (peer->def != &x_intake_channel || type != X_INTAKE_GIVE)
        return false;
    if (n_fds == 1)
        probe_given(d, message, fds[0]);
    IGNORE_RESULT(chan_reply(peer->chan, id, X_INTAKE_TAKEN, &taken, NULL, 0), "the giver is gone");
    return true;
}

static void probe_verb(struct doctor *d, struct doctor_call *call)
{
    doctor_domains(d, (slice){0}, probe_domains, d);
    doctor_end(call, OK, SLICE("The probe is on its way; posthorn doctor says what became of it."));
}

static const struct doctor_verb probe_verbs[] = {
    {"doctor probe", 0, 0, probe_verb},
};

const struct doctor_part doctor_probe_part = {
    .name = "probe",
    .start = probe_start,
    .run = probe_run,
    .first_ms = 90 * MS_SECOND,
    .every_ms = MS_HOUR,
    .verbs = probe_verbs,
    .n_verbs = ARRAY_LEN(probe_verbs),
    .message = probe_message,
};
