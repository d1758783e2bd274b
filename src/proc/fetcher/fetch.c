#include "proc/fetcher/fetch.h"

#include "proc/fetcher/url.h"
#include "sys/body.h"
#include "sys/fd.h"
#include "sys/settle.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDLE_MS MS_MINUTE

struct fetch_job {
    struct list link;
    struct fetch_world *world;
    fetch_done_fn done;
    void *arg;
    struct fetch_url url;
    struct ip ips[FETCH_IPS_MAX]; /* those this hop may connect to */
    size_t n_ips;
    unsigned redirects;
    bool resolving, too_large;
    uint64_t bytes_max;
    struct body_writer body;
    CURL *easy;
    struct curl_slist *pinned;
    struct loop_timer deadline;
    struct err_detail detail;
};

/* A socket libcurl wants to be told about. */
struct watch {
    struct loop_io io;
    struct fetch_world *world;
    int fd;
};

struct fetch_world {
    struct loop *loop;
    struct fetch_hooks hooks;
    CURLM *multi; /* NULL: libcurl is not in use */
    struct list jobs;
    size_t n_jobs;
    struct loop_timer timer, idle;
};

/* --- libcurl on the loop */

static void finish_transfers(struct fetch_world *w);

static void on_socket(void *arg, unsigned ready)
{
    struct watch *watch = arg;
    struct fetch_world *w = watch->world;
    int mask = (ready & LOOP_READ ? CURL_CSELECT_IN : 0) | (ready & LOOP_WRITE ? CURL_CSELECT_OUT : 0),
        running;
    (void)curl_multi_socket_action(w->multi, watch->fd, mask, &running); /* each transfer tells its own end */
    finish_transfers(w);
}

static void on_timer(void *arg)
{
    struct fetch_world *w = arg;
    int running;
    if (!w->multi)
        return;
    (void)curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running); /* see on_socket() */
    finish_transfers(w);
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
    struct fetch_world *w = arg;
    (void)multi;
    if (ms < 0)
        loop_timer_clear(&w->timer);
    else
        loop_timer_after(&w->timer, ms);
    return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct fetch_world *w = arg;
    struct watch *watch = known;
    unsigned events = (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            loop_io_done(&watch->io);
            free(watch);
        }
        return 0;
    }
    if (watch) {
        loop_io_set(&watch->io, events);
        return 0;
    }
    watch = calloc(1, sizeof *watch);
    must(watch);
    watch->world = w;
    watch->fd = fd;
    if (loop_io_init(w->loop, &watch->io, fd, events, on_socket, watch)) {
        free(watch);
        return -1;
    }
    (void)curl_multi_assign(w->multi, fd, watch); /* fd is one libcurl just named */
    return 0;
}

/* Invariant 2: the address libcurl is about to use is one of those that were looked at. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct fetch_job *job = arg;
    struct ip ip = {{0}};
    (void)purpose;
    if (a->family == AF_INET)
        ip = ip_from_v4((const uint8_t *)&((const struct sockaddr_in *)(const void *)&a->addr)->sin_addr);
    else if (a->family == AF_INET6)
        memcpy(ip.b, &((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_addr, sizeof ip.b);
    for (size_t i = 0; i < job->n_ips; i++)
        if (ip_eq(&ip, &job->ips[i]))
            return socket(a->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    err_detail_set(&job->detail, "the connection would have gone to another address than the one looked up");
    return CURL_SOCKET_BAD;
}

static size_t take_bytes(char *p, size_t size, size_t n, void *arg)
{
    struct fetch_job *job = arg;
    long status = 0;
    (void)curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status); /* 0 when it fails */
    if (status >= 300 && status < 400)
        return size * n; /* a redirect's own words */
    if (body_append(&job->body, slice_of(p, size * n)) == OK)
        return size * n;
    job->too_large = true;
    return 0;
}

/* --- libcurl's own life */

static void read_authorities(struct fetch_world *w, CURL *easy)
{
    struct stat st;
    void *p;
    if (w->hooks.ca_fd < 0 || fstat(w->hooks.ca_fd, &st) || st.st_size <= 0 || st.st_size > (16 << 20))
        return;
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, w->hooks.ca_fd, 0);
    if (p == MAP_FAILED)
        return;
    struct curl_blob blob = {.data = p, .len = (size_t)st.st_size, .flags = CURL_BLOB_COPY};
    (void)curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob); /* without it nothing verifies: safe */
    (void)munmap(p, (size_t)st.st_size);                      /* mapped above */
}

static void wake(struct fetch_world *w)
{
    loop_timer_clear(&w->idle);
    if (w->multi)
        return;
    must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    w->multi = curl_multi_init();
    must(w->multi);
    must(curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, want_socket) == CURLM_OK);
    must(curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w) == CURLM_OK);
    must(curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, want_timer) == CURLM_OK);
    must(curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w) == CURLM_OK);
}

static void sleep_again(struct fetch_world *w)
{
    if (!w->multi)
        return;
    (void)curl_multi_cleanup(w->multi); /* no handle is in it */
    w->multi = NULL;
    loop_timer_clear(&w->timer);
    curl_global_cleanup();
    settle();
}

static void idle_due(void *arg)
{
    struct fetch_world *w = arg;
    if (w->n_jobs == 0)
        sleep_again(w);
}

/* --- a job */

static void drop_easy(struct fetch_job *job)
{
    if (job->easy) {
        (void)curl_multi_remove_handle(job->world->multi, job->easy); /* it is in there, or never came in */
        curl_easy_cleanup(job->easy);
        job->easy = NULL;
    }
    curl_slist_free_all(job->pinned);
    job->pinned = NULL;
}

static void end_job(struct fetch_job *job, enum err e, uint32_t status, const char *type)
{
    struct fetch_world *w = job->world;
    struct fetch_result r = {
        .err = e, .status = status, .text = job->detail.text, .content_type = type, .body_fd = -1};
    char kept[256];
    uint64_t bytes;

    (void)snprintf(kept, sizeof kept, "%s", type ? type : "");
    r.content_type = kept;
    if (e && !job->detail.text[0])
        err_detail_set(&job->detail, "%s", err_text(e));
    if (e == OK) {
        job->detail.text[0] = '\0';
        r.err = body_seal(&job->body, &r.body_fd, &bytes);
    }
    if (job->resolving)
        w->hooks.unresolve(w->hooks.arg, job);
    drop_easy(job);
    loop_timer_done(&job->deadline);
    body_writer_done(&job->body);
    list_remove(&job->link);
    w->n_jobs--;
    if (w->n_jobs == 0)
        loop_timer_after(&w->idle, IDLE_MS);
    job->done(job->arg, &r);
    fd_done(&r.body_fd);
    free(job);
}

static void deadline_due(void *arg)
{
    struct fetch_job *job = arg;
    err_detail_set(&job->detail, "%s did not answer in time", job->url.host);
    end_job(job, ERR_TIMEOUT, 0, NULL);
}

/* "+host:port:ip,ip": libcurl asks nobody for this host. */
static bool pin(struct fetch_job *job)
{
    CLEANUP(buf_done) struct buf b = {.max = 1024};
    (void)buf_print(&b, "+%s:%u:", job->url.host, job->url.port); /* buf_failed() is asked below */
    for (size_t i = 0; i < job->n_ips; i++) {
        char text[IP_TEXT];
        ip_print(&job->ips[i], text);
        (void)buf_print(&b,
                        i                        ? ip_is_v4(&job->ips[i]) ? ",%s" : ",[%s]"
                        : ip_is_v4(&job->ips[i]) ? "%s"
                                                 : "[%s]",
                        text);
    }
    (void)buf_byte(&b, 0);
    if (buf_failed(&b))
        return false;
    job->pinned = curl_slist_append(NULL, (const char *)b.p);
    return job->pinned != NULL;
}

#define SET(option, value) good = good && curl_easy_setopt(job->easy, (option), (value)) == CURLE_OK

static enum err start_transfer(struct fetch_job *job)
{
    struct fetch_world *w = job->world;
    bool good = true;

    wake(w);
    job->easy = curl_easy_init();
    must(job->easy);
    if (!job->url.literal && !pin(job))
        return ERR_LIMIT;
    SET(CURLOPT_URL, job->url.text);
    SET(CURLOPT_PRIVATE, job);
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_USERAGENT, "Posthorn");
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)job->bytes_max);
    SET(CURLOPT_WRITEFUNCTION, take_bytes);
    SET(CURLOPT_WRITEDATA, job);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, job);
    SET(CURLOPT_RESOLVE, job->pinned);
    read_authorities(w, job->easy);
    return good && curl_multi_add_handle(w->multi, job->easy) == CURLM_OK ? OK : ERR_BUG;
}

/* The addresses of this hop are known: looks at each, and goes on. */
static enum err connect_to(struct fetch_job *job, const struct ip *ips, size_t n)
{
    struct fetch_world *w = job->world;
    if (n == 0) {
        err_detail_set(&job->detail, "%s has no address", job->url.host);
        return ERR_NOT_FOUND;
    }
    for (size_t i = 0; i < n; i++) {
        enum err e = w->hooks.allowed(w->hooks.arg, &ips[i], &job->detail);
        if (e) {
            err_detail_prefix(&job->detail, job->url.host);
            return e;
        }
    }
    job->n_ips = size_min(n, FETCH_IPS_MAX);
    memcpy(job->ips, ips, job->n_ips * sizeof *ips);
    return start_transfer(job);
}

static enum err start_hop(struct fetch_job *job)
{
    if (job->url.literal)
        return connect_to(job, &job->url.ip, 1);
    job->resolving = true;
    enum err e = job->world->hooks.resolve(job->world->hooks.arg, job, job->url.host);
    if (e)
        job->resolving = false;
    return e;
}

void fetch_resolved(struct fetch_job *job, enum err e, const struct ip *ips, size_t n)
{
    must(job->resolving);
    job->resolving = false;
    if (e)
        err_detail_set(&job->detail, "%s cannot be looked up: %s", job->url.host, err_text(e));
    else
        e = connect_to(job, ips, n);
    if (e)
        end_job(job, e, 0, NULL);
}

/* OK: the next hop runs. */
static enum err follow(struct fetch_job *job, const char *target)
{
    struct fetch_url next;
    enum err e;
    if (++job->redirects > FETCH_REDIRECTS) {
        err_detail_set(&job->detail, "it is redirected more than %d times", FETCH_REDIRECTS);
        return ERR_LOOP;
    }
    e = fetch_url_read(slice_str(target), &next, &job->detail);
    if (e) {
        err_detail_prefix(&job->detail, "it is redirected");
        return ERR_DENIED;
    }
    drop_easy(job); /* target points into it */
    job->url = next;
    return start_hop(job);
}

static enum err error_of(struct fetch_job *job, CURLcode code)
{
    if (!job->detail.text[0])
        err_detail_set(&job->detail, "%s: %s", job->url.host, curl_easy_strerror(code));
    switch (code) {
    case CURLE_OK:
        return OK;
    case CURLE_WRITE_ERROR:
    case CURLE_FILESIZE_EXCEEDED:
        err_detail_set(&job->detail, "%s sends more than %llu bytes", job->url.host,
                       (unsigned long long)job->bytes_max);
        return ERR_TOO_LARGE;
    case CURLE_COULDNT_CONNECT:
        return ERR_CONNECT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
        return ERR_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_PEER;
    }
}

static void transfer_ended(struct fetch_job *job, CURLcode code)
{
    long status = 0;
    char *target = NULL, *type = NULL;
    enum err e;
    if (code) {
        end_job(job, error_of(job, code), 0, NULL);
        return;
    }
    (void)curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE,
                            &status); /* stays 0, NULL, NULL when they fail */
    (void)curl_easy_getinfo(job->easy, CURLINFO_REDIRECT_URL, &target);
    (void)curl_easy_getinfo(job->easy, CURLINFO_CONTENT_TYPE, &type);
    if (status < 300 || status >= 400 || !target) {
        end_job(job, OK, (uint32_t)status, type);
        return;
    }
    e = follow(job, target);
    if (e)
        end_job(job, e, (uint32_t)status, NULL);
}

static void finish_transfers(struct fetch_world *w)
{
    CURLMsg *m;
    int left;
    while (w->multi && (m = curl_multi_info_read(w->multi, &left))) {
        struct fetch_job *job = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&job); /* set at start */
        must(job);
        transfer_ended(job, code);
    }
}

enum err fetch_begin(struct fetch_world *w, slice url, uint64_t bytes_max, time_ms ms, fetch_done_fn done,
                     void *arg, struct err_detail *detail)
{
    struct fetch_job *job;
    struct fetch_url read;
    enum err e = fetch_url_read(url, &read, detail);

    if (e)
        return e;
    if (w->n_jobs >= FETCH_RUNNING_MAX) {
        err_detail_set(detail, "%d other things are being fetched", FETCH_RUNNING_MAX);
        return ERR_BUSY;
    }
    job = calloc(1, sizeof *job);
    must(job);
    job->world = w;
    job->url = read;
    job->done = done;
    job->arg = arg;
    job->bytes_max = bytes_max && bytes_max < FETCH_BYTES_MAX ? bytes_max : FETCH_BYTES_MAX;
    body_writer_init(&job->body, job->bytes_max);
    loop_timer_init(w->loop, &job->deadline, deadline_due, job);
    e = start_hop(job);
    if (e) {
        *detail = job->detail;
        if (!detail->text[0])
            err_detail_set(detail, "%s", err_text(e));
        drop_easy(job);
        loop_timer_done(&job->deadline);
        body_writer_done(&job->body);
        free(job);
        return e;
    }
    loop_timer_after(&job->deadline, ms > 0 && ms < FETCH_MS_MAX ? ms : FETCH_MS_MAX);
    list_append(&w->jobs, &job->link);
    w->n_jobs++;
    return OK;
}

size_t fetch_running(const struct fetch_world *w)
{
    return w->n_jobs;
}

struct fetch_world *fetch_world_new(struct loop *loop, const struct fetch_hooks *hooks)
{
    struct fetch_world *w = calloc(1, sizeof *w);
    must(w);
    w->loop = loop;
    w->hooks = *hooks;
    list_init(&w->jobs);
    loop_timer_init(loop, &w->timer, on_timer, w);
    loop_timer_init(loop, &w->idle, idle_due, w);
    return w;
}

void fetch_world_free(struct fetch_world *w)
{
    if (!w)
        return;
    while (!list_empty(&w->jobs))
        end_job(LIST_OF(w->jobs.next, struct fetch_job, link), ERR_CLOSED, 0, NULL);
    sleep_again(w);
    loop_timer_done(&w->timer);
    loop_timer_done(&w->idle);
    free(w);
}
