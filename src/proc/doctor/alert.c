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

#define ALERT_BYTES ((size_t)256 * 1024)
#define ALERT_MS    (30 * MS_SECOND)

static void alert_queued(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    const struct queued *m = message;
    (void)arg, (void)fds, (void)n_fds;
    if (!e)
        e = err_from_wire(m->err);
    if (e)
        log_error("the alert to the administrator could not be queued: %s", err_text(e));
}

/* Line ends as mail has them. */
static void alert_lines(struct buf *out, slice text)
{
    struct cursor c = cursor_of(text);
    slice line;
    while (cursor_line(&c, &line)) {
        buf_append(out, line);
        buf_str(out, "\r\n");
    }
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
    for (size_t i = 0; i < body.n; i++)
        m.eight_bit |= body.p[i] > 127;
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
        e = role_call(d->role, ROLE_RELAY, X_RELAY_ENQUEUE, &m, &fd, 1, ALERT_MS, fn ? fn : alert_queued,
                      arg);
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
    if (opened->n) {
        for (size_t i = 0; i < opened->n; i++) {
            IGNORE_RESULT(finding_print(&opened->at[i], b), "what did not fit is shown by posthorn doctor");
            buf_byte(b, '\n');
        }
    }
    if (closed->n) {
        if (opened->n)
            buf_str(b, "Right again:\n\n");
        for (size_t i = 0; i < closed->n; i++) {
            buf_print(b, "    Mended: %s (%.*s)\n    It was wrong since ",
                      finding_rows[closed->at[i].kind].title, SLICE_FMT(closed->at[i].subject));
            date_print_iso(closed->at[i].since, b);
            buf_print(b, ".  [%s]\n\n", finding_rows[closed->at[i].kind].word);
        }
    }
    if (still_open)
        buf_print(b, "%zu thing%s wrong in all. ", still_open, still_open == 1 ? " is" : "s are");
    else
        buf_str(b, "Nothing is wrong any more. ");
    buf_str(b, "To see the present state, run on the server:\n\n    posthorn doctor\n\n"
               "When you have mended something, that command looks again at once, and a message like this\n"
               "one confirms it. You get one message for each change, not one for each check. The line\n"
               "`admin ADDRESS` of the configuration says to whom it goes.\n");
}

static bool alert_is_ours(const struct doctor_domain *domains, size_t n, slice address)
{
    slice domain = slice_from(address, slice_rindex(address, '@') + 1);
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(domains[i].name, domain))
            return true;
    return false;
}

static enum err alert_header(const struct doctor *d, slice from, slice to, slice subject, slice message_id,
                             struct buf *h)
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
    return e;
}

void alert_send(struct doctor *d, const struct doctor_domain *domains, size_t n_domains,
                const struct findings *opened, const struct findings *closed, size_t still_open)
{
    struct buf header CLEANUP(buf_done) = {.max = 8192}, body CLEANUP(buf_done) = {.max = ALERT_BYTES};
    struct buf text CLEANUP(buf_done) = {.max = ALERT_BYTES / 2}, subject CLEANUP(buf_done) = {.max = 512};
    char address[400], from[400], message_id[400], id_text[MAIL_ID_TEXT + 1];
    slice admin = role_setting(d->role, "admin", 0);
    uint64_t id = mail_id_next(&d->ids, clock_unix());
    if (!admin.n && !n_domains) {
        log_warning(
            "something changed in what posthorn doctor says, and nobody can be told: there is no domain "
            "and no admin line in the configuration");
        return;
    }
    if (n_domains)
        snprintf(address, sizeof address, "postmaster@%.*s", SLICE_FMT(domains[0].name));
    snprintf(from, sizeof from, "%s%.*s", n_domains ? address : "postmaster@",
             SLICE_FMT(n_domains ? (slice){0} : d->hostname));
    if (!admin.n)
        admin = slice_str(address);
    mail_id_print(id, id_text);
    snprintf(message_id, sizeof message_id, "<%s.doctor@%.*s>", id_text, SLICE_FMT(d->hostname));
    alert_subject(&subject, d, opened->n, closed->n);
    alert_text(&text, d, opened, closed, still_open);
    alert_lines(&body, buf_view(&text));
    if (alert_header(d, slice_str(from), admin, buf_view(&subject), slice_str(message_id), &header)) {
        log_error("the alert to the administrator could not be written: is \"%.*s\" a mail address?",
                  SLICE_FMT(admin));
        return;
    }
    (void)alert_enqueue(d, id, (slice){0}, admin, alert_is_ours(domains, n_domains, admin), buf_view(&header),
                        buf_view(&body), slice_str(message_id), NULL, NULL); /* it logs what goes wrong */
}
