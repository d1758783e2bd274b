#include "proc/keys/dkim_maker.h"

#include "base/secret.h"
#include "crypto/private_key.h"
#include "sys/fd.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct dkim_maker {
    struct loop_io io;
    int ready; /* eventfd: the thread is at its end */
    dkim_made_fn fn;
    void *arg;
    bool busy;
    pthread_t thread;
    /* the thread's, while busy */
    enum dkim_key_algorithm algorithm;
    enum err err;
    struct buf public, pem;
};

static void maker_wipe(struct dkim_maker *m)
{
    if (m->pem.p)
        secret_wipe(m->pem.p, m->pem.cap);
    buf_done(&m->pem);
    buf_done(&m->public);
}

static enum err maker_make(struct dkim_maker *m)
{
    struct private_key *k CLEANUP(private_key_free) =
        private_key_make(m->algorithm == DKIM_KEY_RSA ? PRIVATE_KEY_RSA : PRIVATE_KEY_ED25519);
    enum err e;
    if (!k)
        return ERR_MEMORY;
    e = private_key_public_text(k, &m->public);
    return e == OK ? private_key_write(k, &m->pem) : e;
}

static void *maker_thread(void *arg)
{
    struct dkim_maker *m = arg;
    const uint64_t one = 1;
    m->err = maker_make(m);
    while (write(m->ready, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return NULL;
}

static void maker_ready(void *arg, unsigned ready)
{
    struct dkim_maker *m = arg;
    uint64_t count;
    (void)ready;
    if (!m->busy || read(m->ready, &count, sizeof count) < 0)
        return;
    must(pthread_join(m->thread, NULL) == 0);
    m->busy = false;
    m->fn(m->arg, m->err, buf_view(&m->public), buf_view(&m->pem));
    if (!m->busy)
        maker_wipe(m);
}

enum err dkim_maker_new(struct loop *loop, dkim_made_fn fn, void *arg, struct dkim_maker **out)
{
    struct dkim_maker *m = calloc(1, sizeof *m);
    enum err e;
    must(m);
    m->fn = fn;
    m->arg = arg;
    m->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    e = m->ready < 0 ? err_from_errno(errno)
                     : loop_io_init(loop, &m->io, m->ready, LOOP_READ, maker_ready, m);
    if (e != OK) {
        fd_done(&m->ready);
        free(m);
        return e;
    }
    *out = m;
    return OK;
}

void dkim_maker_free(struct dkim_maker **m)
{
    if (!m || !*m)
        return;
    if ((*m)->busy)
        must(pthread_join((*m)->thread, NULL) == 0);
    maker_wipe(*m);
    loop_io_done(&(*m)->io);
    fd_done(&(*m)->ready);
    free(*m);
    *m = NULL;
}

enum err dkim_maker_begin(struct dkim_maker *m, enum dkim_key_algorithm algorithm)
{
    if (m->busy)
        return ERR_STATE;
    maker_wipe(m);
    buf_init(&m->public, 1024);
    buf_init(&m->pem, PRIVATE_KEY_PEM_MAX);
    must(buf_reserve(&m->pem, PRIVATE_KEY_PEM_MAX)); /* at once: no copy is left behind where it grew */
    m->algorithm = algorithm;
    if (pthread_create(&m->thread, NULL, maker_thread, m) != 0)
        return ERR_BUSY;
    m->busy = true;
    return OK;
}
