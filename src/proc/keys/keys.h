/* keys: the process that alone holds private keys: those of TLS certificates (key_store.h) and those that
 * sign mail (dkim_store.h). Who may use which is decided by the role at the other end of a channel: edge and
 * relay have handshakes signed, judge has mail signed, doctor moves mail keys along. So a taken-over edge
 * cannot sign mail, and a taken-over judge cannot pose as this server. */
#ifndef POSTHORN_PROC_KEYS_KEYS_H
#define POSTHORN_PROC_KEYS_KEYS_H

#include "ipc/role.h"
#include "proc/keys/dkim_maker.h"
#include "proc/keys/dkim_store.h"
#include "proc/keys/key_store.h"

#define KEYS_JOBS_MAX 64 /* keys to be made that wait */

extern const struct rights keys_rights;
extern const struct role_spec keys_spec;

struct keys {
    struct role_self *role;
    struct key_store *tls;
    /* dkim.c */
    struct dkim_store *dkim; /* NULL: its folder could not be read */
    struct dkim_maker *maker;
    struct list jobs; /* struct dkim_job; the first is being made */
    size_t n_jobs;
    uint64_t signed_count, refused_count;
};

/* dkim.c */
NODISCARD enum err dkim_start(struct keys *k, struct err_detail *detail);
void dkim_end(struct keys *k);
/* Messages of x_keys from judge, and of doctor_keys; fd: what came with it, borrowed, or -1. */
void dkim_judge(struct keys *k, struct chan *c, uint16_t type, uint64_t id, const void *message);
void dkim_doctor(struct keys *k, struct chan *c, uint16_t type, uint64_t id, const void *message, int fd);
/* doctor is gone: nobody waits for the answers of jobs any more. */
void dkim_doctor_gone(struct keys *k);

#endif
