/* AUTH (RFC 4954): which words may come when. What they mean is SASL's matter, in the shell. */
#include "core/smtp/server__.h"

bool smtp__auth_offered(const struct smtp_server *s)
{
    return smtp__is_submission(s) && !s->authed && (s->tls || s->config.plaintext_login);
}

static bool is_base64(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && !memchr("+/=", s.p[i], 3))
            return false;
    return true;
}

static bool mechanism_offered(const struct smtp_server *s, slice mechanism)
{
    slice words = s->config.auth_mechanisms, word;
    while (words.n) {
        (void)slice_split(words, ' ', &word, &words); /* the last word has none behind it */
        if (word.n && slice_eq_nocase(word, mechanism))
            return true;
    }
    return false;
}

void smtp__auth(struct smtp_server *s, slice args)
{
    struct smtp_event *e;
    slice mechanism, response;
    bool has_response = slice_split(args, ' ', &mechanism, &response);
    if (!smtp__is_submission(s)) {
        SMTP__REFUSE(s, 502, "5.5.1", "No login on this port. Mail programs send by port 465 or 587.");
    } else if (s->authed || s->txn.active || s->helo_n == 0) { /* RFC 4954 §4 */
        smtp__refuse(s, 503, "5.5.1",
                     s->authed        ? SLICE("You are logged in already")
                     : s->helo_n == 0 ? SLICE("Say EHLO first")
                                      : SLICE("Not inside a message"));
    } else if (!smtp__auth_offered(s)) {
        SMTP__REFUSE(s, 538, "5.7.11", "Login needs TLS: say STARTTLS first, or use port 465");
    } else if (!mechanism_offered(s, mechanism)) {
        SMTP__REFUSE(s, 504, "5.5.4", "That way to log in is not offered; EHLO lists those that are");
    } else if (has_response && (response.n == 0 || !is_base64(response))) {
        SMTP__REFUSE(s, 501, "5.5.2", "The initial response is not base64");
    } else {
        e = smtp__ask(s, SMTP_ASK_AUTH, SMTP_EV_AUTH);
        e->auth.mechanism = mechanism;
        e->auth.has_response = has_response;
        e->auth.response = slice_eq(response, SLICE("=")) ? (slice){0} : response;
    }
}

void smtp__auth_line(struct smtp_server *s, slice line)
{
    struct smtp_event *e;
    if (is_base64(line)) {
        e = smtp__ask(s, SMTP_ASK_AUTH, SMTP_EV_AUTH_LINE);
        e->auth.has_response = true;
        e->auth.response = line;
        return;
    }
    (void)smtp__event(s, SMTP_EV_AUTH_CANCEL); /* nothing to fill in */
    if (slice_eq(line, SLICE("*")))
        SMTP__REFUSE(s, 501, "5.0.0", "Login cancelled, as you wished");
    else
        SMTP__REFUSE(s, 501, "5.5.2", "That is not base64");
}

void smtp_server_challenge(struct smtp_server *s, uint32_t token, slice base64)
{
    if (token == 0 || s->ask != SMTP_ASK_AUTH || token != s->ask_token)
        return;
    must(is_base64(base64));
    s->ask = SMTP_ASK_NOTHING;
    s->ask_token = 0;
    s->active_at = s->now;
    s->phase = SMTP_PHASE_AUTH;
    /* RFC 4954 §4: the one line of a 334 may be longer than other replies. */
    must(buf_str(&s->out, "334 ") == OK && buf_append(&s->out, base64) == OK &&
         buf_str(&s->out, "\r\n") == OK);
}

void smtp__auth_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    smtp__reply(s, a->code, a->status, a->text);
    if (a->code < 300)
        s->authed = true;
    else if (++s->auth_failures >= s->config.limits->auth_failures && a->code != 421)
        smtp__end(s, SMTP_REFUSED_LOGINS, 421, "4.7.0", SLICE("Too many failed logins. Closing."));
}
