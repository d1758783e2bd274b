/* alert: the message that tells the administrator what changed. */
#include "core/mail/header.h"
#include "ipc/x_relay.h"
#include "proc/doctor/check.h"
#include "sys/body.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "text/date.h"

#include <stdio.h>
#include <stdlib.h>

#define ALERT_BYTES ((size_t)256 * 1024)
#define ALERT_MS    (30 * MS_SECOND)
#define ALERT_LINE  900
#define ALERT_ONE   6000 /* bytes of one finding */

/* Who waits to hear what became of an alert. */
struct alert_waits {
    void (*fn)(void *arg, enum err e);
    void *arg;
};

static void alert_queued(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct alert_waits w = *(struct alert_waits *)arg;
    const struct queued *m = message;
    (void)fds, (void)n_fds;
    free(arg);
    if (!e)
        e = err_from_wire(m->err);
    if (e)
        log_error("the alert to the administrator could not be queued, and is tried again: %s", err_text(e));
    w.fn(w.arg, e);
}

/* Line ends as mail has them, and no line longer than it may be (RFC 5322 §2.1.1). */
static void alert_lines(struct buf *out, slice text)
{
    struct cursor c = cursor_of(text);
    slice line;
    while (cursor_line(&c, &line)) {
        while (line.n > ALERT_LINE) {
            size_t n = ALERT_LINE;
            while (n > ALERT_LINE - 4 && (line.p[n] & 0xc0) == 0x80) /* not inside a character */
                n--;
            buf_append(out, slice_sub(line, 0, n));
            buf_str(out, "\r\n");
            line = slice_from(line, n);
        }
        buf_append(out, line);
        buf_str(out, "\r\n");
    }
}

static bool alert_is_8bit(slice body)
{
    size_t i = 0;
    while (i < body.n && body.p[i] < 128)
        i++;
    return i < body.n;
}

bool alert_enqueue(struct doctor *d, uint64_t mail_id, slice reverse_path, slice recipient, bool local,
                   slice header, slice body, slice message_id, chan_reply_fn fn, void *arg)
{
    struct enqueue_rcpt rcpt = {.address = recipient, .notify = 1, .local = local};
    struct enqueue m = {.mail_id = mail_id,
                        .reverse_path = reverse_path,
                        .received_at = clock_unix(),
                        .message_id = message_id,
                        .rcpts = &rcpt,
                        .n_rcpts = 1};
    struct body_writer w;
    int fd CLEANUP(fd_done) = -1;
    uint64_t bytes;
    enum err e;
    m.eight_bit = alert_is_8bit(body);
    body_writer_init(&w, ALERT_BYTES + header.n + 2);
    e = body_append(&w, header);
    if (!e)
        e = body_append(&w, SLICE("\r\n"));
    if (!e)
        e = body_append(&w, body);
    if (!e)
        e = body_seal(&w, &fd, &bytes);
    body_writer_done(&w);
    if (!e)
        e = role_call(d->role, ROLE_RELAY, X_RELAY_ENQUEUE, &m, &fd, 1, ALERT_MS, fn, arg);
    if (e)
        log_error("a message of doctor's own could not be handed to relay: %s", err_text(e));
    return e == OK;
}

/* ---- the words */

static void alert_count(struct buf *b, size_t n, const char *one, const char *many)
{
    buf_print(b, "%zu %s", n, n == 1 ? one : many);
}

static void alert_subject(struct buf *b, const struct doctor *d, size_t opened, size_t closed)
{
    buf_print(b, "%.*s: ", SLICE_FMT(d->hostname));
    if (opened)
        alert_count(b, opened, "new problem", "new problems");
    if (opened && closed)
        buf_str(b, ", ");
    if (closed)
        buf_print(b, "%zu mended", closed);
}

static int alert_domain_order(const void *a, const void *b)
{
    return slice_cmp(*(const slice *)a, *(const slice *)b);
}

/* How many domains of ours the findings from this one on are about. */
static size_t alert_domains(const struct findings *f, size_t from)
{
    slice *names = calloc(f->n - from + 1, sizeof *names);
    size_t n = 0, different = 0;
    must(names);
    for (size_t i = from; i < f->n; i++)
        if (f->at[i].domain.n)
            names[n++] = f->at[i].domain;
    if (n)
        qsort(names, n, sizeof *names, alert_domain_order);
    for (size_t i = 0; i < n; i++)
        different += i == 0 || !slice_eq(names[i], names[i - 1]);
    free(names);
    return different;
}

/* What is not told in full: how many of each kind. */
static void alert_rest(struct buf *b, const struct findings *f, size_t from)
{
    size_t counts[FINDING__COUNT] = {0}, domains = alert_domains(f, from);
    if (from >= f->n)
        return;
    for (size_t i = from; i < f->n; i++)
        counts[f->at[i].kind]++;
    buf_print(b, "And %zu more", f->n - from);
    if (domains)
        buf_print(b, ", of %zu more domain%s", domains, domains == 1 ? "" : "s");
    buf_str(b, ": posthorn doctor\n\n");
    for (size_t i = 0; i < FINDING__COUNT; i++)
        if (counts[i])
            buf_print(b, "    %6zu  %s  [%s]\n", counts[i], finding_rows[i].title, finding_rows[i].word);
    buf_byte(b, '\n');
}

static void alert_one(struct buf *b, const struct finding *f)
{
    struct buf one CLEANUP(buf_done) = {.max = ALERT_ONE};
    if (finding_print(f, &one)) { /* somebody's record is long */
        buf_clear(&one);
        buf_print(&one, "%.*s\n    [%s: posthorn doctor shows all of it]\n",
                  SLICE_FMT(slice_sub(f->what, 0, 1000)), finding_rows[f->kind].word);
    }
    buf_append(b, buf_view(&one));
    buf_byte(b, '\n');
}

static void alert_closed(struct buf *b, const struct findings *closed)
{
    for (size_t i = 0; i < closed->n && i < ALERT_SHOWN; i++) {
        buf_print(b, "    Mended: %s (%.*s)\n    It was wrong since ", finding_rows[closed->at[i].kind].title,
                  SLICE_FMT(closed->at[i].subject));
        date_print_iso(closed->at[i].since, b);
        buf_print(b, ".  [%s]\n\n", finding_rows[closed->at[i].kind].word);
    }
    alert_rest(b, closed, size_min(closed->n, ALERT_SHOWN));
}

static void alert_text(struct buf *b, const struct doctor *d, const struct findings *opened,
                       const struct findings *closed, size_t still_open)
{
    buf_print(b, "Your mail server %.*s looks at itself every hour, as other servers see it.\n",
              SLICE_FMT(d->hostname));
    if (opened->n == 1)
        buf_str(b, "It found something wrong that was not wrong before:\n\n");
    else if (opened->n)
        buf_print(b, "It found %zu things wrong that were not wrong before, the worst first:\n\n", opened->n);
    else
        buf_str(b, "What it told you of is right again:\n\n");
    for (size_t i = 0; i < opened->n && i < ALERT_SHOWN; i++)
        alert_one(b, &opened->at[i]);
    alert_rest(b, opened, size_min(opened->n, ALERT_SHOWN));
    if (closed->n && opened->n)
        buf_str(b, "Right again:\n\n");
    alert_closed(b, closed);
    if (still_open)
        buf_print(b, "%zu thing%s wrong in all. ", still_open, still_open == 1 ? " is" : "s are");
    else
        buf_str(b, "Nothing is wrong any more. ");
    buf_str(b, "To see the present state, run on the server:\n\n    posthorn doctor\n\n"
               "When you have mended something, that command looks again at once, and a message like this\n"
               "one confirms it. You get one message for each change, not one for each check. The line\n"
               "`admin ADDRESS` of the configuration says to whom it goes.\n");
}

static bool alert_is_ours(const slice *domains, size_t n, slice address)
{
    slice domain = slice_from(address, slice_rindex(address, '@') + 1);
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(domains[i], domain))
            return true;
    return false;
}

static enum err alert_header(const struct doctor *d, slice from, slice to, slice subject, slice message_id,
                             bool eight_bit, struct buf *h)
{
    char host[300];
    struct buf date CLEANUP(buf_done) = {.max = 64};
    enum err e = date_print(clock_unix(), 0, &date);
    snprintf(host, sizeof host, "Posthorn on %.*s", SLICE_FMT(slice_sub(d->hostname, 0, 200)));
    if (!e)
        e = header_write_mailbox(h, SLICE("From"), slice_str(host), from, HEADER_ENCODE);
    if (!e)
        e = header_write_mailbox(h, SLICE("To"), (slice){0}, to, HEADER_ENCODE);
    if (!e)
        e = header_write(h, SLICE("Subject"), subject, HEADER_ENCODE);
    if (!e)
        e = header_write(h, SLICE("Date"), buf_view(&date), HEADER_STRUCTURED);
    if (!e)
        e = header_write(h, SLICE("Message-ID"), message_id, HEADER_STRUCTURED);
    if (!e) /* RFC 3834 §5 */
        e = header_write(h, SLICE("Auto-Submitted"), SLICE("auto-generated"), HEADER_STRUCTURED);
    if (!e)
        e = header_write(h, SLICE("MIME-Version"), SLICE("1.0"), HEADER_STRUCTURED);
    if (!e)
        e = header_write(h, SLICE("Content-Type"), SLICE("text/plain; charset=utf-8"), HEADER_STRUCTURED);
    if (!e && eight_bit) /* RFC 2045 §6.1 */
        e = header_write(h, SLICE("Content-Transfer-Encoding"), SLICE("8bit"), HEADER_STRUCTURED);
    return e;
}

/* The domain that the server's name lies in, else the first of all. */
static slice alert_domain(const struct doctor *d, const slice *domains, size_t n)
{
    struct dns_name host;
    slice best = domains[0];
    bool own = false;
    if (dns_name_parse(d->hostname, &host))
        return best;
    for (size_t i = 0; i < n; i++)
        if (dns_name_below(&host, domains[i]) && (!own || domains[i].n > best.n)) {
            best = domains[i];
            own = true;
        }
    return best;
}

void alert_send(struct doctor *d, const slice *domains, size_t n_domains, const struct findings *opened,
                const struct findings *closed, size_t still_open, void (*fn)(void *arg, enum err e),
                void *arg)
{
    struct buf header CLEANUP(buf_done) = {.max = 8192}, body CLEANUP(buf_done) = {.max = ALERT_BYTES};
    struct buf text CLEANUP(buf_done) = {.max = ALERT_BYTES / 4 * 3},
                    subject CLEANUP(buf_done) = {.max = 512};
    char address[400], from[400], message_id[400], id_text[MAIL_ID_TEXT + 1];
    slice admin = role_setting(d->role, "admin", 0);
    uint64_t id = mail_id_next(&d->ids, clock_unix());
    struct alert_waits *waits;
    if (!admin.n && !n_domains) {
        log_warning(
            "something changed in what posthorn doctor says, and nobody can be told: there is no domain "
            "and no admin line in the configuration");
        fn(arg, OK); /* to say it every hour would help nobody */
        return;
    }
    if (n_domains)
        snprintf(address, sizeof address, "postmaster@%.*s", SLICE_FMT(alert_domain(d, domains, n_domains)));
    snprintf(from, sizeof from, "%s%.*s", n_domains ? address : "postmaster@",
             SLICE_FMT(n_domains ? (slice){0} : d->hostname));
    if (!admin.n)
        admin = slice_str(address);
    mail_id_print(id, id_text);
    snprintf(message_id, sizeof message_id, "<%s.doctor@%.*s>", id_text, SLICE_FMT(d->hostname));
    alert_subject(&subject, d, opened->n, closed->n);
    alert_text(&text, d, opened, closed, still_open);
    alert_lines(&body, buf_view(&text));
    if (alert_header(d, slice_str(from), admin, buf_view(&subject), slice_str(message_id),
                     alert_is_8bit(buf_view(&body)), &header)) {
        log_error("the alert to the administrator could not be written: is \"%.*s\" a mail address?",
                  SLICE_FMT(admin));
        fn(arg, OK); /* as above */
        return;
    }
    waits = malloc(sizeof *waits);
    must(waits);
    *waits = (struct alert_waits){fn, arg};
    if (!alert_enqueue(d, id, (slice){0}, admin, alert_is_ours(domains, n_domains, admin), buf_view(&header),
                       buf_view(&body), slice_str(message_id), alert_queued, waits)) {
        free(waits);
        fn(arg, ERR_CLOSED); /* it was logged why */
    }
}
