#include "core/mail/dsn.h"

#include "core/mail/header.h"
#include "text/date.h"
#include "text/percent.h"
#include "text/qp.h"
#include "text/utf8.h"

#define DSN_VALUE_MAX 800   /* of one value from outside: a field's line stays below 998 */
#define DSN_TEXT_MAX  65536 /* of the words for people */

struct dsn_words {
    slice subject, opening, recipient;
};

static const struct dsn_words dsn_words_table[] = {
    [DSN_FAILED] = {SLICE_INIT("Not delivered"),
                    SLICE_INIT(
                        "Your message could not be delivered to everybody. It will not be tried again."),
                    SLICE_INIT("was not delivered")},
    [DSN_DELAYED] =
        {SLICE_INIT("Delayed"),
         SLICE_INIT("Your message has not been delivered yet. You need not do anything: it will be tried "
                    "again, and you will be told if it fails for good."),
         SLICE_INIT("is delayed")},
    [DSN_DELIVERED] = {SLICE_INIT("Delivered"), SLICE_INIT("Your message was delivered."),
                       SLICE_INIT("was delivered")},
    [DSN_RELAYED] = {SLICE_INIT("Handed on"),
                     SLICE_INIT("Your message was handed on to a server that does not report deliveries."),
                     SLICE_INIT("was handed on")},
    [DSN_EXPANDED] = {SLICE_INIT("Delivered"),
                      SLICE_INIT("Your message was handed on to several recipients."),
                      SLICE_INIT("was handed on to several recipients")},
};

static const slice dsn_actions[] = {
    [DSN_FAILED] = SLICE_INIT("failed"),       [DSN_DELAYED] = SLICE_INIT("delayed"),
    [DSN_DELIVERED] = SLICE_INIT("delivered"), [DSN_RELAYED] = SLICE_INIT("relayed"),
    [DSN_EXPANDED] = SLICE_INIT("expanded"),
};

/* Appends a value from outside as one run of printable characters: line ends and controls become blanks, and
 * what is not ASCII a question mark unless utf8. Cut at DSN_VALUE_MAX. */
static void dsn_clean(slice s, bool utf8, struct buf *out)
{
    size_t start = out->n;
    s = slice_trim(s);
    for (size_t i = 0; i < s.n && out->n - start < DSN_VALUE_MAX; i++) {
        uint8_t c = s.p[i];
        if (c < 32 || c == 127)
            c = out->n > start && out->p[out->n - 1] == ' ' ? 0 : ' ';
        if (c >= 128 && !utf8)
            c = '?';
        if (c)
            (void)buf_byte(out, c); /* a full buffer is marked; its user asks */
    }
    if (utf8 && !utf8_valid(slice_from(buf_view(out), start))) {
        size_t good = start + utf8_valid_prefix(slice_from(buf_view(out), start));
        buf_truncate(out, good);
    }
    for (size_t i = start; utf8 && i + 1 < out->n; i++)
        if (out->p[i] == 0xC2 && out->p[i + 1] < 0xA0) /* control characters of two bytes */
            out->p[i] = out->p[i + 1] = ' ';
}

/* xtext = "+" hex hex for what is not printable (RFC 3461 §4) */
static void dsn_xtext(slice s, struct buf *out)
{
    struct cursor c = cursor_of(s);
    while (!cursor_end(&c)) {
        int high = c.rest.n >= 3 && c.rest.p[0] == '+' ? hex_digit(c.rest.p[1]) : -1;
        int low = c.rest.n >= 3 && c.rest.p[0] == '+' ? hex_digit(c.rest.p[2]) : -1;
        bool code = high >= 0 && low >= 0;
        (void)buf_byte(out, code ? (uint8_t)(high << 4 | low) : c.rest.p[0]); /* as above */
        cursor_skip(&c, code ? 3 : 1);
    }
}

/* Appends "Name: prefix value" with the value cleaned. */
static enum err dsn_field(struct buf *out, const char *name, const char *prefix, slice value, bool utf8)
{
    struct buf CLEANUP(buf_done) text = {0};
    buf_init(&text, DSN_VALUE_MAX + 64);
    (void)buf_str(&text, prefix); /* it has room */
    dsn_clean(value, utf8, &text);
    return header_write(out, slice_str(name), buf_view(&text),
                        HEADER_STRUCTURED | (utf8 ? HEADER_UTF8 : HEADER_ENCODE));
}

static enum err dsn_date_field(struct buf *out, const char *name, time_ms at)
{
    struct buf CLEANUP(buf_done) text = {0};
    enum err e;
    if (at == 0)
        return OK;
    buf_init(&text, 64);
    e = date_print(at, 0, &text);
    return e ? e : header_write(out, slice_str(name), buf_view(&text), HEADER_STRUCTURED);
}

static enum err dsn_mailbox_text(const struct mailbox *m, struct buf *text)
{
    buf_init(text, MAILBOX_TEXT_MAX);
    return mailbox_print(m, text);
}

static bool dsn_is_utf8(const struct dsn *dsn)
{
    bool utf8 = dsn->to->utf8;
    for (size_t i = 0; i < dsn->recipients_n; i++)
        utf8 |= dsn->recipients[i].recipient->utf8;
    return utf8;
}

/* The report is about the worst that happened to anybody. */
static enum dsn_action dsn_worst(const struct dsn *dsn)
{
    enum dsn_action worst = dsn->recipients[0].action;
    for (size_t i = 1; i < dsn->recipients_n; i++)
        if (dsn->recipients[i].action < worst)
            worst = dsn->recipients[i].action;
    return worst;
}

/* ---- the message's own header ---- */

static enum err dsn_subject(const struct dsn *dsn, struct buf *out)
{
    struct buf CLEANUP(buf_done) text = {0};
    buf_init(&text, 2048);
    (void)buf_append(&text, dsn_words_table[dsn_worst(dsn)].subject); /* both have room */
    if (dsn->original_subject.n) {
        (void)buf_str(&text, ": ");
        dsn_clean(slice_sub(dsn->original_subject, 0, 300), true, &text);
    }
    return header_write(out, SLICE("Subject"), buf_view(&text), HEADER_ENCODE);
}

static enum err dsn_header(const struct dsn *dsn, bool utf8, struct buf *out)
{
    struct buf CLEANUP(buf_done) to = {0};
    struct buf CLEANUP(buf_done) text = {0};
    enum header_write_flags flags = HEADER_STRUCTURED | (utf8 ? HEADER_UTF8 : HEADER_ENCODE);
    enum err e = dsn_mailbox_text(dsn->to, &to);
    buf_init(&text, 4096);
    if (!e)
        e = buf_print(&text, "mailer-daemon@%.*s", SLICE_FMT(dsn->hostname));
    if (!e)
        e = header_write_mailbox(out, SLICE("From"), SLICE("Mail delivery"), buf_view(&text), HEADER_ENCODE);
    if (!e)
        e = header_write_mailbox(out, SLICE("To"), slice_of(NULL, 0), buf_view(&to), flags);
    if (!e)
        e = dsn_subject(dsn, out);
    if (!e)
        e = dsn_date_field(out, "Date", dsn->now);
    buf_clear(&text);
    if (!e)
        e = buf_print(&text, "<%.*s>", SLICE_FMT(dsn->message_id));
    if (!e)
        e = header_write(out, SLICE("Message-ID"), buf_view(&text), HEADER_STRUCTURED);
    buf_clear(&text);
    if (!e && dsn->original_message_id.n && dsn->original_message_id.n < 500 &&
        utf8_is_ascii(dsn->original_message_id)) {
        (void)buf_byte(&text, '<'); /* all three have room */
        dsn_clean(dsn->original_message_id, false, &text);
        (void)buf_byte(&text, '>');
        e = header_write(out, SLICE("References"), buf_view(&text), HEADER_STRUCTURED);
    }
    if (!e) /* RFC 3834 §5: no robot answers a robot */
        e = header_write(out, SLICE("Auto-Submitted"), SLICE("auto-replied"), HEADER_STRUCTURED);
    if (!e)
        e = header_write(out, SLICE("MIME-Version"), SLICE("1.0"), HEADER_STRUCTURED);
    buf_clear(&text);
    if (!e)
        e = buf_print(&text, "multipart/report; report-type=%sdelivery-status; boundary=\"%.*s\"",
                      utf8 ? "global-" : "", SLICE_FMT(dsn->boundary));
    return e ? e : header_write(out, SLICE("Content-Type"), buf_view(&text), HEADER_STRUCTURED);
}

static enum err dsn_part(const struct dsn *dsn, const char *type, const char *cte, struct buf *out)
{
    return buf_print(out, "\r\n--%.*s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n",
                     SLICE_FMT(dsn->boundary), type, cte);
}

/* ---- part 1: words ---- */

static enum err dsn_words_recipient(const struct dsn_recipient *r, struct buf *text)
{
    struct buf CLEANUP(buf_done) address = {0};
    enum err e = dsn_mailbox_text(r->recipient, &address);
    if (e)
        return e;
    (void)buf_str(text, "\n  "); /* here and below: the buffer is marked when full, asked at the end */
    dsn_clean(buf_view(&address), true, text);
    (void)buf_str(text, "\n  ");
    (void)buf_append(text, dsn_words_table[r->action].recipient);
    (void)buf_str(text, ".\n");
    if (r->reason.n) {
        (void)buf_str(text, "  ");
        dsn_clean(r->reason, true, text);
        (void)buf_str(text, "\n");
    }
    if (r->reply.n) {
        (void)buf_str(text, "  ");
        if (r->remote_host.n) {
            (void)buf_str(text, "The server ");
            dsn_clean(r->remote_host, false, text);
            (void)buf_str(text, " said: ");
        } else {
            (void)buf_str(text, "The other server said: ");
        }
        dsn_clean(r->reply, true, text);
        (void)buf_str(text, "\n");
    }
    if (r->action == DSN_DELAYED && r->will_retry_until) {
        (void)buf_str(text, "  It will be tried until ");
        (void)date_print(r->will_retry_until, 0, text);
        (void)buf_str(text, ".\n");
    }
    return OK;
}

static enum err dsn_words_part(const struct dsn *dsn, struct buf *out)
{
    struct buf CLEANUP(buf_done) text = {0};
    enum err e = OK;
    buf_init(&text, DSN_TEXT_MAX);
    (void)buf_str(&text, "This is the mail server ");
    (void)buf_append(&text, dsn->hostname);
    (void)buf_str(&text, ".\n\n");
    (void)buf_append(&text, dsn_words_table[dsn_worst(dsn)].opening);
    (void)buf_str(&text, "\n");
    if (dsn->original_subject.n) {
        (void)buf_str(&text, "\nSubject of your message: ");
        dsn_clean(dsn->original_subject, true, &text);
        (void)buf_str(&text, "\n");
    }
    if (dsn->arrived) {
        (void)buf_str(&text, "It was sent on ");
        (void)date_print(dsn->arrived, 0, &text);
        (void)buf_str(&text, ".\n");
    }
    for (size_t i = 0; !e && i < dsn->recipients_n && text.n < DSN_TEXT_MAX - 8192; i++)
        e = dsn_words_recipient(&dsn->recipients[i], &text);
    (void)buf_str(&text,
                  "\nThe two parts below are for programs: the report, and the header of your message.\n");
    if (!e)
        e = dsn_part(dsn, "text/plain; charset=utf-8", "quoted-printable", out);
    return e ? e : qp_encode(buf_view(&text), out);
}

/* ---- part 2: the report ---- */

static enum err dsn_status_message(const struct dsn *dsn, struct buf *out)
{
    struct buf CLEANUP(buf_done) id = {0};
    enum err e = OK;
    buf_init(&id, DSN_VALUE_MAX);
    dsn_xtext(slice_sub(dsn->envelope_id, 0, DSN_VALUE_MAX), &id);
    if (id.n)
        e = dsn_field(out, "Original-Envelope-Id", "", buf_view(&id), false);
    if (!e)
        e = dsn_field(out, "Reporting-MTA", "dns; ", dsn->hostname, false);
    return e ? e : dsn_date_field(out, "Arrival-Date", dsn->arrived);
}

static enum err dsn_status_recipient(const struct dsn_recipient *r, bool utf8, struct buf *out)
{
    struct buf CLEANUP(buf_done) address = {0};
    struct buf CLEANUP(buf_done) original = {0};
    enum err e = dsn_mailbox_text(r->recipient, &address);
    buf_init(&original, DSN_VALUE_MAX);
    dsn_xtext(slice_sub(r->original, 0, DSN_VALUE_MAX), &original);
    if (!e)
        e = buf_str(out, "\r\n");
    if (!e && original.n && slice_has(buf_view(&original), ';'))
        e = dsn_field(out, "Original-Recipient", "", buf_view(&original), utf8);
    if (!e)
        e = dsn_field(out, "Final-Recipient", r->recipient->utf8 ? "utf-8; " : "rfc822; ", buf_view(&address),
                      utf8);
    if (!e)
        e = dsn_field(out, "Action", "", dsn_actions[r->action], false);
    if (!e)
        e = dsn_field(out, "Status", "", r->status, false);
    if (!e && r->remote_host.n)
        e = dsn_field(out, "Remote-MTA", "dns; ", r->remote_host, false);
    if (!e && r->reply.n)
        e = dsn_field(out, "Diagnostic-Code", "smtp; ", r->reply, false);
    if (!e)
        e = dsn_date_field(out, "Last-Attempt-Date", r->last_attempt);
    return e ? e : dsn_date_field(out, "Will-Retry-Until", r->will_retry_until);
}

static enum err dsn_status_part(const struct dsn *dsn, bool utf8, struct buf *out)
{
    enum err e = dsn_part(dsn, utf8 ? "message/global-delivery-status" : "message/delivery-status",
                          utf8 ? "8bit" : "7bit", out);
    if (!e)
        e = dsn_status_message(dsn, out);
    for (size_t i = 0; !e && i < dsn->recipients_n; i++)
        e = dsn_status_recipient(&dsn->recipients[i], utf8, out);
    return e;
}

/* ---- part 3: the original's header ---- */

static enum err dsn_original_part(const struct dsn *dsn, struct buf *out)
{
    struct buf CLEANUP(buf_done) text = {0};
    slice header = slice_sub(dsn->original_header, 0, header_end(dsn->original_header));
    enum err e = dsn_part(dsn, "text/rfc822-headers", "quoted-printable", out);
    if (e)
        return e;
    header = slice_sub(header, 0, DSN_ORIGINAL_HEADER_MAX);
    buf_init(&text, DSN_ORIGINAL_HEADER_MAX * 3);
    e = utf8_sanitise(header, &text);
    return e ? e : qp_encode(buf_view(&text), out);
}

static bool dsn_boundary_ok(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]))
            return false;
    return s.n >= 1 && s.n <= 60;
}

static bool dsn_token_ok(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 32 || s.p[i] >= 127 || s.p[i] == '<' || s.p[i] == '>')
            return false;
    return s.n >= 1 && s.n <= 500;
}

enum err dsn_build(const struct dsn *dsn, struct buf *out)
{
    size_t start = out->n;
    bool utf8;
    enum err e;
    if (!dsn->to || mailbox_is_null(dsn->to) || dsn->recipients_n == 0 || !dsn_boundary_ok(dsn->boundary) ||
        !dsn_token_ok(dsn->hostname) || !dsn_token_ok(dsn->message_id))
        return ERR_SYNTAX;
    utf8 = dsn_is_utf8(dsn);
    e = dsn_header(dsn, utf8, out);
    if (!e)
        e = dsn_words_part(dsn, out);
    if (!e)
        e = dsn_status_part(dsn, utf8, out);
    if (!e)
        e = dsn_original_part(dsn, out);
    if (!e)
        e = buf_print(out, "\r\n--%.*s--\r\n", SLICE_FMT(dsn->boundary));
    if (e)
        buf_truncate(out, start);
    return e;
}
