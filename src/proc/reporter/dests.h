/* dests: to whom a report may go: the mailboxes of a list (rua=, ruf=), those in other organizations only
 * when their own domain says so in the DNS (core/dmarc/dmarc_uri; RFC 9990 §4). Asks resolver. At most
 * DESTS_MAX; never one in the domain that reports: nobody reports to himself. */
#ifndef POSTHORN_PROC_REPORTER_DESTS_H
#define POSTHORN_PROC_REPORTER_DESTS_H

#include "core/dmarc/dmarc_uri.h"
#include "core/reports/report_mail.h"
#include "ipc/role.h"

#define DESTS_MAX       REPORT_MAIL_TO_MAX
#define DESTS_QUESTIONS 160 /* two walks of eight names and one question for each of ten */

struct dests_ask {
    struct dests *dests;
    size_t question;
};

/* Zero-initialised is idle. */
struct dests {
    struct role_self *role;
    struct arena *arena;
    slice policy_domain, own; /* own: of ours, whose reports these are */
    bool failure;             /* ruf=, else rua= */
    struct dmarc_uri *uris;
    size_t n_uris;
    struct dns_table dns;
    struct dests_ask asks[DESTS_QUESTIONS];
    size_t n_asks, open;
    void (*done)(void *arg);
    void *arg;
    /* the answer */
    slice to[DESTS_MAX];
    uint64_t size_max[DESTS_MAX]; /* 0: not said */
    size_t n_to;
    bool temporary;     /* the DNS did not say of some */
    slice refused, why; /* one that may not get any, and the reason; empty: none */
};

/* Fields role, policy_domain, own, failure, done and arg are filled in; texts live in the arena (of 2 MB at
 * least). Calls done(arg) once, perhaps before it returns, unless dests_forget() comes first. */
void dests_find(struct dests *d, slice list, struct arena *a);
void dests_forget(struct dests *d);

#endif
