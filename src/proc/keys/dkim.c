/* dkim: the shell of dkim_store and dkim_maker: answers judge and doctor. */
#include "base/secret.h"
#include "crypto/private_key.h"
#include "ipc/x_keys.h"
#include "proc/keys/keys.h"
#include "sys/body.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DKIM_FOLDER "dkim"

/* A key that doctor asked for. */
struct dkim_job {
    struct list link;
    uint64_t id; /* of the request; 0: nobody waits */
    enum dkim_key_algorithm algorithm;
    time_ms now_unix;
    size_t domain_n, selector_n;
    char names[]; /* domain, selector */
};

static slice job_domain(const struct dkim_job *j)
{
    return slice_of(j->names, j->domain_n);
}
static slice job_selector(const struct dkim_job *j)
{
    return slice_of(j->names + j->domain_n, j->selector_n);
}

static void dkim_trouble(void *arg, const char *text)
{
    struct keys *k = arg;
    role_tell(k->role, (struct journal_event){
                           .kind = JOURNAL_TROUBLE, .name = SLICE("dkim key"), .text = slice_str(text)});
}

/* ---- judge */

static void judge_signers(struct keys *k, struct chan *c, uint64_t id, const struct dkim_keys_ask *ask)
{
    struct dkim_signer signers[DKIM_SIGNERS_MAX];
    struct dkim_key rows[DKIM_SIGNERS_MAX];
    struct dkim_keys m = {rows, 0};
    if (k->dkim)
        m.n_keys = dkim_store_signers(k->dkim, ask->domain, signers);
    for (size_t i = 0; i < m.n_keys; i++)
        rows[i] = (struct dkim_key){signers[i].selector, (uint8_t)signers[i].algorithm};
    IGNORE_RESULT(chan_reply(c, id, X_KEYS_DKIM, &m, NULL, 0), "who asked is gone");
}

static void judge_sign(struct keys *k, struct chan *c, uint64_t id, const struct dkim_sign_ask *ask)
{
    struct buf out CLEANUP(buf_done) = {.max = KEY_SIGNED_MAX};
    struct signature m = {0};
    enum err e = ERR_NOT_FOUND;
    if (k->dkim)
        e = dkim_store_sign(k->dkim, ask->domain, ask->selector, ask->digest, clock_unix(), clock_mono(),
                            &out);
    m.err = (uint32_t)e;
    m.bytes = e == OK ? buf_view(&out) : (slice){0};
    if (e == OK)
        k->signed_count++;
    else
        k->refused_count++;
    IGNORE_RESULT(chan_reply(c, id, X_KEYS_SIGNATURE, &m, NULL, 0), "who asked is gone");
}

void dkim_judge(struct keys *k, struct chan *c, uint16_t type, uint64_t id, const void *message)
{
    if (type == X_KEYS_DKIM_ASK)
        judge_signers(k, c, id, message);
    else if (type == X_KEYS_DKIM_SIGN)
        judge_sign(k, c, id, message);
}

/* ---- doctor: making */

static void doctor_done(struct chan *c, uint64_t id, enum err e, const char *text)
{
    struct doctor_key_done m = {(uint32_t)e, slice_str(text)};
    if (c && id)
        IGNORE_RESULT(chan_reply(c, id, DOCTOR_KEYS_DONE, &m, NULL, 0), "who asked is gone");
}

static void job_end(struct keys *k, enum err e, const char *text)
{
    struct dkim_job *j = LIST_OF(k->jobs.next, struct dkim_job, link);
    list_remove(&j->link);
    k->n_jobs--;
    doctor_done(role_chan(k->role, ROLE_DOCTOR, 0), j->id, e, text);
    free(j);
}

/* Begins with the first job. */
static void job_next(struct keys *k)
{
    while (!list_empty(&k->jobs)) {
        const struct dkim_job *j = LIST_OF(k->jobs.next, struct dkim_job, link);
        struct err_detail d = {""};
        enum err e = dkim_store_may_add(k->dkim, job_domain(j), job_selector(j), &d);
        if (e == OK && (e = dkim_maker_begin(k->maker, j->algorithm)) == OK)
            return;
        job_end(k, e, d.text[0] ? d.text : "no thread could be started to make a key");
    }
}

static void job_made(void *arg, enum err e, slice public, slice pem)
{
    struct keys *k = arg;
    const struct dkim_job *j = LIST_OF(k->jobs.next, struct dkim_job, link);
    struct err_detail d = {"libcrypto could not make a key"};
    must(!list_empty(&k->jobs));
    if (e == OK)
        e = dkim_store_add(k->dkim, job_domain(j), job_selector(j), j->algorithm, public, pem, j->now_unix,
                           &d);
    if (e != OK && e != ERR_EXISTS)
        dkim_trouble(k, d.text);
    job_end(k, e, e == OK ? "" : d.text);
    job_next(k);
}

static void doctor_make(struct keys *k, struct chan *c, uint64_t id, const struct doctor_key_make *m)
{
    struct err_detail d = {""};
    struct dkim_job *j;
    enum err e = dkim_store_may_add(k->dkim, m->domain, m->selector, &d);
    if (e == OK && !dkim_algorithm_name(m->algorithm)) {
        e = ERR_UNSUPPORTED;
        err_detail_set(&d, "there is no such algorithm");
    }
    if (e == OK && k->n_jobs >= KEYS_JOBS_MAX) {
        e = ERR_BUSY;
        err_detail_set(&d, "%d keys are waiting to be made", KEYS_JOBS_MAX);
    }
    if (e != OK) {
        doctor_done(c, id, e, d.text);
        return;
    }
    j = calloc(1, sizeof *j + m->domain.n + m->selector.n);
    must(j);
    j->id = id;
    j->algorithm = m->algorithm;
    j->now_unix = m->now;
    j->domain_n = m->domain.n;
    j->selector_n = m->selector.n;
    memcpy(j->names, m->domain.p, m->domain.n);
    memcpy(j->names + m->domain.n, m->selector.p, m->selector.n);
    list_append(&k->jobs, &j->link);
    if (k->n_jobs++ == 0)
        job_next(k);
}

/* ---- doctor: a key that was made elsewhere */

#define DKIM_BITS_GOOD 2048

static enum err import_keep(struct keys *k, const struct doctor_key_import *m, const struct private_key *key,
                            struct err_detail *d)
{
    struct buf public CLEANUP(buf_done) = {.max = 1024}, pem CLEANUP(buf_done) = {.max = PRIVATE_KEY_PEM_MAX};
    enum err e = buf_reserve(&pem, PRIVATE_KEY_PEM_MAX) ? OK : ERR_LIMIT; /* at once: no copy where it grew */
    if (e == OK)
        e = private_key_public_text(key, &public);
    if (e == OK)
        e = private_key_write(key, &pem);
    if (e == OK)
        e = dkim_store_add(k->dkim, m->domain, m->selector, (enum dkim_key_algorithm)private_key_kind_of(key),
                           buf_view(&public), buf_view(&pem), m->now, d);
    if (pem.p)
        secret_wipe(pem.p, pem.cap);
    return e;
}

static void doctor_import(struct keys *k, struct chan *c, uint64_t id, const struct doctor_key_import *m,
                          int fd)
{
    struct private_key *key CLEANUP(private_key_free) = NULL;
    struct err_detail d = {""};
    struct body text = {0};
    enum err e = dkim_store_may_add(k->dkim, m->domain, m->selector, &d);
    if (e == OK && (e = body_map(fd, PRIVATE_KEY_PEM_MAX, &text)) != OK)
        err_detail_set(&d, e == ERR_TOO_LARGE ? "the key file is too long for a key"
                                              : "the key did not come in a sealed memfd");
    if (e == OK)
        e = private_key_read(body_view(&text), &key, &d);
    body_unmap(&text);
    if (e == OK)
        e = import_keep(k, m, key, &d);
    if (e == OK && private_key_kind_of(key) == PRIVATE_KEY_RSA && private_key_bits(key) < DKIM_BITS_GOOD)
        err_detail_set(&d,
                       "the key has %u bits, which others may not believe (RFC 8301 asks for 2048): publish "
                       "the records of the new keys too, and they take over",
                       private_key_bits(key));
    doctor_done(c, id, e, d.text[0] || e == OK ? d.text : err_text(e));
}

/* ---- doctor: the rest */

static void doctor_list(struct keys *k, struct chan *c, uint64_t id, const struct doctor_key_list *m)
{
    struct doctor_key row = {.err = ERR_NOT_FOUND};
    if (dkim_store_next(k->dkim, m->after, &row) != OK)
        row = (struct doctor_key){.err = ERR_NOT_FOUND};
    IGNORE_RESULT(chan_reply(c, id, DOCTOR_KEYS_ROW, &row, NULL, 0), "who asked is gone");
}

static void doctor_set(struct keys *k, struct chan *c, uint64_t id, const struct doctor_key_set *m)
{
    struct err_detail d = {""};
    enum err e = dkim_store_set(k->dkim, m->id, m->state, m->now, &d);
    doctor_done(c, id, e, d.text);
}

static void doctor_remove(struct keys *k, struct chan *c, uint64_t id, const struct doctor_key_remove *m)
{
    enum err e = dkim_store_remove(k->dkim, m->id);
    doctor_done(c, id, e, e == OK ? "" : err_text(e));
}

void dkim_doctor(struct keys *k, struct chan *c, uint16_t type, uint64_t id, const void *message, int fd)
{
    if (!k->dkim) { /* its folder could not be read; said at the start */
        struct doctor_key no = {.err = ERR_IO};
        if (type == DOCTOR_KEYS_LIST)
            IGNORE_RESULT(chan_reply(c, id, DOCTOR_KEYS_ROW, &no, NULL, 0), "who asked is gone");
        else
            doctor_done(c, id, ERR_IO, "the folder keys/dkim could not be read when keys started");
    } else if (type == DOCTOR_KEYS_LIST) {
        doctor_list(k, c, id, message);
    } else if (type == DOCTOR_KEYS_MAKE) {
        doctor_make(k, c, id, message);
    } else if (type == DOCTOR_KEYS_SET) {
        doctor_set(k, c, id, message);
    } else if (type == DOCTOR_KEYS_REMOVE) {
        doctor_remove(k, c, id, message);
    } else if (type == DOCTOR_KEYS_IMPORT) {
        doctor_import(k, c, id, message, fd);
    }
}

void dkim_doctor_gone(struct keys *k)
{
    LIST_EACH(it, &k->jobs)
    LIST_OF(it, struct dkim_job, link)->id = 0;
}

/* ---- beginning and end */

static enum err dkim_folder(int above, int *out)
{
    if (mkdirat(above, DKIM_FOLDER, 0700) < 0 && errno != EEXIST)
        return err_from_errno(errno);
    *out = openat(above, DKIM_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*out < 0)
        return err_from_errno(errno);
    return fsync(above) < 0 ? err_from_errno(errno) : OK;
}

enum err dkim_start(struct keys *k, struct err_detail *detail)
{
    int folder CLEANUP(fd_done) = -1;
    enum err e = dkim_folder(k->role->folder_fd, &folder);
    list_init(&k->jobs);
    if (e == OK)
        e = dkim_store_open(fd_take(&folder), dkim_trouble, k, &k->dkim);
    if (e != OK) {
        /* Handshakes go on; mail goes out unsigned, and doctor says so. */
        char text[160];
        snprintf(text, sizeof text, "the folder keys/dkim cannot be read (%s): no mail is signed",
                 err_text(e));
        dkim_trouble(k, text);
        return OK;
    }
    e = dkim_maker_new(k->role->loop, job_made, k, &k->maker);
    if (e != OK)
        err_detail_set(detail, "keys cannot make an event descriptor: %s", err_text(e));
    return e;
}

void dkim_end(struct keys *k)
{
    dkim_maker_free(&k->maker);
    dkim_store_close(&k->dkim);
    while (k->jobs.next && !list_empty(&k->jobs)) {
        struct dkim_job *j = LIST_OF(k->jobs.next, struct dkim_job, link);
        list_remove(&j->link);
        free(j);
    }
}
