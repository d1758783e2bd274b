#include "core/reports/report_mail.h"

#include "core/mail/header.h"
#include "text/base64.h"
#include "text/date.h"

#define VALUE_MAX ((size_t)4096)

/* A value that cannot occur in base64, in our words, or as a line of a header. */
static void put_boundary(const struct report_mail *m, struct buf *out)
{
    buf_print(out, "=_%.*s_=", SLICE_FMT(slice_sub(m->report_id, 0, 48)));
}

static enum err put_to(const struct report_mail *m, struct buf *out)
{
    struct buf list CLEANUP(buf_done) = {.max = VALUE_MAX};
    for (size_t i = 0; i < m->n_to; i++) {
        if (i)
            buf_str(&list, ", ");
        buf_append(&list, m->to[i]);
    }
    return buf_failed(&list) ? ERR_LIMIT : header_write(out, SLICE("To"), buf_view(&list), HEADER_STRUCTURED);
}

/* The fields up to Content-Type, which is multipart of this kind. */
static enum err put_header(const struct report_mail *m, slice subject, const char *type, struct buf *out)
{
    struct buf date CLEANUP(buf_done) = {.max = 64}, content CLEANUP(buf_done) = {.max = 512};
    enum err e = date_print(m->now, 0, &date);
    buf_print(&content, "%s; boundary=\"", type);
    put_boundary(m, &content);
    buf_byte(&content, '"');
    if (!e)
        e = header_write_mailbox(out, SLICE("From"), SLICE("DMARC reports"), m->from, HEADER_ENCODE);
    if (!e)
        e = put_to(m, out);
    if (!e)
        e = header_write(out, SLICE("Subject"), subject, HEADER_ENCODE);
    if (!e)
        e = header_write(out, SLICE("Date"), buf_view(&date), HEADER_STRUCTURED);
    if (!e)
        e = header_write(out, SLICE("Message-ID"), m->message_id, HEADER_STRUCTURED);
    if (!e)
        e = header_write(out, SLICE("Auto-Submitted"), SLICE("auto-generated"), HEADER_STRUCTURED);
    if (!e)
        e = header_write(out, SLICE("MIME-Version"), SLICE("1.0"), HEADER_STRUCTURED);
    if (!e)
        e = header_write(out, SLICE("Content-Type"), buf_view(&content), HEADER_STRUCTURED);
    return e;
}

/* The line between parts, and the next part's type. */
static void put_part(const struct report_mail *m, const char *type, struct buf *out)
{
    buf_str(out, "\r\n--");
    put_boundary(m, out);
    buf_print(out, type ? "\r\nContent-Type: %s\r\n" : "--\r\n", type);
}

static void put_lines(slice text, struct buf *out)
{
    struct cursor c = cursor_of(text);
    slice line;
    while (cursor_line(&c, &line)) {
        buf_append(out, line);
        buf_str(out, "\r\n");
    }
}

enum err report_mail_name(const struct report_mail *m, struct buf *out)
{
    return buf_print(out, "%.*s!%.*s!%lld!%lld!%.*s.xml.gz", SLICE_FMT(m->receiver),
                     SLICE_FMT(m->policy_domain), (long long)(m->begin / MS_SECOND),
                     (long long)(m->end / MS_SECOND), SLICE_FMT(m->report_id));
}

enum err report_mail_aggregate(const struct report_mail *m, slice gzip, struct buf *out)
{
    struct buf subject CLEANUP(buf_done) = {.max = VALUE_MAX}, name CLEANUP(buf_done) = {.max = VALUE_MAX};
    struct buf begin CLEANUP(buf_done) = {.max = 64}, end CLEANUP(buf_done) = {.max = 64};
    enum err e;
    buf_print(&subject, "Report Domain: %.*s Submitter: %.*s Report-ID: <%.*s>", SLICE_FMT(m->policy_domain),
              SLICE_FMT(m->receiver), SLICE_FMT(m->report_id));
    e = report_mail_name(m, &name);
    if (!e)
        e = date_print_iso(m->begin, &begin);
    if (!e)
        e = date_print_iso(m->end, &end);
    if (!e)
        e = put_header(m, buf_view(&subject), "multipart/mixed", out);
    if (e)
        return e;
    put_part(m, "text/plain; charset=us-ascii", out);
    buf_print(out,
              "\r\nThis is a DMARC aggregate report (RFC 9990) on %llu message%s that came to %.*s\r\n"
              "and claimed to be from %.*s,\r\nfrom %.*s to %.*s. Programs read the attachment.\r\n",
              (unsigned long long)m->messages, m->messages == 1 ? "" : "s", SLICE_FMT(m->receiver),
              SLICE_FMT(m->policy_domain), SLICE_FMT(buf_view(&begin)), SLICE_FMT(buf_view(&end)));
    put_part(m, "application/gzip", out);
    buf_str(out, "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n filename=\"");
    buf_append(out, buf_view(&name));
    buf_str(out, "\"\r\n\r\n");
    e = base64_encode_lines(gzip, out);
    put_part(m, NULL, out);
    return e || buf_failed(out) ? ERR_LIMIT : OK;
}

enum err report_mail_failure(const struct report_mail *m, slice words, slice fields, slice header,
                             struct buf *out)
{
    struct buf subject CLEANUP(buf_done) = {.max = VALUE_MAX};
    enum err e;
    buf_print(&subject, "DMARC failure report for %.*s", SLICE_FMT(m->policy_domain));
    e = put_header(m, buf_view(&subject), "multipart/report; report-type=feedback-report", out);
    if (e)
        return e;
    put_part(m, "text/plain; charset=us-ascii", out);
    buf_str(out, "\r\n");
    put_lines(words, out);
    put_part(m, "message/feedback-report", out);
    buf_str(out, "\r\n");
    buf_append(out, fields);
    put_part(m, "text/rfc822-headers", out);
    buf_str(out, "\r\n");
    buf_append(out, header);
    put_part(m, NULL, out);
    return buf_failed(out) ? ERR_LIMIT : OK;
}
