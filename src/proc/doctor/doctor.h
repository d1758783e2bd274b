/* doctor: the process that looks at this server as the outside does, keeps the DNS records and DKIM keys
 * rolling, and says in words what is wrong.
 *
 * The shell (doctor.c) is a table of parts; each part is one job: it has verbs (what the administrator may
 * ask), a clock, and a word when the domains or their settings changed. Parts do not know each other. What
 * several of them need is here: the domains and their settings (doctor_domains()), answers from the DNS
 * (doctor_ask()), and calls that are answered row by row.
 *
 * Limits: DOCTOR_CALLS_MAX calls at a time; rows of one call that nobody fetched yet wait up to
 * DOCTOR_ROWS_MAX. */
#ifndef POSTHORN_PROC_DOCTOR_DOCTOR_H
#define POSTHORN_PROC_DOCTOR_DOCTOR_H

#include "base/buf.h"
#include "base/mail_id.h"
#include "core/dns/dns_table.h"
#include "ipc/role.h"
#include "ipc/x_settings.h"

#define DOCTOR_CALLS_MAX    32
#define DOCTOR_ROWS_MAX     4096
#define DOCTOR_DOMAINS_MAX  20000
#define DOCTOR_ID_PROCESS   61 /* in mail ids, beside relay's 60 */
#define DOCTOR_ARGUMENT_MAX 1024

extern const struct rights doctor_rights;
extern const struct role_spec doctor_spec;

struct doctor;
struct doctor_call;
struct doctor_age;
struct doctor_check;
struct doctor_probe;
struct doctor_rotation;
struct doctor_dns;

/* One word of the administrator, as a part answers it. */
struct doctor_verb {
    const char *name;
    size_t args_min, args_max;
    /* Answers with doctor_row() as often as it likes and one doctor_end(), now or later. */
    void (*run)(struct doctor *d, struct doctor_call *call);
};

/* One job of this role. Any function may be NULL. */
struct doctor_part {
    const char *name;
    void (*start)(struct doctor *d);   /* after the lock-in */
    void (*run)(struct doctor *d);     /* the clock: first_ms after the start, then every every_ms */
    void (*changed)(struct doctor *d); /* domains or their settings were changed */
    time_ms first_ms, every_ms;
    const struct doctor_verb *verbs;
    size_t n_verbs;
    /* A message on a peer's channel that is no reply and not of directory_doctor; true when it was ours. */
    bool (*message)(struct doctor *d, struct role_peer *peer, uint16_t type, uint64_t id, const void *message,
                    int *fds, size_t n_fds);
    void (*status)(struct doctor *d);
    /* A peer's channel came (again) or went. */
    void (*peer)(struct doctor *d, struct role_peer *peer);
};

struct doctor {
    struct role_self *role;
    slice hostname;
    struct list calls;
    size_t n_calls;
    uint32_t last_call;
    struct mail_id_maker ids;
    /* of each part its own */
    struct doctor_age *age;
    struct doctor_check *check;
    struct doctor_probe *probe;
    struct doctor_rotation *rotation;
    struct doctor_dns *dns;
};

/* Runs a part's clock now (at the end of this turn), and then again every every_ms. */
void doctor_run_soon(struct doctor *d, const struct doctor_part *part);
/* Tells every part but one (which did it; may be NULL) that domains, their settings or keys changed. */
void doctor_changed(struct doctor *d, const struct doctor_part *by);

/* ---- calls */

/* The arguments; they live as long as the call. Empty when there are fewer. */
slice doctor_arg(const struct doctor_call *call, size_t n);
size_t doctor_args(const struct doctor_call *call);
/* The descriptor that came with the call, the caller's from now on; -1: there is none. */
int doctor_take_fd(struct doctor_call *call);
/* Adds a row: one JSON value, copied. When it is too long or too many wait, the call ends with ERR_LIMIT
 * instead of what doctor_end() says. */
void doctor_row(struct doctor_call *call, slice json);
/* The last word: text is a sentence when e is not OK, may be one when it is. The call is gone afterwards. */
void doctor_end(struct doctor_call *call, enum err e, slice text);
/* fn(arg) is called once if the asker goes away before doctor_end(); the call is gone then. For a part that
 * keeps the call in something of its own. */
void doctor_on_gone(struct doctor_call *call, void (*fn)(void *arg), void *arg);

/* ---- our domains (domains.c) */

struct doctor_domain {
    slice name;                          /* lower-case A-labels */
    const struct settings_value *values; /* only what differs from the defaults */
    size_t n_values;
};
/* The value of a domain's setting, or fallback. */
slice doctor_domain_setting(const struct doctor_domain *domain, const char *name, slice fallback);
/* domains live until fn returns. When e is not OK there are none. */
typedef void (*doctor_domains_fn)(void *arg, enum err e, const struct doctor_domain *domains, size_t n);
/* Asks directory for every domain and its settings (only: empty for all, else this one domain). fn is called
 * exactly once, never before this returns. */
void doctor_domains(struct doctor *d, slice only, doctor_domains_fn fn, void *arg);
/* The same for the names alone, of every domain, in the order of slice_cmp(); no values are asked for. */
void doctor_domain_names(struct doctor *d, doctor_domains_fn fn, void *arg);

/* ---- the DNS (ask.c) */

/* Sends every question that the table has noted and not sent yet, and calls fn once when all are answered (or
 * have failed: then the answer says so), never before this returns. fresh: not out of the cache. The table
 * must live until then. */
void doctor_ask(struct doctor *d, struct dns_table *table, bool fresh, void (*fn)(void *arg), void *arg);

/* ---- the parts: each in a file of its own, listed in doctor.c */

extern const struct doctor_part doctor_check_part;    /* check.c: looks, finds, alerts */
extern const struct doctor_part doctor_dns_part;      /* records.c: the records each domain should have */
extern const struct doctor_part doctor_rotation_part; /* rotation.c: the life of DKIM keys */
extern const struct doctor_part doctor_push_part;     /* push_part.c: RFC 2136 updates */
extern const struct doctor_part doctor_zone_part;     /* zone.c: the zone that nameserver answers for */

#endif
