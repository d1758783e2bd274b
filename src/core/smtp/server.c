/* The session as a whole: events, lines, the table of commands, questions and their answers, time. The
 * grammar of each command is in its own file. */
#include "core/smtp/server__.h"

#include <stdlib.h>

const struct smtp_server_limits smtp_server_limits_default = {
    .message_bytes = 50 * 1024 * 1024,
    .recipients = 100,
    .recipients_authed = 1000,
    .nonsense = 3,
    .errors = 50,
    .idle_commands = 100,
    .auth_failures = 3,
    .slow_after = 5,
    .line_bytes = 1000,
    .auth_line_bytes = 12288,
    .reply_bytes = 8192,
    .hello_ms = 30 * MS_SECOND,
    .login_ms = 60 * MS_SECOND,
    .command_ms = 5 * MS_MINUTE,
    .body_ms = MS_HOUR,
    .slow_ms = MS_SECOND,
};

static const char *const refusal_texts[] = {
    [SMTP_REFUSED_BARE_NEWLINE] = "a command line held a CR or LF on its own",
    [SMTP_REFUSED_BODY_NEWLINE] = "the message held a CR or LF on its own, as attempts to smuggle mail do",
    [SMTP_REFUSED_FOREIGN] = "the client spoke another protocol",
    [SMTP_REFUSED_NONSENSE] = "the client sent too many unknown commands",
    [SMTP_REFUSED_ERRORS] = "too many of the client's commands were refused",
    [SMTP_REFUSED_IDLE_COMMANDS] = "the client sent too many commands that carry no mail",
    [SMTP_REFUSED_LOGINS] = "too many logins failed",
    [SMTP_REFUSED_STARTTLS_MORE] = "bytes came behind STARTTLS before TLS was up, as injection attempts do",
    [SMTP_REFUSED_TOO_LARGE] = "the message is larger than allowed",
    [SMTP_REFUSED_TOO_MANY] = "the message has more recipients than allowed",
    [SMTP_REFUSED_TIMEOUT] = "the client was silent, or too slow, for too long",
    [SMTP_REFUSED_ADDRESS] = "an address was not written as addresses are",
};
static_assert(ARRAY_LEN(refusal_texts) == SMTP_REFUSED__COUNT, "every refusal has its words");

const char *smtp_refusal_text(enum smtp_refusal why)
{
    return (unsigned)why < SMTP_REFUSED__COUNT ? refusal_texts[why] : "";
}

enum { CMD_SIMPLE = 0, CMD_LONG = 1, CMD_AHEAD = 2, CMD_FOREIGN = 4, CMD_AUTH_LINE = 8 };

struct command {
    slice verb;
    void (*run)(struct smtp_server *s, slice args);
    unsigned
        flags; /* LONG: line_bytes, AUTH_LINE: auth_line_bytes; AHEAD: may run while RCPTs wait; FOREIGN */
};

static const struct command commands[] = {
    {SLICE_INIT("RCPT"), smtp__rcpt, CMD_LONG | CMD_AHEAD},
    {SLICE_INIT("MAIL"), smtp__mail, CMD_LONG},
    {SLICE_INIT("DATA"), smtp__data, CMD_SIMPLE},
    {SLICE_INIT("BDAT"), smtp__bdat, CMD_SIMPLE},
    {SLICE_INIT("EHLO"), smtp__ehlo, CMD_SIMPLE},
    {SLICE_INIT("HELO"), smtp__helo, CMD_SIMPLE},
    {SLICE_INIT("STARTTLS"), smtp__starttls, CMD_SIMPLE},
    {SLICE_INIT("AUTH"), smtp__auth, CMD_AUTH_LINE},
    {SLICE_INIT("RSET"), smtp__rset, CMD_SIMPLE},
    {SLICE_INIT("NOOP"), smtp__noop, CMD_SIMPLE},
    {SLICE_INIT("VRFY"), smtp__vrfy, CMD_LONG},
    {SLICE_INIT("EXPN"), smtp__expn, CMD_LONG},
    {SLICE_INIT("HELP"), smtp__help, CMD_SIMPLE},
    {SLICE_INIT("QUIT"), smtp__quit, CMD_SIMPLE},
    /* THREATS 14: a browser made to speak to us says one of these first. */
    {SLICE_INIT("GET"), NULL, CMD_FOREIGN},
    {SLICE_INIT("POST"), NULL, CMD_FOREIGN},
    {SLICE_INIT("PUT"), NULL, CMD_FOREIGN},
    {SLICE_INIT("HEAD"), NULL, CMD_FOREIGN},
    {SLICE_INIT("OPTIONS"), NULL, CMD_FOREIGN},
    {SLICE_INIT("CONNECT"), NULL, CMD_FOREIGN},
    {SLICE_INIT("DELETE"), NULL, CMD_FOREIGN},
    {SLICE_INIT("PATCH"), NULL, CMD_FOREIGN},
    {SLICE_INIT("TRACE"), NULL, CMD_FOREIGN},
    {SLICE_INIT("PRI"), NULL, CMD_FOREIGN},
};

/* Birth and death. */

struct smtp_server *smtp_server_new(const struct smtp_server_config *config)
{
    struct smtp_server *s = calloc(1, sizeof *s);
    must(s && config->limits && config->limits->line_bytes >= SMTP_SIMPLE_LINE_MAX);
    s->config = *config;
    s->tls = config->tls_on;
    buf_init(&s->out,
             (size_t)config->limits->reply_bytes + (SMTP_SERVER_AHEAD + 8) * 2 * SMTP_REPLY_TEXT_MAX);
    return s;
}

void smtp_server_free(struct smtp_server **s)
{
    if (!s || !*s)
        return;
    smtp__slots_done(*s);
    buf_done(&(*s)->out);
    free(*s);
    *s = NULL;
}

/* Events and questions. */

struct smtp_event *smtp__event(struct smtp_server *s, enum smtp_event_type type)
{
    struct smtp_event *e;
    must(s->event_n < SMTP_EVENTS_MAX);
    e = &s->events[(s->event_first + s->event_n++) % SMTP_EVENTS_MAX];
    *e = (struct smtp_event){.type = type};
    return e;
}

uint32_t smtp__token(struct smtp_server *s)
{
    if (++s->token_last == 0)
        s->token_last = 1; /* 0 is "no answer awaited"; after 2^32 questions none of the old ones is open */
    return s->token_last;
}

struct smtp_event *smtp__ask(struct smtp_server *s, enum smtp_question what, enum smtp_event_type type)
{
    struct smtp_event *e = smtp__event(s, type);
    s->ask = what;
    s->ask_token = e->token = smtp__token(s);
    return e;
}

void smtp__note_refusal(struct smtp_server *s, enum smtp_refusal why, int code)
{
    struct smtp_event *e = smtp__event(s, SMTP_EV_REFUSED);
    e->refused.why = why;
    e->refused.code = code;
}

/* The last event of every session, made in one place. */
void smtp__close(struct smtp_server *s, bool quit)
{
    smtp__txn_reset(s, s->txn.active);
    s->phase = SMTP_PHASE_CLOSED;
    s->ask = SMTP_ASK_NOTHING;
    s->ask_token = 0;
    smtp__event(s, SMTP_EV_CLOSE)->quit = quit;
}

void smtp__end(struct smtp_server *s, enum smtp_refusal why, int code, const char *status, slice text)
{
    if (s->closing)
        return; /* it ends already, for another reason */
    smtp__reply(s, code, status, text);
    smtp__note_refusal(s, why, code);
    s->closing = true;
}

void smtp__txn_reset(struct smtp_server *s, bool tell)
{
    if (tell && s->txn.active && !s->txn.discarding)
        (void)smtp__event(s, SMTP_EV_RESET); /* nothing to fill in */
    s->txn = (struct smtp_txn){0};
    s->chunk_left = 0;
    s->chunk_last = s->chunk_discard = false;
    if (s->phase == SMTP_PHASE_DATA || s->phase == SMTP_PHASE_CHUNK)
        s->phase = SMTP_PHASE_COMMAND;
}

void smtp__count_idle(struct smtp_server *s)
{
    if (++s->idle_commands > s->config.limits->idle_commands)
        smtp__end(s, SMTP_REFUSED_IDLE_COMMANDS, 421, "4.7.0",
                  SLICE("Too many commands without a message. Closing; please come back with mail."));
}

/* Lines. */

enum line { LINE_MORE, LINE_OK, LINE_LONG, LINE_BARE };

/* The next line without its CRLF (RFC 5321 §2.3.8), when it is whole. Too long a line is left where it is. */
static enum line take_line(struct smtp_server *s, size_t max, slice *out)
{
    slice in = slice_from(s->in, s->used);
    size_t from = size_min(s->scanned, in.n), lf = from + slice_index(slice_from(in, from), '\n');
    if (lf >= max || (lf == in.n && in.n >= max))
        return LINE_LONG;
    if (lf == in.n) {
        s->scanned = in.n;
        return LINE_MORE;
    }
    if (lf == 0 || in.p[lf - 1] != '\r' || slice_has(slice_sub(in, 0, lf - 1), '\r'))
        return LINE_BARE;
    *out = slice_sub(in, 0, lf - 1);
    return LINE_OK;
}

static void use_line(struct smtp_server *s, slice line)
{
    s->used += line.n + 2;
    s->scanned = 0;
    s->active_at = s->now;
}

static void end_bare(struct smtp_server *s)
{
    s->used = s->in.n;
    smtp__end(s, SMTP_REFUSED_BARE_NEWLINE, 500, "5.5.2",
              SLICE("Lines end with CR and LF together; one came alone. Closing."));
}

/* The rest of a line that was too long: thrown away unread up to its end. */
static bool skip_line(struct smtp_server *s)
{
    slice in = slice_from(s->in, s->used);
    size_t lf = slice_index(in, '\n');
    if (in.n == 0)
        return false;
    if (lf == in.n) {
        s->skipped_last = in.p[in.n - 1];
        s->used = s->in.n;
        return true;
    }
    if ((lf ? in.p[lf - 1] : s->skipped_last) != '\r') {
        end_bare(s);
        return true;
    }
    s->used += lf + 1;
    s->active_at = s->now;
    s->phase = SMTP_PHASE_COMMAND;
    return true;
}

static void begin_skip(struct smtp_server *s)
{
    s->phase = SMTP_PHASE_SKIP;
    s->skipped_last = 0;
    s->scanned = 0;
    SMTP__REFUSE(s, 500, "5.5.2", "That line is too long");
}

/* Commands. */

static const struct command *command_find(slice verb)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (slice_eq_nocase(verb, commands[i].verb))
            return &commands[i];
    return NULL;
}

static size_t command_line_max(const struct smtp_server *s, const struct command *c)
{
    const struct smtp_server_limits *l = s->config.limits;
    if (c && c->flags & CMD_LONG)
        return l->line_bytes;
    if (c && c->flags & CMD_AUTH_LINE)
        return l->auth_line_bytes;
    return SMTP_SIMPLE_LINE_MAX;
}

/* Everything but printable ASCII and UTF-8: no such octet has a place in a command (THREATS 3). */
static bool has_control(slice line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] < ' ' || line.p[i] == 0x7f)
            return true;
    return false;
}

static void unknown_command(struct smtp_server *s)
{
    if (++s->nonsense >= s->config.limits->nonsense)
        smtp__end(s, SMTP_REFUSED_NONSENSE, 421, "4.7.0", SLICE("Too many unknown commands. Closing."));
    else
        SMTP__REFUSE(s, 500, "5.5.1", "That command is not known here");
}

/* RFC 5321 §4.1.1: verb and argument are separated by a space; a space at the end is tolerated (§4.1.1.1). */
static bool command_advance(struct smtp_server *s)
{
    slice in = slice_from(s->in, s->used), line, verb, args;
    const struct command *c;
    size_t verb_n = 0, max;
    if (in.n == 0 || s->out.n >= s->config.limits->reply_bytes)
        return false;
    if (in.p[0] == 0x16 || in.p[0] >= 0x80) { /* a TLS ClientHello (RFC 8446 §5.1), or no text at all */
        s->used = s->in.n;
        smtp__end(s, SMTP_REFUSED_FOREIGN, 554, "5.5.1", SLICE("This is SMTP. Closing."));
        return true;
    }
    while (verb_n < in.n && verb_n < 16 && (ascii_is_alpha(in.p[verb_n])))
        verb_n++;
    verb = slice_sub(in, 0, verb_n);
    c = verb_n < in.n ? command_find(verb) : NULL;
    if (s->slot_n && (!c || !(c->flags & CMD_AHEAD) || s->slot_n >= SMTP_SERVER_AHEAD))
        return false; /* what comes behind RCPTs that wait, waits too */
    max = verb_n < in.n ? command_line_max(s, c) : s->config.limits->line_bytes;
    switch (take_line(s, max, &line)) {
    case LINE_MORE:
        return false;
    case LINE_LONG:
        begin_skip(s);
        return true;
    case LINE_BARE:
        end_bare(s);
        return true;
    case LINE_OK:
        break;
    }
    use_line(s, line);
    while (line.n && line.p[line.n - 1] == ' ')
        line.n--;
    args = slice_from(line, verb_n);
    if (has_control(line)) {
        SMTP__REFUSE(s, 501, "5.5.2", "A control character has no place in a command");
    } else if (!c || (args.n && args.p[0] != ' ')) {
        unknown_command(s);
    } else if (c->flags & CMD_FOREIGN) {
        s->used = s->in.n;
        smtp__end(s, SMTP_REFUSED_FOREIGN, 554, "5.5.1", SLICE("This is SMTP. Closing."));
    } else {
        while (args.n && args.p[0] == ' ')
            args = slice_from(args, 1);
        c->run(s, args);
    }
    return true;
}

static bool auth_advance(struct smtp_server *s)
{
    slice line;
    switch (take_line(s, s->config.limits->auth_line_bytes, &line)) {
    case LINE_MORE:
        return false;
    case LINE_LONG: /* RFC 4954 §4: 500 */
        (void)smtp__event(s, SMTP_EV_AUTH_CANCEL);
        begin_skip(s);
        return true;
    case LINE_BARE:
        (void)smtp__event(s, SMTP_EV_AUTH_CANCEL);
        end_bare(s);
        return true;
    case LINE_OK:
        break;
    }
    use_line(s, line);
    s->phase = SMTP_PHASE_COMMAND;
    smtp__auth_line(s, line);
    return true;
}

static bool tls_advance(struct smtp_server *s)
{
    if (s->used == s->in.n)
        return false;
    s->used = s->in.n;
    smtp__end(s, SMTP_REFUSED_STARTTLS_MORE, 554, "5.5.1",
              SLICE("Nothing may follow STARTTLS before TLS is up. Closing."));
    return true;
}

/* One step. False: nothing can be done now. */
static bool advance(struct smtp_server *s)
{
    if (s->phase == SMTP_PHASE_NEW || s->phase == SMTP_PHASE_CLOSED || s->ask != SMTP_ASK_NOTHING)
        return false;
    smtp__slots_flush(s);
    if (s->closing) {
        if (s->slot_n)
            return false; /* replies that are owed go first */
        smtp__close(s, false);
        return true;
    }
    if (s->draining && !s->txn.active && s->phase == SMTP_PHASE_COMMAND) {
        SMTP__SAY(s, 421, "4.3.2", "This server is shutting down. Please come again in a moment.");
        smtp__close(s, false);
        return true;
    }
    switch (s->phase) {
    case SMTP_PHASE_COMMAND:
        return command_advance(s);
    case SMTP_PHASE_SKIP:
        return skip_line(s);
    case SMTP_PHASE_AUTH:
        return auth_advance(s);
    case SMTP_PHASE_TLS:
        return tls_advance(s);
    case SMTP_PHASE_DATA:
        return smtp__data_advance(s, slice_from(s->in, s->used));
    case SMTP_PHASE_CHUNK:
        return smtp__chunk_advance(s, slice_from(s->in, s->used));
    case SMTP_PHASE_NEW:
    case SMTP_PHASE_CLOSED:
        break;
    }
    return false;
}

bool smtp_server_next(struct smtp_server *s, struct smtp_event *out)
{
    while (s->event_n == 0)
        if (!advance(s))
            return false;
    *out = s->events[s->event_first];
    s->event_first = (s->event_first + 1) % SMTP_EVENTS_MAX;
    s->event_n--;
    return true;
}

void smtp_server_greet(struct smtp_server *s, const struct smtp_answer *refusal)
{
    must(s->phase == SMTP_PHASE_NEW);
    s->phase = SMTP_PHASE_COMMAND;
    s->greeted_at = s->active_at = s->now;
    if (refusal) {
        smtp__print_reply(&s->out, refusal->code, refusal->status, refusal->text);
        s->closing = true;
        return;
    }
    /* RFC 5321 §4.3.1: the host name comes first. Nothing about the software's version. */
    (void)buf_str(&s->out, "220 ");
    (void)buf_append(&s->out, s->config.hostname);
    (void)buf_str(&s->out, " ESMTP Posthorn\r\n");
}

void smtp_server_feed(struct smtp_server *s, slice unread)
{
    s->in = unread;
    s->used = 0;
    if (s->phase == SMTP_PHASE_NEW && unread.n)
        s->early = true;
    if (s->phase == SMTP_PHASE_CLOSED)
        s->used = unread.n;
}

size_t smtp_server_used(const struct smtp_server *s)
{
    return s->used;
}

void smtp_server_answer(struct smtp_server *s, uint32_t token, const struct smtp_answer *answer)
{
    static void (*const by_question[])(struct smtp_server *, const struct smtp_answer *) = {
        [SMTP_ASK_MAIL] = smtp__mail_answer,         [SMTP_ASK_AUTH] = smtp__auth_answer,
        [SMTP_ASK_DATA] = smtp__data_answer,         [SMTP_ASK_BDAT] = smtp__bdat_answer,
        [SMTP_ASK_BODY_END] = smtp__body_end_answer,
    };
    struct smtp_slot *slot;
    must(answer->code >= 200 && answer->code <= 599);
    if (token == 0 || s->phase == SMTP_PHASE_CLOSED)
        return;
    s->active_at = s->now;
    if (s->ask != SMTP_ASK_NOTHING && token == s->ask_token) {
        enum smtp_question what = s->ask;
        s->ask = SMTP_ASK_NOTHING;
        s->ask_token = 0;
        by_question[what](s, answer);
    } else if ((slot = smtp__slot_find(s, token)) && !slot->ready) {
        smtp__rcpt_answer(s, slot, answer);
    } else {
        return;
    }
    if (answer->code == 421) /* RFC 5321 §3.8: the server may close after this and no other reply */
        s->closing = true;
}

void smtp_server_tls_started(struct smtp_server *s)
{
    must(s->phase == SMTP_PHASE_TLS || s->phase == SMTP_PHASE_CLOSED || s->closing);
    if (s->phase != SMTP_PHASE_TLS || s->closing)
        return;
    s->phase = SMTP_PHASE_COMMAND;
    s->tls = true;
    s->esmtp = s->authed = false;
    s->helo_n = 0;
    s->in = (slice){0};
    s->used = s->scanned = 0;
    s->active_at = s->now;
}

void smtp_server_drain(struct smtp_server *s)
{
    s->draining = true;
}

slice smtp_server_pending(const struct smtp_server *s)
{
    return buf_view(&s->out);
}

void smtp_server_sent(struct smtp_server *s, size_t n)
{
    buf_consume(&s->out, n);
}

/* Does the shell owe an answer? Then its deadline runs, not the client's. */
static bool shell_owes(const struct smtp_server *s)
{
    return s->ask != SMTP_ASK_NOTHING || (s->slot_n && !s->slots[s->slot_first].ready);
}

time_ms smtp_server_deadline(const struct smtp_server *s)
{
    const struct smtp_server_limits *l = s->config.limits;
    time_ms at;
    if (s->phase == SMTP_PHASE_NEW || s->phase == SMTP_PHASE_CLOSED || s->phase == SMTP_PHASE_TLS ||
        shell_owes(s))
        return INT64_MAX;
    if (s->slot_n)
        return s->slots[s->slot_first].not_before;
    at = s->active_at + l->command_ms;
    if (s->helo_n == 0 && !s->tls && s->greeted_at + l->hello_ms < at)
        at = s->greeted_at + l->hello_ms;
    if (smtp__is_submission(s) && !s->authed && s->greeted_at + l->login_ms < at)
        at = s->greeted_at + l->login_ms;
    if (s->txn.body_begun && s->txn.body_started + l->body_ms < at)
        at = s->txn.body_started + l->body_ms;
    return at;
}

void smtp_server_tick(struct smtp_server *s, time_ms now)
{
    if (now > s->now)
        s->now = now;
    if (s->slot_n) {
        smtp__slots_flush(s);
        return;
    }
    if (!s->closing && s->now >= smtp_server_deadline(s))
        smtp__end(s, SMTP_REFUSED_TIMEOUT, 421, "4.4.2", SLICE("That took too long. Closing."));
}

slice smtp_server_helo(const struct smtp_server *s)
{
    return slice_of(s->helo, s->helo_n);
}

bool smtp_server_is_esmtp(const struct smtp_server *s)
{
    return s->esmtp;
}

bool smtp_server_is_tls(const struct smtp_server *s)
{
    return s->tls;
}

bool smtp_server_is_authed(const struct smtp_server *s)
{
    return s->authed;
}

bool smtp_server_in_transaction(const struct smtp_server *s)
{
    return s->txn.active;
}

bool smtp_server_is_closed(const struct smtp_server *s)
{
    return s->phase == SMTP_PHASE_CLOSED && s->event_n == 0;
}
