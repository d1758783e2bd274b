#include "core/smtp/client_reply.h"

void smtp_client_reply_init(struct smtp_client_reply *r)
{
    *r = (struct smtp_client_reply){0};
    buf_init(&r->text, SMTP_CLIENT_REPLY_MAX);
}

void smtp_client_reply_done(struct smtp_client_reply *r)
{
    buf_done(&r->text);
}

void smtp_client_reply_clear(struct smtp_client_reply *r)
{
    buf_clear(&r->text);
    r->code = 0;
    r->status[0] = 0;
    r->whole = false;
}

/* status-code = ("2"/"4"/"5") "." 1*3digit "." 1*3digit, RFC 3463 §2; its class has to be the reply's, RFC
 * 2034 §4. */
static void smtp_client_reply_status(struct smtp_client_reply *r, slice text)
{
    struct cursor c = cursor_of(text);
    size_t n;
    if (cursor_next(&c) != '0' + r->code / 100)
        return;
    for (int part = 0; part < 2; part++) {
        size_t digits = 0;
        if (!cursor_take(&c, '.'))
            return;
        for (int d = cursor_peek(&c); d >= '0' && d <= '9' && digits < 4; d = cursor_peek(&c), digits++)
            cursor_skip(&c, 1);
        if (digits == 0 || digits > 3)
            return;
    }
    if (!cursor_end(&c) && cursor_peek(&c) != ' ')
        return;
    n = text.n - c.rest.n;
    must(n < sizeof r->status);
    memcpy(r->status, text.p, n);
    r->status[n] = 0;
}

/* Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF, RFC 5321 §4.2 */
enum err smtp_client_reply_line(struct smtp_client_reply *r, slice line)
{
    int code, separator;
    if (line.n > SMTP_CLIENT_LINE_MAX || line.n < 3 || line.p[0] < '2' || line.p[0] > '5' ||
        !ascii_is_digit(line.p[1]) || !ascii_is_digit(line.p[2]))
        return ERR_PEER;
    code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
    separator = line.n > 3 ? line.p[3] : ' ';
    if ((separator != ' ' && separator != '-') || (r->code && r->code != code))
        return ERR_PEER;
    if (r->code) {
        (void)buf_byte(&r->text, '\n'); /* asked for below */
    } else {
        r->code = code;
        smtp_client_reply_status(r, slice_from(line, 4));
    }
    (void)buf_append(&r->text, line);
    if (buf_failed(&r->text))
        return ERR_PEER;
    r->whole = separator == ' ';
    return r->whole ? OK : ERR_MORE;
}

bool smtp_client_reply_offers(const struct smtp_client_reply *r, slice keyword, slice *out_args)
{
    slice rest = buf_view(&r->text), line;
    (void)slice_split(rest, '\n', &line, &rest); /* the first one is the greeting */
    while (rest.n) {
        slice word, args;
        (void)slice_split(rest, '\n', &line, &rest);
        (void)slice_split(slice_from(line, 4), ' ', &word, &args);
        if (!slice_eq_nocase(word, keyword))
            continue;
        if (out_args)
            *out_args = args;
        return true;
    }
    return false;
}
