/* The shell: hands messages on. */
#include "proc/reporter/reporter.h"

#include "ipc/directory_reporter.h"
#include "sys/entropy.h"
#include "text/charset.h"
#include "text/xml.h"

#include <jansson.h>
#include <stdlib.h>

static void reporter_message(struct role_self *role, struct role_peer *peer, uint16_t type, uint64_t id,
                             const void *message, int *fds, size_t n_fds)
{
    struct reporter *r = reporter_of(role);
    if (peer->def == &x_intake_channel && type == X_INTAKE_GIVE && n_fds == 1)
        intake_give(r, peer, id, message, fds[0]);
    else if (peer->def == &x_reporter_channel && type == X_REPORTER_SEEN)
        seen_note(r, message);
    else if (peer->def == &x_reporter_channel && type == X_REPORTER_FAILED)
        failed_note(r, message);
    else if (peer->def == &directory_reporter_channel && type == DIRECTORY_REPORTER_CALL)
        tell_call(r, peer, id, message);
    else if (peer->def == &directory_reporter_channel && type == DIRECTORY_REPORTER_MORE)
        tell_more(r, peer, id, message);
}

static void reporter_peer(struct role_self *role, struct role_peer *peer)
{
    struct reporter *r = reporter_of(role);
    intake_forget(r, peer);
    tell_forget(r, peer);
}

/* Before the lock-in: what the libraries look at files for. */
static enum err reporter_prepare(struct role_self *role, struct err_detail *detail)
{
    struct reporter *r = calloc(1, sizeof *r);
    (void)detail;
    must(r);
    role->state = r;
    r->role = role;
    list_init(&r->intakes);
    list_init(&r->tells);
    list_init(&r->failed_jobs);
    charset_preload(); /* names of attachments */
    xml_warm_up();
    json_object_seed((size_t)entropy_u64());
    return OK;
}

static enum err reporter_start(struct role_self *role, struct err_detail *detail)
{
    (void)detail;
    struct reporter *r = reporter_of(role);
    r->period_s = (int64_t)role_setting_u64(role, "report-period", MS_DAY / MS_SECOND);
    r->ids.process = REPORTER_ID_PROCESS;
    seen_begin(r);
    send_begin(r);
    failed_begin(r);
    return OK;
}

static void reporter_drain(struct role_self *role, time_ms ms)
{
    struct reporter *r = reporter_of(role);
    (void)ms;
    r->draining = true;
    seen_flush(r);
}

static void reporter_status(struct role_self *role)
{
    const struct reporter *r = reporter_of(role);
    role_fact(role, "reports taken", "%llu", (unsigned long long)r->taken);
    role_fact(role, "reports refused", "%llu", (unsigned long long)r->refused);
    role_fact(role, "judged messages counted", "%llu", (unsigned long long)r->seen_messages);
    role_fact(role, "aggregate reports sent", "%llu", (unsigned long long)r->reports_sent);
    role_fact(role, "failure reports sent", "%llu", (unsigned long long)r->failures_sent);
    if (r->seen_lost)
        role_fact(role, "judged messages lost", "%llu", (unsigned long long)r->seen_lost);
}

const struct role_spec reporter_spec = {
    .role = ROLE_REPORTER,
    .rights = &reporter_rights,
    .prepare = reporter_prepare,
    .start = reporter_start,
    .on_message = reporter_message,
    .on_peer = reporter_peer,
    .on_drain = reporter_drain,
    .on_status = reporter_status,
};
