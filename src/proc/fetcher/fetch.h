/* fetch: gets https URLs with libcurl, several at a time, on the loop.
 *
 * What it is: GET, HTTP/1.1, certificates verified, no cookies, no proxy, no decompression, no kept
 * connections. What it is not: a browser.
 *
 * Invariants (THREATS 36):
 *  1. A name is looked up once for each hop, by the function given, and the connection goes to an address of
 *     that answer: libcurl never resolves. One address that may not be reached makes the whole answer refused
 *     (rebinding).
 *  2. The socket is opened by us, after the address was looked at once more.
 *  3. Redirects are not followed by libcurl: each hop, at most 3, passes fetch_url_read() and 1 again.
 *  4. At most bytes_max bytes and timeout_ms for all hops together.
 *  5. done() is called exactly once for each fetch_begin() that returned OK, never inside fetch_begin().
 *
 * libcurl is initialised with the first fetch and given back when nothing has been fetched for a minute. */
#ifndef POSTHORN_PROC_FETCHER_FETCH_H
#define POSTHORN_PROC_FETCHER_FETCH_H

#include "base/ip.h"
#include "sys/loop.h"

#define FETCH_BYTES_MAX   ((uint64_t)5 << 20)
#define FETCH_MS_MAX      (10 * MS_SECOND)
#define FETCH_REDIRECTS   3
#define FETCH_RUNNING_MAX 16
#define FETCH_IPS_MAX     8

struct fetch_world;
struct fetch_job;

/* How a job ended. body_fd: a sealed memfd (see sys/body.h), the callee's to keep; -1 when there is none. */
struct fetch_result {
    enum err err;
    uint32_t status;
    const char *text;         /* why not; "" when all is well */
    const char *content_type; /* "" when there is none */
    int body_fd;
};
typedef void (*fetch_done_fn)(void *arg, const struct fetch_result *r);

struct fetch_hooks {
    /* Looks up the addresses (A and AAAA) of a name and calls fetch_resolved(job, ...) later, once. */
    enum err (*resolve)(void *arg, struct fetch_job *job, const char *host);
    /* The job ended before its answer came: forget it. */
    void (*unresolve)(void *arg, struct fetch_job *job);
    /* May this address be connected to? ERR_DENIED with its reason in detail. */
    enum err (*allowed)(void *arg, const struct ip *ip, struct err_detail *detail);
    void *arg;
    int ca_fd; /* the certificate authorities, PEM; read at the first fetch. -1: nothing verifies */
};

/* hooks are copied. */
struct fetch_world *fetch_world_new(struct loop *loop, const struct fetch_hooks *hooks);
/* Ends all jobs with ERR_CLOSED. NULL is fine. */
void fetch_world_free(struct fetch_world *w);
/* bytes_max and ms: 0 or more than the bounds above are the bounds. ERR_BUSY: too many run. ERR_SYNTAX: a URL
 * we do not fetch; detail says why. */
NODISCARD enum err fetch_begin(struct fetch_world *w, slice url, uint64_t bytes_max, time_ms ms,
                               fetch_done_fn done, void *arg, struct err_detail *detail);
/* The answer to resolve(): e and its addresses. */
void fetch_resolved(struct fetch_job *job, enum err e, const struct ip *ips, size_t n);
/* For status. */
size_t fetch_running(const struct fetch_world *w);

#endif
