/* smtp client: octet 0 picks TLS and the shape of the mail, octets up to the first NUL are the body, the rest
 * is what the server says, in pieces. Checked: every recipient is told once and before DONE; only CRLF line
 * ends leave; a lone dot leaves only as the end of data; no reply makes it wait for nothing. */
#include "core/smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct smtp_client *c;
    struct smtp_client_mail mail;
    slice body;
    unsigned told[3], transactions, tls;
    uint8_t last;
    bool body_begun, over;
};

static void run_out(struct run *r)
{
    slice out = smtp_client_pending(r->c);
    for (size_t i = 0; i < out.n; i++) {
        uint8_t before = i ? out.p[i - 1] : r->last;
        must((out.p[i] == '\n') == (before == '\r' && out.p[i] == '\n'));
        must(before != '\r' || out.p[i] == '\n');
    }
    if (out.n)
        r->last = out.p[out.n - 1];
    must(r->last != '\r' || r->body_begun);
    smtp_client_sent(r->c, out.n);
}

static void run_events(struct run *r)
{
    struct smtp_client_event ev;
    for (unsigned steps = 0; smtp_client_next(r->c, &ev); steps++) {
        must(steps < 10000);
        switch (ev.type) {
        case SMTP_CLIENT_EV_STARTTLS:
            r->tls++;
            run_out(r);
            smtp_client_tls_started(r->c);
            break;
        case SMTP_CLIENT_EV_DONE:
            for (size_t i = 0; i < r->mail.n; i++) {
                must(r->told[i] == 1);
                r->told[i] = 0;
            }
            must(ev.reusable == smtp_client_is_idle(r->c));
            if (!ev.reusable || r->transactions >= 4)
                break;
            r->transactions++;
            r->body_begun = false;
            smtp_client_send(r->c, &r->mail);
            break;
        case SMTP_CLIENT_EV_READY:
            must(smtp_client_is_idle(r->c));
            r->transactions++;
            smtp_client_send(r->c, &r->mail);
            break;
        case SMTP_CLIENT_EV_BODY:
            if (r->body_begun)
                smtp_client_body_end(r->c);
            else
                must(smtp_client_body(r->c, r->body) == r->body.n);
            r->body_begun = true;
            break;
        case SMTP_CLIENT_EV_RCPT:
            must(ev.rcpt.at < r->mail.n && ev.rcpt.status && ev.rcpt.reply.n <= SMTP_CLIENT_REPLY_MAX);
            r->told[ev.rcpt.at]++;
            break;
        case SMTP_CLIENT_EV_FAILED:
        case SMTP_CLIENT_EV_CLOSE:
            must(!r->over);
            r->over = true;
            break;
        }
    }
    run_out(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mailbox boxes[3];
    struct smtp_client_rcpt rcpts[3];
    struct smtp_client_config config = {.hostname = SLICE("us.test"), .limits = &smtp_client_limits_default};
    struct run r = {0};
    slice server;
    if (size < 1)
        return 0;
    for (size_t i = 0; i < 3; i++) {
        must(mailbox_parse(SLICE("\"a b\"@them.test"), 0, &boxes[i]) == OK);
        rcpts[i] = (struct smtp_client_rcpt){.recipient = &boxes[i], .notify = SMTP_NOTIFY_DELAY};
    }
    config.tls = data[0] % 3;
    r.mail = (struct smtp_client_mail){.sender = &boxes[0],
                                       .rcpts = rcpts,
                                       .n = 1u + data[0] / 3 % 3,
                                       .eight_bit = data[0] & 64,
                                       .smtputf8 = data[0] & 128};
    (void)slice_split(slice_of(data + 1, size - 1), 0, &r.body, &server);
    r.c = smtp_client_new(&config);
    smtp_client_tick(r.c, 1);
    while (server.n) {
        size_t n = 1u + server.p[0] % 37;
        smtp_client_feed(r.c, slice_sub(server, 0, n));
        server = slice_from(server, n);
        run_events(&r);
    }
    smtp_client_closed(r.c);
    run_events(&r);
    must(r.over);
    smtp_client_free(&r.c);
    return 0;
}
