#include "core/imap/login.h"

#include "base/secret.h"
#include "core/imap/parse.h"
#include "text/base64.h"

#define LOGIN_ARENA_MAX 16384
#define LOGIN_SASL_MAX  8192
#define LOGIN_BUF_FIRST 1024 /* so that a usual password never stays behind in a buffer that grew */

enum {
    LOGIN_READY, /* between commands */
    LOGIN_ASKED, /* the shell looks something up */
    LOGIN_FRAME, /* the client's next SASL frame is awaited */
    LOGIN_DONE,
    LOGIN_CLOSED
};

const struct imap_login_limits imap_login_limits_default = {
    .input_max = 16384,
    .output_max = 8192,
    .idle_ms = 30 * MS_SECOND,
    .total_ms = 180 * MS_SECOND,
    .bad_max = 3,
    .tries_max = 5,
};

static void login_capabilities(struct imap_login *l)
{
    (void)buf_str(&l->out,
                  "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE"); /* out has room, see next() */
    if (!l->config.login_allowed)
        (void)buf_str(&l->out, " LOGINDISABLED");
    else
        (void)buf_str(&l->out, l->config.scram ? " AUTH=PLAIN AUTH=SCRAM-SHA-256" : " AUTH=PLAIN");
}

static slice login_tag(const struct imap_login *l)
{
    return slice_of(l->tag, l->tag_n);
}

static void login_reply(struct imap_login *l, slice tag, const char *condition, const char *code,
                        const char *text)
{
    imap_write_done(&l->out, tag, condition, code, text);
}

static void login_close(struct imap_login *l, const char *bye, const char *reason)
{
    if (l->state == LOGIN_CLOSED || l->state == LOGIN_DONE)
        return;
    if (bye)
        login_reply(l, (slice){0}, "BYE", NULL, bye);
    l->state = LOGIN_CLOSED;
    l->reason = reason;
}

void imap_login_init(struct imap_login *l, const struct imap_login_limits *limits,
                     const struct imap_login_config *config)
{
    *l = (struct imap_login){.limits = limits, .config = *config};
    imap_reader_init(&l->reader, &imap_read_limits_login);
    arena_init(&l->arena, "imap login", LOGIN_ARENA_MAX);
    buf_init(&l->in, limits->input_max);
    buf_init(&l->out, limits->output_max);
    buf_init(&l->sasl, LOGIN_SASL_MAX);
    buf_init(&l->id, IMAP_LOGIN_ID_MAX);
    (void)buf_str(&l->out, "* OK ["); /* fits: the first bytes in an empty buffer */
    login_capabilities(l);
    (void)buf_str(&l->out, "] ");
    if (config->hostname) {
        imap_write_text(&l->out, slice_str(config->hostname));
        (void)buf_byte(&l->out, ' ');
    }
    (void)buf_str(&l->out, "Posthorn ready\r\n");
}

static void login_wipe(struct buf *b)
{
    if (b->p)
        secret_wipe(b->p, b->cap);
    buf_clear(b);
}

void imap_login_done(struct imap_login *l)
{
    login_wipe(&l->in);
    login_wipe(&l->sasl);
    imap_reader_done(&l->reader);
    arena_done(&l->arena);
    buf_done(&l->in);
    buf_done(&l->out);
    buf_done(&l->sasl);
    buf_done(&l->id);
}

size_t imap_login_feed(struct imap_login *l, slice s)
{
    size_t n;
    if (l->state == LOGIN_CLOSED)
        return s.n;
    n = size_min(s.n, l->in.max - l->in.n);
    if (n && l->in.cap < LOGIN_BUF_FIRST &&
        !buf_reserve(&l->in, size_min(LOGIN_BUF_FIRST, l->in.max - l->in.n)))
        return 0;
    return buf_append(&l->in, slice_sub(s, 0, n)) == OK ? n : 0;
}

/* Copies a secret into the wiped buffer, which has its whole room already, and wipes where it came from. */
static slice login_keep(struct imap_login *l, slice secret)
{
    size_t at = l->sasl.n;
    slice kept = {0};
    if (buf_append(&l->sasl, secret) == OK)
        kept = slice_sub(buf_view(&l->sasl), at, l->sasl.n);
    if (secret.n)
        secret_wipe((void *)(uintptr_t)secret.p, secret.n);
    return kept;
}

static bool login_room(struct imap_login *l)
{
    login_wipe(&l->sasl);
    return buf_reserve(&l->sasl, LOGIN_SASL_MAX) != NULL;
}

static void login_nonsense(struct imap_login *l, slice tag, const char *why)
{
    l->bad++;
    if (!l->spoken) {
        /* The first line is no IMAP: whoever that is gets none of his input back (THREATS 14). */
        login_close(l, "this is an IMAP server", "the first line was not IMAP");
        return;
    }
    login_reply(l, tag, "BAD", NULL, why);
    if (l->bad >= l->limits->bad_max)
        login_close(l, "too many commands that make no sense", "too many bad commands");
}

static void login_password(struct imap_login *l, const struct imap_command *cmd, struct imap_login_event *out)
{
    if (!login_room(l))
        return;
    *out = (struct imap_login_event){.type = IMAP_LOGIN_PASSWORD,
                                     .user = login_keep(l, cmd->login.user),
                                     .password = login_keep(l, cmd->login.password)};
    l->authenticate = false;
    l->state = LOGIN_ASKED;
}

static void login_authenticate(struct imap_login *l, const struct imap_command *cmd,
                               struct imap_login_event *out)
{
    slice m = cmd->authenticate.mechanism, plain = SLICE("PLAIN"), scram = SLICE("SCRAM-SHA-256");
    slice initial = cmd->authenticate.initial;
    struct imap_login_event ev = {.type = IMAP_LOGIN_SASL, .has_initial = cmd->authenticate.has_initial};
    if (slice_eq_nocase(m, plain)) {
        ev.mechanism = plain;
    } else if (l->config.scram && slice_eq_nocase(m, scram)) {
        ev.mechanism = scram;
    } else {
        login_reply(l, login_tag(l), "NO", NULL, "that mechanism is not offered");
        return;
    }
    if (!login_room(l))
        return;
    if (ev.has_initial && !slice_eq(initial, SLICE("=")) && base64_decode(initial, &l->sasl) != OK) {
        login_reply(l, login_tag(l), "BAD", NULL, "the initial response is no base64");
        l->bad++;
        return;
    }
    if (initial.n)
        secret_wipe((void *)(uintptr_t)initial.p, initial.n);
    ev.data = buf_view(&l->sasl);
    l->authenticate = true;
    l->state = LOGIN_ASKED;
    *out = ev;
}

static void login_id(struct imap_login *l, const struct imap_command *cmd)
{
    buf_clear(&l->id);
    if (cmd->id.n && cmd->id.p[0] == '(' && !slice_has(cmd->id, '\r'))
        (void)buf_append(&l->id, cmd->id);                      /* one that is too long is not kept */
    (void)buf_str(&l->out, "* ID (\"name\" \"Posthorn\")\r\n"); /* out has room */
    login_reply(l, login_tag(l), "OK", NULL, "ID completed");
}

static void login_run(struct imap_login *l, const struct imap_command *cmd, struct imap_login_event *out)
{
    slice tag = login_tag(l);
    switch (cmd->verb) {
    case IMAP_CAPABILITY:
        (void)buf_str(&l->out, "* "); /* out has room */
        login_capabilities(l);
        (void)buf_str(&l->out, "\r\n");
        login_reply(l, tag, "OK", NULL, "CAPABILITY completed");
        break;
    case IMAP_NOOP:
        login_reply(l, tag, "OK", NULL, "NOOP completed");
        break;
    case IMAP_LOGOUT:
        login_reply(l, (slice){0}, "BYE", NULL, "logging out");
        login_reply(l, tag, "OK", NULL, "LOGOUT completed");
        login_close(l, NULL, "logout");
        break;
    case IMAP_ID:
        login_id(l, cmd);
        break;
    case IMAP_LOGIN:
    case IMAP_AUTHENTICATE:
        if (!l->config.login_allowed)
            login_reply(l, tag, "NO", "PRIVACYREQUIRED", "logging in needs TLS: use port 993");
        else if (cmd->verb == IMAP_LOGIN)
            login_password(l, cmd, out);
        else
            login_authenticate(l, cmd, out);
        break;
    default:
        login_reply(l, tag, "BAD", NULL, "STARTTLS is not offered: use port 993");
        break;
    }
}

static void login_command(struct imap_login *l, slice text, struct imap_login_event *out)
{
    struct imap_command cmd;
    const char *why;
    enum err e;
    arena_reset(&l->arena);
    e = imap_parse(text, IMAP_STATE_NOT_AUTHENTICATED, false, &imap_parse_limits_default, &l->arena, &cmd,
                   &why);
    if (e == ERR_NOT_FOUND || cmd.tag.n > IMAP_LOGIN_TAG_MAX || !cmd.tag.n) {
        login_nonsense(l, cmd.tag.n > IMAP_LOGIN_TAG_MAX ? (slice){0} : cmd.tag, why);
        return;
    }
    l->spoken = true;
    if (e != OK) {
        login_nonsense(l, cmd.tag, why);
        return;
    }
    l->active = l->now;
    memcpy(l->tag, cmd.tag.p, cmd.tag.n);
    l->tag_n = (uint8_t)cmd.tag.n;
    login_run(l, &cmd, out);
}

/* authenticate-param: base64 CRLF / "*" CRLF (RFC 9051 §6.2.2) */
static void login_frame(struct imap_login *l, slice line, struct imap_login_event *out)
{
    bool cancel = slice_eq(line, SLICE("*"));
    imap_reader_line_mode(&l->reader, false);
    l->state = LOGIN_READY;
    if (!login_room(l) || cancel || base64_decode(line, &l->sasl) != OK) {
        login_reply(l, login_tag(l), "BAD", NULL, cancel ? "the exchange was given up" : "that is no base64");
        l->bad += !cancel;
        *out = (struct imap_login_event){.type = IMAP_LOGIN_CANCELLED};
        return;
    }
    l->active = l->now;
    l->state = LOGIN_ASKED;
    *out = (struct imap_login_event){.type = IMAP_LOGIN_SASL_DATA, .data = buf_view(&l->sasl)};
}

static void login_read(struct imap_login *l, const struct imap_read *ev, struct imap_login_event *out)
{
    switch (ev->type) {
    case IMAP_READ_CONTINUE:
        (void)buf_str(&l->out, "+ go on\r\n"); /* out has room */
        break;
    case IMAP_READ_COMMAND:
        login_command(l, ev->text, out);
        break;
    case IMAP_READ_LINE:
        login_frame(l, ev->text, out);
        break;
    case IMAP_READ_APPEND:
        imap_reader_append(&l->reader, false);
        l->spoken = true;
        login_nonsense(l, ev->tag.n > IMAP_LOGIN_TAG_MAX ? (slice){0} : ev->tag, "log in first");
        break;
    case IMAP_READ_BAD:
        if (ev->too_big)
            login_close(l, "that is more than is read before login", "too much before login");
        else
            login_nonsense(l, ev->tag.n > IMAP_LOGIN_TAG_MAX ? (slice){0} : ev->tag, ev->why);
        break;
    case IMAP_READ_FATAL:
        login_close(l, ev->why, "too much before login");
        break;
    default:
        break;
    }
}

void imap_login_next(struct imap_login *l, struct imap_login_event *out)
{
    struct imap_login_event ev = {.type = IMAP_LOGIN_MORE};
    while (ev.type == IMAP_LOGIN_MORE && (l->state == LOGIN_READY || l->state == LOGIN_FRAME)) {
        slice in = buf_view(&l->in);
        size_t had = in.n;
        struct imap_read r;
        if (l->out.n > l->out.max / 2)
            break;
        imap_reader_next(&l->reader, &in, &r);
        if (r.type == IMAP_READ_MORE && in.n == had)
            break;
        buf_consume(&l->in, had - in.n);
        secret_wipe(l->in.p + l->in.n, had - in.n);
        login_read(l, &r, &ev);
    }
    if (l->state == LOGIN_CLOSED)
        ev = (struct imap_login_event){.type = IMAP_LOGIN_CLOSE, .reason = l->reason};
    else if (l->state == LOGIN_DONE)
        ev = (struct imap_login_event){.type = IMAP_LOGIN_DONE};
    *out = ev;
}

static void login_failed(struct imap_login *l, const char *code, const char *text)
{
    l->state = LOGIN_READY;
    login_reply(l, login_tag(l), "NO", code, text);
    if (++l->tries >= l->limits->tries_max)
        login_close(l, "too many failed logins", "too many failed logins");
}

enum err imap_login_answer(struct imap_login *l, enum imap_login_answer answer, slice data)
{
    if (l->state != LOGIN_ASKED)
        return ERR_STATE;
    switch (answer) {
    case IMAP_LOGIN_CHALLENGE:
        if (!l->authenticate)
            return ERR_STATE;
        (void)buf_str(&l->out, "+ "); /* at most half of out was full, data is a few hundred bytes */
        if (base64_encode(data, &l->out) != OK)
            return ERR_LIMIT;
        (void)buf_str(&l->out, "\r\n");
        imap_reader_line_mode(&l->reader, true);
        l->state = LOGIN_FRAME;
        break;
    case IMAP_LOGIN_ACCEPTED:
        l->state = LOGIN_DONE;
        break;
    case IMAP_LOGIN_DENIED:
        login_failed(l, "AUTHENTICATIONFAILED", "the name or the password is wrong");
        break;
    case IMAP_LOGIN_SUSPENDED:
        login_failed(l, "CONTACTADMIN", "this account is suspended: ask who runs this server");
        break;
    case IMAP_LOGIN_LIMITED:
        login_failed(l, "LIMIT", "too many logins from your side: try again later");
        login_close(l, "too many logins", "limited");
        break;
    default:
        login_failed(l, "UNAVAILABLE", "the account cannot be opened right now: try again");
        break;
    }
    login_wipe(&l->sasl);
    return OK;
}

void imap_login_handover(const struct imap_login *l, struct imap_login_handover *out)
{
    *out = (struct imap_login_handover){.tag = login_tag(l),
                                        .authenticate = l->authenticate,
                                        .id = buf_view(&l->id),
                                        .leftover = buf_view(&l->in)};
}

void imap_login_tick(struct imap_login *l, time_ms now)
{
    l->now = now;
    if (!l->started)
        l->started = l->active = now;
    if (l->state != LOGIN_ASKED && now >= imap_login_deadline(l))
        login_close(l, "too slow: nobody logged in", "nobody logged in in time");
}

time_ms imap_login_deadline(const struct imap_login *l)
{
    time_ms idle = l->active + l->limits->idle_ms, total = l->started + l->limits->total_ms;
    return idle < total ? idle : total;
}

void imap_login_shutdown(struct imap_login *l, const char *why)
{
    login_close(l, why, "shutdown");
}
