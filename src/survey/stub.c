#include "survey/stub.h"

#include "survey/dns.h"

#include <stdlib.h>

struct stub_ask {
    struct dns_answer bad;
    struct loop_task later;
    void (*fn)(void *arg, const struct dns_answer *a);
    void *arg;
};

static void stub_bad(void *arg)
{
    struct stub_ask a = *(struct stub_ask *)arg;
    free(arg);
    a.fn(a.arg, &a.bad);
}

static void stub_answered(void *arg, enum err e, const struct survey_dns_reply *r)
{
    struct stub_ask a = *(struct stub_ask *)arg;
    struct dns_answer answer = {.status = e == ERR_TIMEOUT ? DNS_ANSWER_TIMEOUT : DNS_ANSWER_TEMPFAIL};
    free(arg);
    if (!e && (r->answer.rcode == DNS_NOERROR || r->answer.rcode == DNS_NXDOMAIN)) {
        answer.status = r->answer.rcode == DNS_NXDOMAIN ? DNS_ANSWER_NXDOMAIN : DNS_ANSWER_OK;
        answer.secure = r->validated;
        answer.ttl_s = r->answer.ttl_s;
        answer.rdata = r->answer.rdata;
        answer.n = r->answer.n;
    }
    a.fn(a.arg, &answer);
}

void survey_stub_ask(void *arg, slice name, uint16_t type,
                     void (*fn)(void *fn_arg, const struct dns_answer *a), void *fn_arg)
{
    struct survey_stub *s = arg;
    struct stub_ask *a = calloc(1, sizeof *a);
    struct dns_name n;
    must(a);
    a->fn = fn;
    a->arg = fn_arg;
    if (dns_name_parse(name, &n)) {
        a->bad.status = DNS_ANSWER_NXDOMAIN;
        loop_task_init(&a->later, stub_bad, a);
        loop_later(s->loop, &a->later);
        return;
    }
    survey_dns_ask(s->loop, &s->server, s->port, &n, type, true, stub_answered, a);
}
