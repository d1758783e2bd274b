/* verdict: what is decided about one message, and why: what policy/inbound and policy/submission give back.
 */
#ifndef POSTHORN_POLICY_VERDICT_H
#define POSTHORN_POLICY_VERDICT_H

#include "base/slice.h"

enum verdict_action { VERDICT_ACCEPT, VERDICT_JUNK, VERDICT_DEFER, VERDICT_REJECT };

#define VERDICT_REASONS_MAX 24
#define VERDICT_SENDERS_MAX 512

struct verdict {
    enum verdict_action action;
    uint32_t code; /* SMTP reply, when not accepted */
    slice status;  /* enhanced status code */
    slice text;    /* words for the reply: what is wrong and what to do */
    slice reasons[VERDICT_REASONS_MAX];
    size_t n_reasons;
    slice message_id;     /* without <>; empty when there is none */
    slice prefix;         /* submission: header fields to add */
    const slice *senders; /* submission: every From and Sender address, as mailbox_print() writes it */
    size_t n_senders;
    const slice *keep; /* submission: the message is these pieces of itself when Bcc was there; else NULL */
    size_t n_keep;
};

/* Adds a reason (static text, or of the message's arena); beyond the maximum it is left out. */
static inline void verdict_reason(struct verdict *v, slice reason)
{
    if (v->n_reasons < VERDICT_REASONS_MAX)
        v->reasons[v->n_reasons++] = reason;
}

/* Turns it into a refusal, unless it is one already: the first reason is the one that is told. */
static inline void verdict_reject(struct verdict *v, uint32_t code, slice status, slice text)
{
    verdict_reason(v, text);
    if (v->action == VERDICT_REJECT)
        return;
    v->action = VERDICT_REJECT;
    v->code = code;
    v->status = status;
    v->text = text;
}

#endif
