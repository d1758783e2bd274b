/* writer: collects what a turn of the loop changed and writes it as one transaction at its end.
 *
 * Additions are written at once, since an edge waits for them; when there are none, what is done waits up to
 * WRITER_LAZY_MS for company. When the disk refuses, additions are answered with the error and the rest is
 * kept and tried again every WRITER_AGAIN_MS, so that what was delivered is not delivered twice. */
#ifndef POSTHORN_PROC_RELAY_WRITER_H
#define POSTHORN_PROC_RELAY_WRITER_H

#include "proc/relay/job.h"

#define WRITER_LAZY_MS  5
#define WRITER_AGAIN_MS 1000

struct writer *writer_new(struct relay *r);
/* Who waits for the commit. peer NULL: nobody (a notice of ours). */
void writer_add(struct writer *w, struct job *j, struct role_peer *peer, uint64_t id);
/* The recipient's row as it is now. */
void writer_rcpt(struct writer *w, struct job *j, size_t at);
void writer_rcpt_add(struct writer *w, struct job *j, size_t at);
/* last: no recipient is left. */
void writer_rcpt_done(struct writer *w, struct job *j, size_t at, bool last);
/* The peer's channel went or is a new one: old questions are not answered on it. */
void writer_peer(struct writer *w, const struct role_peer *peer);
/* Now, for the end of the process. */
void writer_flush(struct writer *w);
bool writer_idle(const struct writer *w);

#endif
