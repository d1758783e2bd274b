#include "proc/doctor/check.h"

#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEPT_FILE  "findings"
#define KEPT_BYTES ((size_t)1 << 20)

struct kept_row {
    enum finding_kind kind;
    enum finding_severity severity;
    char subject[512];
    time_ms since;
    uint32_t seen; /* checks in a row */
    bool told, now;
};

struct kept {
    struct kept_row *rows;
    size_t n, room;
};

/* What a passing trouble of the network can cause by itself. */
static bool kept_is_soft(enum finding_kind k)
{
    return k == FINDING_UNOBSERVED || k == FINDING_DNS_SILENT || k == FINDING_ROLE_SILENT ||
           k == FINDING_SERVER_LAME || k == FINDING_SERIAL_DIFFERS || k == FINDING_SERVERS_DISAGREE ||
           k == FINDING_DNSBL_OFF || k == FINDING_STORE_REFUSES;
}

static struct kept_row *kept_add(struct kept *k)
{
    if (k->n == k->room) {
        k->room = k->room ? 2 * k->room : 32;
        k->rows = realloc(k->rows, k->room * sizeof *k->rows);
        must(k->rows);
    }
    k->rows[k->n] = (struct kept_row){0};
    return &k->rows[k->n++];
}

static void kept_subject(struct kept_row *r, slice subject)
{
    snprintf(r->subject, sizeof r->subject, "%.*s", SLICE_FMT(slice_sub(subject, 0, sizeof r->subject - 1)));
}

static struct kept_row *kept_find(struct kept *k, enum finding_kind kind, slice subject)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->rows[i].kind == kind &&
            slice_eq(slice_str(k->rows[i].subject), slice_sub(subject, 0, sizeof k->rows[i].subject - 1)))
            return &k->rows[i];
    return NULL;
}

/* A line that is not one of ours is left out: the next check finds it again. */
static void kept_line(struct kept *k, slice line)
{
    slice word, since, seen, told;
    uint64_t since_ms, times, was_told;
    struct kept_row *r;
    (void)slice_split(line, '\t', &word, &line);
    (void)slice_split(line, '\t', &since, &line);
    (void)slice_split(line, '\t', &seen, &line);
    if (!slice_split(line, '\t', &told, &line) || finding_of_word(word) == FINDING__COUNT ||
        !slice_u64(since, &since_ms) || since_ms > INT64_MAX || !slice_u64(seen, &times) ||
        !slice_u64(told, &was_told) || k->n >= FINDINGS_MAX)
        return;
    r = kept_add(k);
    r->kind = finding_of_word(word);
    r->severity = finding_rows[r->kind].severity;
    r->since = (time_ms)since_ms;
    r->seen = (uint32_t)(times & UINT32_MAX);
    r->told = was_told == 1;
    kept_subject(r, line);
}

struct kept *kept_open(void)
{
    struct kept *k = calloc(1, sizeof *k);
    struct buf b CLEANUP(buf_done) = {.max = KEPT_BYTES};
    int fd CLEANUP(fd_done) = open(KEPT_FILE, O_RDONLY | O_CLOEXEC);
    struct cursor c;
    slice line;
    ssize_t n = 1;
    must(k);
    while (fd >= 0 && n > 0) {
        uint8_t *room = buf_reserve(&b, 4096);
        n = room ? read(fd, room, 4096) : 0;
        if (n > 0)
            buf_commit(&b, (size_t)n);
    }
    c = cursor_of(buf_view(&b));
    while (cursor_line(&c, &line))
        kept_line(k, line);
    return k;
}

enum err kept_save(const struct kept *k)
{
    struct buf b CLEANUP(buf_done) = {.max = KEPT_BYTES};
    int fd CLEANUP(fd_done) = open(KEPT_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum err e;
    if (fd < 0)
        return ERR_IO;
    for (size_t i = 0; i < k->n; i++)
        buf_print(&b, "%s\t%lld\t%u\t%d\t%s\n", finding_rows[k->rows[i].kind].word,
                  (long long)k->rows[i].since, (unsigned)k->rows[i].seen, k->rows[i].told,
                  k->rows[i].subject);
    e = buf_failed(&b) ? ERR_LIMIT : fd_write_all(fd, buf_view(&b));
    if (!e && (fsync(fd) < 0 || renameat(AT_FDCWD, KEPT_FILE ".new", AT_FDCWD, KEPT_FILE) < 0))
        e = ERR_IO;
    return e;
}

static void kept_see(struct kept *k, struct finding *f, time_ms now, struct findings *opened)
{
    struct kept_row *r = kept_find(k, f->kind, f->subject);
    if (!r) {
        r = kept_add(k);
        r->kind = f->kind;
        r->since = now;
        kept_subject(r, f->subject);
    }
    r->severity = f->severity;
    r->now = true;
    r->seen += r->seen < UINT32_MAX;
    f->since = r->since;
    if (r->told || f->severity < FINDING_WARNING || r->seen < (kept_is_soft(f->kind) ? 2u : 1u))
        return;
    r->told = true;
    struct finding *told = findings_add(opened, f->kind, f->subject, f->what, f->mend, f->evidence);
    told->severity = f->severity;
    told->since = f->since;
}

void kept_compare(struct kept *k, struct findings *found, time_ms now, struct arena *a,
                  struct findings *out_opened, struct findings *out_closed)
{
    size_t left = 0;
    findings_init(out_opened, a);
    findings_init(out_closed, a);
    for (size_t i = 0; i < k->n; i++)
        k->rows[i].now = false;
    for (size_t i = 0; i < found->n; i++)
        kept_see(k, &found->at[i], now, out_opened);
    for (size_t i = 0; i < k->n; i++) {
        const struct kept_row *r = &k->rows[i];
        if (!r->now && r->told) {
            struct finding *f = findings_add(out_closed, r->kind, slice_str(r->subject),
                                             slice_str(finding_rows[r->kind].title), (slice){0}, (slice){0});
            f->since = r->since;
        }
        if (r->now)
            k->rows[left++] = *r;
    }
    k->n = left;
}

size_t kept_count(const struct kept *k, enum finding_severity at_least)
{
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++)
        n += k->rows[i].severity >= at_least;
    return n;
}
