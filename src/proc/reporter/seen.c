/* seen: what judge judged, counted. Rows that differ in their count only are one row. */
#include "ipc/report_rows.h"
#include "proc/reporter/reporter.h"
#include "sys/body.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <stdlib.h>

#define COUNT_BYTES 8 /* count is the last member of seen_row_shape, a 64-bit number */

struct seen_count {
    uint64_t count;
    size_t n;
    uint8_t row[]; /* as report_rows_add() made it, with a count of 0 */
};

static void seen_timer(void *arg)
{
    struct reporter *r = arg;
    loop_timer_after(&r->seen_timer, SEEN_FLUSH_MS);
    seen_flush(r);
}

void seen_begin(struct reporter *r)
{
    r->seen_key = entropy_hash_key();
    r->seen_fd = -1;
    loop_timer_init(r->role->loop, &r->seen_timer, seen_timer, r);
    loop_timer_after(&r->seen_timer, SEEN_FLUSH_MS);
}

void seen_note(struct reporter *r, const struct seen *m)
{
    struct report_dkim dkim[X_REPORTER_DKIM_MAX];
    struct seen_row row = {.begin = period_begin(r, m->at > 0 ? m->at : clock_unix()),
                           .author = m->author,
                           .policy_domain = m->policy_domain,
                           .record = m->record,
                           .source = m->source,
                           .envelope_from = m->envelope_from,
                           .envelope_to = m->envelope_to,
                           .spf = m->spf,
                           .spf_of_helo = m->spf_of_helo,
                           .spf_domain = m->spf_domain,
                           .dkim = dkim,
                           .n_dkim = m->n_dkim,
                           .dmarc = m->dmarc,
                           .spf_aligned = m->spf_aligned,
                           .dkim_aligned = m->dkim_aligned,
                           .policy = m->policy,
                           .disposition = m->disposition,
                           .override_type = m->override_type,
                           .override_comment = m->override_comment};
    struct buf packed CLEANUP(buf_done);
    struct seen_count *c;
    uint64_t hash;
    for (size_t i = 0; i < m->n_dkim; i++)
        dkim[i] = (struct report_dkim){m->dkim[i].domain, m->dkim[i].selector, m->dkim[i].result};
    buf_init(&packed, IPC_BYTES_MAX);
    must(report_rows_add(&packed, &seen_row_shape, &row) == OK); /* the same bounds as in x_reporter */
    r->seen_messages++;
    hash = hash_slice(&r->seen_key, buf_view(&packed));
    while ((c = map_get(&r->seen, hash)) && !slice_eq(slice_of(c->row, c->n), buf_view(&packed)))
        hash++;
    if (c) {
        c->count++;
        return;
    }
    if (r->seen_bytes + packed.n > SEEN_BYTES_MAX) {
        if (r->seen_lost++ == 0)
            log_warning("the journal is slow: some judged messages will not be in the reports we send");
        return;
    }
    c = malloc(sizeof *c + packed.n);
    must(c);
    c->count = 1;
    c->n = packed.n;
    memcpy(c->row, packed.p, packed.n);
    r->seen_bytes += packed.n;
    (void)map_put(&r->seen, hash, c); /* it was not there */
}

/* Moves all counts into a sealed body. On an error they stay. */
static enum err seen_pack(struct reporter *r, int *out_fd)
{
    struct body_writer w;
    size_t at = 0;
    uint64_t key, bytes;
    void *value;
    enum err e = OK;
    body_writer_init(&w, REPORT_ROWS_BYTES_MAX);
    while (!e && map_each(&r->seen, &at, &key, &value)) {
        const struct seen_count *c = value;
        uint8_t count[COUNT_BYTES];
        for (size_t i = 0; i < COUNT_BYTES; i++)
            count[i] = (uint8_t)(c->count >> (56 - 8 * i));
        e = body_append(&w, slice_of(c->row, c->n - COUNT_BYTES));
        if (!e)
            e = body_append(&w, slice_of(count, COUNT_BYTES));
    }
    if (!e)
        e = body_seal(&w, out_fd, &bytes);
    body_writer_done(&w);
    if (e)
        return e;
    for (at = 0; map_each(&r->seen, &at, &key, &value);)
        free(value);
    map_done(&r->seen);
    r->seen = (struct map){0};
    r->seen_bytes = 0;
    return OK;
}

static void seen_kept(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct reporter *r = arg;
    const struct report_kept *kept = message;
    (void)fds, (void)n_fds; /* none */
    r->seen_asked = false;
    if (!e)
        e = err_from_wire(kept->err);
    if (e == OK || err_kind(e) == ERR_KIND_PERMANENT)
        fd_done(&r->seen_fd); /* what journal will never take is not offered for ever */
    if (r->draining)
        e ? role_exit(r->role) : seen_flush(r);
}

void seen_flush(struct reporter *r)
{
    enum err e = OK;
    if (r->seen_asked)
        return;
    if (r->seen_fd < 0 && r->seen.n)
        e = seen_pack(r, &r->seen_fd);
    if (!e && r->seen_fd >= 0)
        e = role_call(r->role, ROLE_JOURNAL, REPORTER_JOURNAL_SEEN, NULL, &r->seen_fd, 1, JOURNAL_MS,
                      seen_kept, r);
    r->seen_asked = !e && r->seen_fd >= 0;
    if (r->draining && !r->seen_asked)
        role_exit(r->role);
}
