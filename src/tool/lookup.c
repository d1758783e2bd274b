#include "tool/lookup.h"

#include "sys/clock.h"
#include "tool/read.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <unbound.h>

#define LOOKUP_FILE_MAX ((size_t)64 << 20)
#define CLASS_IN        1

struct lookup_question {
    struct dns_table *table;
    size_t question;
    struct lookup_question *next; /* of this round */
    bool answered, sent;
    int id;
};

static bool lookup_file(struct lookup *l, const char *file, struct err_detail *detail)
{
    struct buf text CLEANUP(buf_done) = {.max = LOOKUP_FILE_MAX};
    struct err_detail why = {{0}};
    slice kept;
    enum err e = read_file(file, &text);
    if (e) {
        err_detail_set(detail, "the file of DNS records %s cannot be read: %s", file, err_text(e));
        return false;
    }
    if (!arena_dup(&l->arena, buf_view(&text), &kept))
        e = ERR_LIMIT;
    if (!e)
        e = dns_zone_text_read(kept, &l->arena, &l->zone, &why);
    if (e)
        err_detail_set(detail, "the file of DNS records %s cannot be used: %s", file,
                       why.text[0] ? why.text : err_text(e));
    return !e;
}

bool lookup_begin(struct lookup *l, const char *file, struct err_detail *detail)
{
    *l = (struct lookup){.from_file = file != NULL};
    arena_init(&l->arena, "records", 4 * LOOKUP_FILE_MAX);
    return !file || lookup_file(l, file, detail);
}

static void lookup_from_file(struct lookup *l, struct dns_table *t)
{
    size_t question;
    slice name;
    uint16_t type;
    while (dns_table_next(t, &question, &name, &type)) {
        struct dns_answer answer;
        dns_zone_answer(&l->zone, name, type, &l->arena, &answer);
        dns_table_put(t, question, &answer);
    }
}

/* ---- the network */

static void lookup_put(struct lookup_question *q, const struct ub_result *r)
{
    slice rdata[DNS_TABLE_RRS_MAX];
    struct dns_answer a = {.status = r->nxdomain ? DNS_ANSWER_NXDOMAIN : DNS_ANSWER_OK,
                           .secure = r->secure,
                           .ttl_s = r->ttl > 0 ? (uint32_t)r->ttl : 0,
                           .rdata = rdata};
    if (r->bogus)
        a.status = DNS_ANSWER_BOGUS;
    else if (r->rcode != 0 && !r->nxdomain)
        a.status = DNS_ANSWER_TEMPFAIL;
    for (size_t i = 0; r->data && r->data[i]; i++) {
        if (a.n == ARRAY_LEN(rdata)) {
            a.status = DNS_ANSWER_TEMPFAIL;
            break;
        }
        rdata[a.n++] = slice_of(r->data[i], (size_t)r->len[i]);
    }
    if (dns_answer_failed(&a))
        a.n = 0;
    dns_table_put(q->table, q->question, &a);
}

static void lookup_fail(struct lookup_question *q, enum dns_answer_status status)
{
    const struct dns_answer a = {.status = status};
    dns_table_put(q->table, q->question, &a);
    q->answered = true;
}

static void lookup_came(void *arg, int err, struct ub_result *r)
{
    struct lookup_question *q = arg;
    q->answered = true;
    if (err)
        lookup_fail(q, DNS_ANSWER_TEMPFAIL);
    else
        lookup_put(q, r);
    ub_resolve_free(r);
}

static struct ub_ctx *lookup_context(struct lookup *l)
{
    if (l->ub)
        return l->ub;
    l->ub = ub_ctx_create();
    must(l->ub);
    (void)ub_ctx_async(l->ub, 1);         /* a thread, not a process */
    (void)ub_ctx_resolvconf(l->ub, NULL); /* without the file it asks from the root */
    (void)ub_ctx_hosts(l->ub, NULL);      /* as above */
    return l->ub;
}

static void lookup_ask(struct ub_ctx *ub, struct lookup_question *q, slice name, uint16_t type)
{
    char text[DNS_NAME_MAX + 2];
    memcpy(text, name.p, name.n);
    text[name.n] = '.';
    text[name.n + 1] = 0;
    q->sent = ub_resolve_async(ub, text, type, CLASS_IN, q, lookup_came, &q->id) == 0;
    if (!q->sent)
        lookup_fail(q, DNS_ANSWER_TEMPFAIL);
}

static bool lookup_open(const struct lookup_question *q)
{
    for (; q; q = q->next)
        if (!q->answered)
            return true;
    return false;
}

static void lookup_from_network(struct lookup *l, struct dns_table *t)
{
    struct ub_ctx *ub = lookup_context(l);
    struct lookup_question *all = NULL;
    time_ms until = clock_mono() + LOOKUP_MS, now;
    size_t question;
    slice name;
    uint16_t type;
    while (dns_table_next(t, &question, &name, &type)) {
        struct lookup_question *q = calloc(1, sizeof *q);
        must(q);
        *q = (struct lookup_question){.table = t, .question = question, .next = all};
        all = q;
        lookup_ask(ub, q, name, type);
    }
    while (lookup_open(all) && (now = clock_mono()) < until) {
        struct pollfd p = {.fd = ub_fd(ub), .events = POLLIN};
        if (poll(&p, 1, (int)(until - now)) > 0 && ub_process(ub))
            break;
    }
    while (all) {
        struct lookup_question *q = all;
        all = q->next;
        if (!q->answered) {
            (void)ub_cancel(ub, q->id); /* its answer will not be handed over any more */
            lookup_fail(q, DNS_ANSWER_TIMEOUT);
        }
        free(q);
    }
}

void lookup_answer(struct lookup *l, struct dns_table *t)
{
    if (l->from_file)
        lookup_from_file(l, t);
    else
        lookup_from_network(l, t);
}

void lookup_done(struct lookup *l)
{
    if (l->ub)
        ub_ctx_delete(l->ub);
    l->ub = NULL;
    arena_done(&l->arena);
}
