/* survey/stub: a recursive resolver asked over the network, for `posthorn doctor` when no server runs: what
 * it says is taken as it comes; "validated" is its word for it (AD). */
#ifndef POSTHORN_SURVEY_STUB_H
#define POSTHORN_SURVEY_STUB_H

#include "survey/survey.h"

struct survey_stub {
    struct loop *loop;
    struct ip server;
    uint16_t port;
};

/* For survey_lookup.ask; arg is a struct survey_stub. */
void survey_stub_ask(void *arg, slice name, uint16_t type,
                     void (*fn)(void *fn_arg, const struct dns_answer *a), void *fn_arg);

#endif
