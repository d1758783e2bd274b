/* What the files of report_words share. Nobody else includes it.
 *
 * report_words.c says the totals and the advice; report_words_source.c who sent; report_words_tls.c the other
 * kinds of reports. Buffers have room for what is bounded; a sentence that does not fit is cut. */
#ifndef POSTHORN_POLICY_REPORT_WORDS__H
#define POSTHORN_POLICY_REPORT_WORDS__H

#include "base/buf.h"
#include "base/time.h"
#include "policy/report_words.h"

struct report__writer {
    report_line_fn fn;
    void *arg;
    struct buf text, fix;
    const struct report_summary *s;
};

/* 12,310 */
void report__number(struct buf *b, uint64_t n);
/* "1 message", "12,310 messages" */
void report__messages(struct buf *b, uint64_t n);
/* The number, and the word for one or for many. */
void report__counted(struct buf *b, uint64_t n, const char *one, const char *many);
/* What was written into text and fix, as a line like this one; both are empty then. */
void report__say_line(struct report__writer *w, struct report_line line);
void report__say(struct report__writer *w, const char *kind, enum report_class class,
                 const struct report_group *group);

/* False: the arena of the sources is full. */
NODISCARD bool report__sources(struct report__writer *w);
void report__tls(struct report__writer *w);
void report__failures(struct report__writer *w);

#endif
