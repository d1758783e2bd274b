/* dkim_maker: makes key pairs, one at a time, in a thread of its own: RSA of 2048 bits takes 50 to 300 ms, in
 * which the others go on being signed for.
 *
 * The thread touches nothing but its own job: it makes a key, writes it as text, and ends. Between jobs there
 * is no thread. */
#ifndef POSTHORN_PROC_KEYS_DKIM_MAKER_H
#define POSTHORN_PROC_KEYS_DKIM_MAKER_H

#include "proc/keys/dkim_file.h"
#include "sys/loop.h"

struct dkim_maker;

/* e: OK or what failed; public and pem live until the function returns, and are wiped then. */
typedef void (*dkim_made_fn)(void *arg, enum err e, slice public, slice pem);

NODISCARD enum err dkim_maker_new(struct loop *loop, dkim_made_fn fn, void *arg, struct dkim_maker **out);
/* Waits for a job that runs, whose result is lost. NULLs the pointer; NULL is fine. */
void dkim_maker_free(struct dkim_maker **m);
/* ERR_STATE: one is being made; ERR_BUSY: no thread. fn is called once after OK. */
NODISCARD enum err dkim_maker_begin(struct dkim_maker *m, enum dkim_key_algorithm algorithm);

#endif
