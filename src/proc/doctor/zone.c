/* zone: keeps the zone that nameserver answers for equal to the plans of all domains.
 *
 * States: idle; gathering (plans are made); giving (pages travel, one at a time). What changes meanwhile
 * starts another round at the end. nameserver gets a zone only when its content changed, or when it was
 * started anew and has none; a domain whose plan cannot be made leaves the old zone in place as a whole, so
 * that no key disappears because something was down for a moment. */
#include "proc/doctor/doctor.h"

#include "ipc/doctor_nameserver.h"
#include "proc/doctor/records.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <stdlib.h>

#define ZONE_MS      (20 * MS_SECOND)
#define ZONE_ARENA   ((size_t)24 << 20)
#define ZONE_RECORDS 100000
#define ZONE_FIRST   (500)
#define ZONE_EVERY   (5 * MS_MINUTE)

static struct zone {
    struct doctor *doctor;
    enum { ZONE_IDLE, ZONE_GATHERING, ZONE_GIVING } state;
    bool again; /* something changed meanwhile */
    struct arena arena;
    struct nameserver_record *records;
    size_t n, room, given;
    struct hash_key key;
    struct map have; /* of the records gathered: hash -> their mark. Each plan has the host's own */
    size_t left_out;
    uint64_t content, told; /* hash of the content gathered, and of what nameserver has; 0: nothing */
    uint32_t serial;
    bool said; /* that it cannot be gathered */
} zone;

static void zone_run(struct doctor *d);

static void zone_done(void)
{
    arena_done(&zone.arena);
    map_done(&zone.have);
    free(zone.records);
    zone.records = NULL;
    zone.n = zone.room = zone.given = 0;
    zone.state = ZONE_IDLE;
    if (zone.again)
        doctor_run_soon(zone.doctor, &doctor_zone_part);
}

/* ---- giving */

static enum err zone_page(void);

static void zone_taken(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    const struct nameserver_taken *m = message;
    (void)arg, (void)fds, (void)n_fds;
    if (!e)
        e = err_from_wire(m->err);
    if (!e && zone.given < zone.n)
        e = zone_page();
    else if (!e) {
        zone.told = zone.content;
        log_info("nameserver has %zu records, serial %lu", zone.n, (unsigned long)zone.serial);
        zone_done();
        return;
    }
    if (!e)
        return;
    log_warning("nameserver does not take the zone: %s", err_text(e));
    zone_done();
}

/* The next records, as many as a message may carry. */
static enum err zone_page(void)
{
    struct nameserver_put m = {.serial = zone.serial,
                               .first = zone.given == 0,
                               .records = zone.records ? zone.records + zone.given : NULL};
    size_t bytes = 0;
    while (zone.given < zone.n && m.n_records < NAMESERVER_PAGE && bytes < NAMESERVER_PAGE_BYTES) {
        const struct nameserver_record *r = &zone.records[zone.given++];
        bytes += r->name.n + r->rdata.n + 32;
        m.n_records++;
    }
    m.last = zone.given == zone.n;
    return role_call(zone.doctor->role, ROLE_NAMESERVER, DOCTOR_NAMESERVER_PUT, &m, NULL, 0, ZONE_MS,
                     zone_taken, NULL);
}

static void zone_give(void)
{
    uint32_t now = (uint32_t)(clock_unix() / MS_SECOND);
    if (zone.content == zone.told) {
        zone_done();
        return;
    }
    zone.serial = now > zone.serial ? now : zone.serial + 1; /* it only rises, RFC 1982 */
    zone.state = ZONE_GIVING;
    if (zone_page() != OK)
        zone_done(); /* nameserver is down: on_peer tells when it is back */
}

/* ---- gathering */

static bool zone_add(const struct dns_plan_record *r)
{
    static char mark;
    struct nameserver_record *to;
    uint64_t parts[3] = {hash_slice(&zone.key, dns_name_view(&r->name)), hash_slice(&zone.key, r->rdata),
                         r->type};
    uint64_t hash = hash_slice(&zone.key, slice_of(parts, sizeof parts));
    if (map_put(&zone.have, hash, &mark))
        return true;
    if (zone.n == ZONE_RECORDS || r->rdata.n > NAMESERVER_RDATA_MAX)
        return false;
    if (zone.n == zone.room) {
        zone.room = zone.room ? 2 * zone.room : 256;
        zone.records = realloc(zone.records, zone.room * sizeof *zone.records);
        must(zone.records);
    }
    to = &zone.records[zone.n];
    *to = (struct nameserver_record){.type = r->type, .ttl_s = r->ttl_s};
    if (!arena_dup(&zone.arena, dns_name_view(&r->name), &to->name) ||
        !arena_dup(&zone.arena, r->rdata, &to->rdata))
        return false;
    zone.content += hash; /* a sum: the order is no content */
    zone.n++;
    return true;
}

static void zone_one(void *arg, const struct doctor_domain *domain, enum err e, slice text,
                     const struct dns_plan_input *input, const struct dns_plan *plan)
{
    (void)arg, (void)domain, (void)text, (void)input;
    for (size_t i = 0; !e && i < plan->n; i++)
        if (plan->records[i].owner == DNS_PLAN_OWNER_US && !zone_add(&plan->records[i]) && !zone.left_out++)
            log_error("the zone is full: the record of %s and those that follow are left out",
                      plan->records[i].name.text);
}

static void zone_gathered(void *arg, enum err e, slice text)
{
    (void)arg;
    if (e) {
        if (!zone.said)
            log_warning("the zone cannot be gathered and stays as it is: %.*s", SLICE_FMT(text));
        zone.said = true;
        zone_done();
        return;
    }
    zone.said = false;
    if (zone.content == 0)
        zone.content = 1;
    zone_give();
}

static void zone_run(struct doctor *d)
{
    if (role_setting(d->role, "zone", 0).n == 0)
        return;
    if (zone.state != ZONE_IDLE) {
        zone.again = true;
        return;
    }
    zone.doctor = d;
    zone.again = false;
    zone.state = ZONE_GATHERING;
    zone.content = 0;
    zone.left_out = 0;
    arena_init(&zone.arena, "zone", ZONE_ARENA);
    records_all(d, zone_one, zone_gathered, NULL);
}

static void zone_start(struct doctor *d)
{
    zone = (struct zone){.doctor = d, .key = entropy_hash_key()};
}

static void zone_changed(struct doctor *d)
{
    doctor_run_soon(d, &doctor_zone_part);
}

static void zone_peer(struct doctor *d, struct role_peer *peer)
{
    if (peer->role != ROLE_NAMESERVER || peer->def != &doctor_nameserver_channel)
        return;
    zone.told = 0;
    if (peer->chan)
        doctor_run_soon(d, &doctor_zone_part);
}

static void zone_status(struct doctor *d)
{
    if (role_setting(d->role, "zone", 0).n)
        role_fact(d->role, "zone serial", "%lu", (unsigned long)zone.serial);
}

const struct doctor_part doctor_zone_part = {
    .name = "zone",
    .start = zone_start,
    .run = zone_run,
    .changed = zone_changed,
    .first_ms = ZONE_FIRST,
    .every_ms = ZONE_EVERY,
    .peer = zone_peer,
    .status = zone_status,
};
