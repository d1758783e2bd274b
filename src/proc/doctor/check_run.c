/* check_run: one look: which domains, part after part of gathering and surveying, the answer to who asked,
 * and for a round what is kept and told. */
#include "proc/doctor/check__.h"

#include "ipc/admin_words.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "text/date.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK_TELL_MAX 200 /* events of the journal for one round */
#define DNS_PORT       53
#define SMTP_PORT      25

/* Whose mail servers are tried to see whether port 25 outward is open; `doctor outward` names others. */
static const char *const check_outward[] = {"gmail.com", "icloud.com"};

static void check_free(struct check *c)
{
    struct doctor *d = c->doctor;
    list_remove(&c->link);
    arena_done(&c->arena);
    arena_done(&c->round);
    free(c);
    check__next(d);
}

static void check_part(struct check *c);

/* ---- the answer */

static void check_answer(struct check *c, const struct findings *f)
{
    struct buf b CLEANUP(buf_done) = {.max = ADMIN_WORDS_JSON_MAX};
    for (size_t i = 0; c->call && i < f->n; i++) {
        buf_clear(&b);
        if (finding_json(&f->at[i], &b) == OK)
            doctor_row(c->call, buf_view(&b));
    }
}

/* When each of the domains that were not looked at will have been, Unix ms. */
static time_ms check_rest_by(const struct check *c)
{
    size_t left = c->n_domains - c->looked, share = rounds_rest(c->n_domains);
    time_ms next = c->doctor->check->next_at - clock_mono();
    return clock_unix() + (next > 0 ? next : 0) + (time_ms)((left - 1) / share) * CHECK_EVERY_MS;
}

static void check_summary(struct check *c)
{
    struct buf b CLEANUP(buf_done) = {.max = 1024};
    if (!c->call)
        return;
    buf_print(&b, "{\"summary\":\"%s\",\"domains\":%zu,\"looked_at\":%zu,\"findings\":%zu",
              finding_severity_name(c->worst), c->n_domains, c->looked, c->found);
    if (c->looked < c->n_domains && !c->only[0] && !check_is_off(c->doctor)) {
        buf_str(&b, ",\"rest_by\":\"");
        date_print_iso(check_rest_by(c), &b);
        buf_byte(&b, '"');
    }
    buf_byte(&b, '}');
    doctor_row(c->call, buf_view(&b));
    doctor_end(c->call, OK, (slice){0});
    c->call = NULL;
}

static void check_fail(struct check *c, enum err e, slice text)
{
    if (c->call)
        doctor_end(c->call, e, text);
    c->call = NULL;
    check_free(c);
}

/* ---- the end of a round */

static enum kept_look check_look(void *arg, slice domain)
{
    const struct check *c = arg;
    const struct rounds_domain *d = rounds_find(c->domains, c->n_domains, domain);
    if (!domain.n)
        return c->house_looked ? KEPT_LOOKED : KEPT_NOT_LOOKED;
    if (!d)
        return c->names_err ? KEPT_NOT_LOOKED : KEPT_NOT_OURS;
    return d->looked ? KEPT_LOOKED : KEPT_NOT_LOOKED;
}

static void check_save(const struct doctor_check *k)
{
    if (kept_save(k->kept))
        log_warning(
            "the file of findings in doctor's folder cannot be written: since when something is wrong is "
            "forgotten at the next start");
}

static void check_told(void *arg, enum err e)
{
    struct check *c = arg;
    if (e)
        kept_untold(c->doctor->check->kept, &c->opened);
    check_save(c->doctor->check);
    check_free(c);
}

static void check_keep(struct check *c)
{
    struct doctor *d = c->doctor;
    struct doctor_check *k = d->check;
    kept_end(k->kept, check_look, c, &c->closed);
    if (!c->names_err && !c->silent)
        kept_round_set(k->kept, c->last);
    findings_sort(&c->opened);
    findings_sort(&c->closed);
    for (size_t i = 0; i < c->opened.n && i < CHECK_TELL_MAX; i++)
        role_tell(d->role, (struct journal_event){.kind = JOURNAL_TROUBLE,
                                                  .name = slice_str(finding_rows[c->opened.at[i].kind].word),
                                                  .text = c->opened.at[i].what});
    k->last_at = clock_unix();
    k->done++;
    if (k->off) /* whoever switches it on again is told */
        check_told(c, ERR_STATE);
    else if (!c->opened.n && !c->closed.n)
        check_told(c, OK);
    else if (c->names_err && !role_setting(d->role, "admin", 0).n) /* which domain's postmaster? */
        check_told(c, c->names_err);
    else
        alert_send(d, c->all, c->n_domains, &c->opened, &c->closed, kept_count(k->kept, FINDING_WARNING),
                   check_told, c);
}

static void check_end(struct check *c)
{
    if (c->err && c->call) {
        doctor_end(c->call, c->err, SLICE("the check did not come to its end; try one domain at a time"));
        c->call = NULL;
    }
    check_summary(c);
    if (c->only[0])
        check_free(c);
    else
        check_keep(c); /* what its other parts found counts */
}

/* What a part found, or that it could not be done. */
static void check_surveyed(void *arg, enum err e, const struct findings *found)
{
    struct check *c = arg;
    struct findings f;
    bool house = !c->gathered.setup.domains_only;
    if (e) {
        log_error("a check of this server did not come to its end: %s", err_text(e));
        c->err = e;
    } else {
        f = *found; /* since is filled in */
        for (size_t i = 0; i < c->gathered.setup.n_domains; i++) {
            struct rounds_domain *d =
                rounds_find(c->domains, c->n_domains, c->gathered.setup.domains[i].name);
            if (d)
                d->looked = true;
            c->looked += d != NULL;
        }
        c->house_looked |= house;
        c->silent = findings_find(&f, FINDING_DNS_SILENT, SLICE("dns")) < f.n;
        c->found += f.n;
        if (findings_worst(&f) > c->worst)
            c->worst = findings_worst(&f);
        if (c->only[0])
            kept_since(c->doctor->check->kept, &f);
        else
            kept_see(c->doctor->check->kept, &f, clock_unix(), &c->opened);
        check_answer(c, &f);
    }
    if (c->at < c->n_names && !c->silent) /* of a dead DNS more parts learn no more */
        check_part(c);
    else
        check_end(c);
}

static void check_outward_list(struct check *c, struct survey_options *o)
{
    slice host;
    o->outward = c->outward;
    for (size_t i = 0;
         o->n_outward < SURVEY_OUTWARD_MAX && (host = role_setting(c->doctor->role, "outward", i)).n; i++) {
        struct survey_outward *to = &c->outward[o->n_outward++];
        slice name, port;
        uint32_t number;
        *to = (struct survey_outward){host, SMTP_PORT};
        if (slice_split(host, '@', &name, &port) && slice_u32(port, &number) && number <= UINT16_MAX)
            *to = (struct survey_outward){name, (uint16_t)number};
    }
    for (size_t i = 0; !o->n_outward && !c->doctor->check->test_dns_port && i < ARRAY_LEN(check_outward); i++)
        c->outward[i] = (struct survey_outward){slice_str(check_outward[i]), SMTP_PORT};
    if (!o->n_outward && !c->doctor->check->test_dns_port)
        o->n_outward = ARRAY_LEN(check_outward);
}

void check__progress(struct check *c, const char *text)
{
    struct buf b CLEANUP(buf_done) = {.max = 512};
    buf_print(&b, "{\"progress\":\"%s\"}", text);
    if (c->call)
        doctor_row(c->call, buf_view(&b));
}

static void check_gathered(void *arg, enum err e)
{
    struct check *c = arg;
    struct doctor *d = c->doctor;
    uint32_t port = d->check->test_dns_port;
    struct facts *facts = &c->gathered.facts;
    struct survey_options o;
    if (!e && c->only[0] && !c->gathered.setup.n_domains && !facts->n_silent) {
        check_fail(c, ERR_NOT_FOUND, SLICE("that is no domain of this server; see posthorn domain list"));
        return;
    }
    if (e) {
        check_surveyed(c, e, NULL);
        return;
    }
    if (c->names_err && facts->n_silent < GATHER_SILENT_MAX)
        c->gathered.silent[facts->n_silent++] =
            SLICE("our domains: directory does not say which there are; see posthorn status");
    o = (struct survey_options){.loop = d->role->loop,
                                .setup = &c->gathered.setup,
                                .facts = *facts,
                                .lookup = {check__lookup, d},
                                .trust = d->check->trust,
                                .dns_port = (uint16_t)(port ? port : DNS_PORT),
                                .private_ok = port != 0};
    if (!c->gathered.setup.domains_only) {
        check__progress(c, "asking the name servers, connecting to each port");
        check_outward_list(c, &o);
    }
    survey_run(&o, check_surveyed, c);
}

/* Who waits sees that it goes on, and does not give up (directory waits three minutes for a row). */
static void check_waiters(struct doctor *d)
{
    LIST_EACH(it, &d->check->checks)
    {
        struct check *c = LIST_OF(it, struct check, link);
        if (!c->running)
            check__progress(c, "waiting for another look to end");
    }
}

static void check_part(struct check *c)
{
    size_t at = c->at, n = size_min(c->n_names - at, GATHER_DOMAINS_MAX);
    char text[96];
    if (at) {
        snprintf(text, sizeof text, "looking at domain %zu of %zu", at + 1, c->n_names);
        check__progress(c, text);
        check_waiters(c->doctor);
    }
    c->at += n;
    arena_reset(&c->arena);
    gather(c->doctor, &c->arena, c->names + at, n, at == 0, &c->gathered, check_gathered, c);
}

static bool check_choose(struct check *c, const struct doctor_domain *domains, size_t n)
{
    struct kept *kept = c->doctor->check->kept;
    c->domains = ARENA_ARRAY(&c->round, n, struct rounds_domain);
    c->all = ARENA_ARRAY(&c->round, n, slice);
    c->names = ARENA_ARRAY(&c->round, n, slice);
    if (!c->domains || !c->all || !c->names)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!arena_dup(&c->round, domains[i].name, &c->all[i]))
            return false;
        c->domains[i] =
            (struct rounds_domain){.name = c->all[i], .always = check_is_own(c->doctor, c->all[i])};
    }
    c->n_domains = n;
    kept_wrong(kept, c->domains, n);
    (void)rounds_choose(c->domains, n, kept_round(kept), rounds_rest(n), &c->last);
    for (size_t own = 2; own-- > 0;) /* the server's own first: with them it looks at itself */
        for (size_t i = 0; i < n; i++)
            if (c->domains[i].chosen && c->domains[i].always == (own > 0))
                c->names[c->n_names++] = c->all[i];
    return true;
}

static void check_names(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct check *c = arg;
    c->names_err = e;
    if (!e && !check_choose(c, domains, n)) {
        c->names_err = ERR_LIMIT;
        c->n_names = c->n_domains = 0;
    }
    kept_begin(c->doctor->check->kept);
    findings_init(&c->opened, &c->round);
    findings_init(&c->closed, &c->round);
    check_part(c);
}

void check__start(struct check *c)
{
    struct doctor *d = c->doctor;
    c->running = true;
    check__progress(c, "looking at the domains and their settings");
    if (!c->only[0]) {
        doctor_domain_names(d, check_names, c);
        return;
    }
    c->all = c->names = ARENA_ARRAY(&c->round, 1, slice);
    c->domains = ARENA_ARRAY(&c->round, 1, struct rounds_domain);
    must(c->names && c->domains); /* the arena is new */
    c->names[0] = c->domains[0].name = slice_str(c->only);
    c->n_names = c->n_domains = 1;
    check_part(c);
}
