/* imap_session: bytes in and out of one session, and the one loop that drives its commands. */
#include "proc/account/imap__.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SESSION_READ_BYTES  ((size_t)64 << 10) /* read at a time */
#define SESSION_IN_MAX      ((size_t)256 << 10)
#define SESSION_KEEP_BYTES  ((size_t)4 << 10) /* a buffer larger than this is given back when it is empty */
#define SESSION_FLUSH_BYTES ((size_t)64 << 10)
#define SESSION_REPLY_MAX   ((size_t)16 << 20) /* COPYUID of a scattered set is long */
#define SESSION_COMMANDS    64                 /* of a pipeline, before others get their turn */
#define SESSION_BAD_MAX     25                 /* wrong commands in a row */
#define SESSION_LINGER_MS   5000               /* for a client that does not read the BYE */

static void session_turn(struct imap_session *s);

/* --- answering */

enum imap_step imap__reply(struct imap_session *s, const char *condition, const char *code, const char *text)
{
    buf_clear(&s->reply);
    imap_write_done(&s->reply, s->cmd.tag, condition, code, text);
    return IMAP_STEP_DONE;
}

enum imap_step imap__ok(struct imap_session *s)
{
    buf_clear(&s->reply);
    (void)buf_append(&s->reply, s->cmd.tag); /* a tag and a few words always fit */
    (void)buf_print(&s->reply, " OK %s completed\r\n", imap_verb_name(s->cmd.verb));
    return IMAP_STEP_DONE;
}

static const struct {
    enum err e;
    const char *code, *text;
} session_errors[] = {
    {ERR_NOT_FOUND, "NONEXISTENT", "there is no such mailbox"},
    {ERR_EXISTS, "ALREADYEXISTS", "there is a mailbox of that name already"},
    {ERR_DENIED, "CANNOT", "that cannot be done to this mailbox"},
    {ERR_SYNTAX, "CANNOT", "that name cannot be used"},
    {ERR_LIMIT, "LIMIT", "a limit was reached"},
    {ERR_QUOTA, "OVERQUOTA", "the account is full: delete messages, or ask for more room"},
    {ERR_TOO_LARGE, "TOOBIG", "the message is too large"},
    {ERR_DISK_FULL, "UNAVAILABLE", "the server's disk is full: try again later"},
    {ERR_CORRUPT, "CORRUPTION", "stored data is damaged; other messages are not touched by that"},
    {ERR_STATE, "INUSE", "the account is busy: try again"},
    {ERR_BUSY, "INUSE", "the account is busy: try again"},
    {ERR_BUG, "SERVERBUG", "something went wrong inside the server"},
};

enum imap_step imap__no(struct imap_session *s, enum err e)
{
    for (size_t i = 0; i < ARRAY_LEN(session_errors); i++)
        if (session_errors[i].e == e)
            return imap__reply(s, "NO", session_errors[i].code, session_errors[i].text);
    return imap__reply(s, "NO", "UNAVAILABLE", err_text(e));
}

bool imap__full(const struct imap_session *s)
{
    return s->out.n - s->out_at > IMAP_OUT_HIGH;
}

void imap__bye(struct imap_session *s, const char *text)
{
    if (s->closing)
        return;
    imap_write_done(&s->out, (slice){0}, "BYE", NULL, text);
    s->closing = true;
    loop_timer_after(&s->timer, SESSION_LINGER_MS);
}

static void session_tell(struct imap_session *s, uint32_t kind, slice mailbox, slice text, uint64_t number,
                         uint32_t uid)
{
    struct journal_event e = {.code = uid,
                              .connection = s->connection,
                              .kind = (enum journal_kind)kind,
                              .number = number,
                              .address = s->host->address,
                              .peer = slice_str(s->client_ip),
                              .name = mailbox,
                              .text = text};
    if (s->host->tell)
        s->host->tell(s->host->arg, &e);
}

void imap__tell(struct imap_session *s, uint32_t kind, slice mailbox, slice text, uint64_t number)
{
    session_tell(s, kind, mailbox, text, number, 0);
    if (s->host->changed)
        s->host->changed(s->host->arg);
}

void imap__tell_each(struct imap_session *s, uint32_t kind, slice mailbox, slice text, const uint32_t *uids,
                     size_t n, uint32_t first_target)
{
    static_assert(IMAP_TOUCHED == JOURNAL_EACH_MAX, "the journal's rule");
    if (n == 0 || n > IMAP_TOUCHED) {
        imap__tell(s, kind, mailbox, text, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        session_tell(s, kind, mailbox, text, first_target ? first_target + i : uids[i], uids[i]);
    if (s->host->changed)
        s->host->changed(s->host->arg);
}

/* --- commands */

/* RFC 9051 §7.5.1: not while FETCH, STORE or SEARCH use sequence numbers. */
static bool session_may_expunge(const struct imap_command *c)
{
    return c->uid || (c->verb != IMAP_FETCH && c->verb != IMAP_STORE && c->verb != IMAP_SEARCH);
}

static void session_refuse(struct imap_session *s, slice tag, const char *code, const char *why)
{
    imap_write_done(&s->out, tag, "BAD", code, why);
    if (++s->bad >= SESSION_BAD_MAX)
        imap__bye(s, "too many commands that make no sense");
}

static void session_command(struct imap_session *s, slice text)
{
    enum imap_state state = s->sel.open ? IMAP_STATE_SELECTED : IMAP_STATE_AUTHENTICATED;
    const char *why;
    enum err e;
    arena_reset(&s->arena);
    e = imap_parse(text, state, imap__rev2(s), &imap_parse_limits_default, &s->arena, &s->cmd, &why);
    if (e == ERR_UNSUPPORTED) {
        imap_write_done(&s->out, s->cmd.tag, "NO", "BADCHARSET (US-ASCII UTF-8)", why);
    } else if (e == ERR_LIMIT) {
        imap_write_done(&s->out, s->cmd.tag, "NO", "LIMIT", why);
    } else if (e != OK) {
        session_refuse(s, s->cmd.tag, NULL, why);
    } else {
        s->bad = 0;
        s->run = imap__command_of(s->cmd.verb);
        must(s->run); /* those without are not allowed in these states */
        s->syncing = false;
        s->sync_expunge = session_may_expunge(&s->cmd);
        memset(&s->work, 0, sizeof s->work);
    }
}

static enum imap_step session_finish(struct imap_session *s)
{
    (void)s;
    return IMAP_STEP_DONE; /* the reply is there already */
}

/* The reply is written; what has changed is told, then the reply. */
static void session_reply_ready(struct imap_session *s)
{
    s->run = session_finish;
    s->syncing = true;
    s->sync_expunge = true;
}

static void session_line(struct imap_session *s, slice line)
{
    imap_reader_line_mode(&s->reader, false);
    s->idling = false;
    if (!slice_eq_nocase(line, SLICE("DONE"))) {
        buf_clear(&s->reply);
        session_refuse(s, (slice){0}, NULL, "DONE ends IDLE");
        return;
    }
    session_reply_ready(s);
}

/* Handles what the reader has next. False when it needs more input. */
static bool session_next(struct imap_session *s)
{
    slice in = slice_from(buf_view(&s->in), s->in_at);
    struct imap_read ev;
    imap_reader_next(&s->reader, &in, &ev);
    s->in_at = s->in.n - in.n;
    switch (ev.type) {
    case IMAP_READ_CONTINUE:
        (void)buf_str(&s->out, "+ go on\r\n"); /* out_max is far */
        break;
    case IMAP_READ_COMMAND:
        session_command(s, ev.text);
        break;
    case IMAP_READ_LINE:
        session_line(s, ev.text);
        break;
    case IMAP_READ_APPEND:
        imap__append_begin(s, &ev);
        break;
    case IMAP_READ_DATA:
        imap__append_data(s, ev.data);
        break;
    case IMAP_READ_DATA_END:
        imap__append_data_end(s);
        break;
    case IMAP_READ_APPEND_END:
        imap__append_end(s, ev.tag);
        session_reply_ready(s);
        break;
    case IMAP_READ_BAD:
        imap__append_drop(s);
        session_refuse(s, ev.tag, ev.too_big ? "TOOBIG" : NULL, ev.why);
        break;
    case IMAP_READ_FATAL:
        imap__bye(s, ev.why);
        break;
    default:
        return false;
    }
    return true;
}

static void session_end_command(struct imap_session *s)
{
    (void)buf_append(&s->out, buf_view(&s->reply)); /* SESSION_REPLY_MAX is within IMAP_OUT_MAX */
    buf_clear(&s->reply);
    if (s->reply.cap > SESSION_KEEP_BYTES)
        buf_done(&s->reply);
    s->run = NULL;
    s->syncing = false;
    if (s->cmd.verb == IMAP_LOGOUT)
        s->closing = true;
    else if (s->ending)
        imap__bye(s, "the server is going down: come back in a moment");
}

/* --- sending and receiving */

static void session_flush(struct imap_session *s)
{
    while (!s->broken && s->out_at < s->out.n) {
        ssize_t n = send(s->fd, s->out.p + s->out_at, s->out.n - s->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            s->out_at += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            s->broken = true;
    }
    if (buf_failed(&s->out))
        s->broken = true; /* something is missing in it: nothing behind it would be understood */
    if (s->out_at < s->out.n) {
        if (s->out_at > SESSION_FLUSH_BYTES) { /* little is left, so little is moved */
            buf_consume(&s->out, s->out_at);
            s->out_at = 0;
        }
        return;
    }
    s->out_at = 0;
    if (s->out.cap > SESSION_KEEP_BYTES && !s->run)
        buf_done(&s->out);
    else
        buf_clear(&s->out);
}

static void session_read(struct imap_session *s)
{
    uint8_t *p;
    ssize_t n;
    if (s->in_at) {
        buf_consume(&s->in, s->in_at);
        s->in_at = 0;
    }
    p = buf_reserve(&s->in, SESSION_READ_BYTES);
    if (!p)
        return; /* enough waits already */
    n = recv(s->fd, p, SESSION_READ_BYTES, MSG_DONTWAIT);
    if (n > 0)
        buf_commit(&s->in, (size_t)n);
    else if (n == 0)
        s->eof = true;
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        s->broken = true;
}

/* --- the turn */

/* Goes on with the command in hand. False: not now. */
static bool session_step(struct imap_session *s)
{
    if (imap__full(s))
        session_flush(s);
    if (imap__full(s) || s->broken)
        return false;
    if (s->sel.gone && !s->syncing) {
        imap__bye(s, "the selected mailbox was deleted by another session");
        return false; /* what the command holds is freed with the session */
    }
    if (!s->syncing) {
        if (s->run(s) == IMAP_STEP_AGAIN) {
            if (s->out.n - s->out_at > SESSION_FLUSH_BYTES)
                session_flush(s);
            if (!imap__full(s))
                loop_later(s->host->loop, &s->task);
            return false;
        }
        if (s->idling) { /* the reply waits for DONE */
            s->run = NULL;
            return true;
        }
        s->syncing = true;
    }
    if (!imap__sync(s, s->sync_expunge))
        return true; /* flushes, and tells more */
    session_end_command(s);
    return true;
}

static void session_drive(struct imap_session *s)
{
    for (unsigned n = 0; !s->closing && !s->broken; n++) {
        if (n == SESSION_COMMANDS) {
            loop_later(s->host->loop, &s->task);
            return;
        }
        if (s->run) {
            if (!session_step(s))
                return;
            continue;
        }
        if (s->ending) {
            imap__bye(s, "the server is going down: come back in a moment");
            return;
        }
        if (s->idling) {
            while (!imap__sync(s, true)) {
                session_flush(s);
                if (imap__full(s) || s->broken)
                    return;
            }
        }
        if (imap__full(s))
            session_flush(s);
        if (imap__full(s))
            return; /* a client that sends and never reads */
        if (!session_next(s))
            break;
    }
    if (s->eof && !s->closing && !s->run) {
        s->closing = true; /* what is answered already is still sent, should anybody read it */
        loop_timer_after(&s->timer, SESSION_LINGER_MS);
    }
}

static void session_free(struct imap_session *s)
{
    struct imap_host *host = s->host;
    account_watch_remove(&s->watch);
    if (s->run == imap__fetch)
        imap__fetch_done(s);
    else if (s->run == imap__search)
        imap__search_done(s);
    else if (s->run == imap__store)
        imap__store_done(s);
    imap__append_drop(s);
    imap__deselect(s);
    account_store_free(&s->store);
    loop_io_done(&s->io);
    loop_timer_done(&s->timer);
    loop_task_cancel(&s->task);
    (void)close(s->fd); /* a socket: nothing is lost that was not lost before */
    imap_reader_done(&s->reader);
    buf_done(&s->in);
    buf_done(&s->out);
    buf_done(&s->reply);
    arena_done(&s->arena);
    list_remove(&s->link);
    host->count--;
    free(s);
    if (host->changed)
        host->changed(host->arg);
}

static void session_turn(struct imap_session *s)
{
    unsigned want = 0;
    session_drive(s);
    session_flush(s);
    if (s->broken || s->timed_out || (s->closing && s->out_at == s->out.n)) {
        session_free(s);
        return;
    }
    if (s->in_at == s->in.n) {
        s->in_at = 0;
        if (s->in.cap > SESSION_KEEP_BYTES)
            buf_done(&s->in);
        else
            buf_clear(&s->in);
    }
    if (!s->closing && !s->eof && s->in.n - s->in_at < SESSION_READ_BYTES)
        want |= LOOP_READ;
    if (s->out_at < s->out.n)
        want |= LOOP_WRITE;
    if (want != s->io_events)
        loop_io_set(&s->io, s->io_events = want);
}

static void session_ready(void *arg, unsigned ready)
{
    struct imap_session *s = arg;
    if ((ready & LOOP_READ) && !s->eof) {
        session_read(s);
        if (!s->closing)
            loop_timer_after(&s->timer, IMAP_AUTOLOGOUT_MS);
    }
    session_turn(s);
}

static void session_task(void *arg)
{
    session_turn(arg);
}

static void session_timeout(void *arg)
{
    struct imap_session *s = arg;
    if (s->closing)
        s->timed_out = true;
    else
        imap__bye(s, "logged out: nothing was heard for half an hour");
    session_turn(s);
}

/* --- keeping a view */

static void session_keep_over(void *arg)
{
    struct imap_host *host = arg;
    if (host->kept)
        account_view_close(host->keeper, &host->kept);
}

void imap__keep(struct imap_host *host, uint64_t mailbox)
{
    struct mailbox_view *view = NULL;
    if (!host->keeper) {
        host->keeper = account_store_new(host->db, ACCOUNT_READ);
        loop_timer_init(host->loop, &host->keep_timer, session_keep_over, host);
    }
    if (account_view_open(host->keeper, mailbox, &view) != OK)
        return; /* it is gone; nothing is lost */
    session_keep_over(host);
    host->kept = view;
    loop_timer_after(&host->keep_timer, IMAP_KEEP_MS);
}

/* --- beginning and end */

static void session_greet(struct imap_session *s, const struct imap_start *start)
{
    if (!start->tag.n)
        return;
    (void)buf_append(&s->out, start->tag); /* the first bytes in an empty buffer */
    (void)buf_str(&s->out, " OK ");
    if (start->capability) {
        (void)buf_byte(&s->out, '[');
        imap__capabilities(s);
        (void)buf_str(&s->out, "] ");
    }
    (void)buf_str(&s->out, "logged in\r\n");
}

static bool session_tag_ok(slice tag)
{
    for (size_t i = 0; i < tag.n; i++)
        if (tag.p[i] <= ' ' || tag.p[i] >= 0x7f)
            return false;
    return tag.n <= 128;
}

enum err imap_session_start(struct imap_host *host, const struct imap_start *start)
{
    struct imap_session *s;
    int flags = fcntl(start->fd, F_GETFL);
    if (!session_tag_ok(start->tag) || start->leftover.n > SESSION_READ_BYTES)
        return ERR_SYNTAX;
    if (flags < 0 || fcntl(start->fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_from_errno(errno);
    s = calloc(1, sizeof *s);
    must(s);
    if (loop_io_init(host->loop, &s->io, start->fd, LOOP_READ, session_ready, s) != OK) {
        free(s);
        return ERR_IO;
    }
    s->io_events = LOOP_READ;
    s->host = host;
    s->fd = start->fd;
    s->connection = start->connection;
    memcpy(s->client_ip, start->client_ip.n ? start->client_ip.p : (const uint8_t *)"",
           size_min(start->client_ip.n, sizeof s->client_ip - 1));
    imap_reader_init(&s->reader, &imap_read_limits_default);
    buf_init(&s->in, SESSION_IN_MAX);
    buf_init(&s->out, IMAP_OUT_MAX);
    buf_init(&s->reply, SESSION_REPLY_MAX);
    arena_init(&s->arena, "imap command", IMAP_ARENA_MAX);
    loop_timer_init(host->loop, &s->timer, session_timeout, s);
    loop_timer_after(&s->timer, IMAP_AUTOLOGOUT_MS);
    loop_task_init(&s->task, session_task, s);
    s->store = account_store_new(host->db, ACCOUNT_OWNER);
    list_init(&s->watch.link);
    s->watch.fn = imap__event;
    account_watch_add(s->store, &s->watch);
    list_append(&host->sessions, &s->link);
    host->count++;
    session_greet(s, start);
    (void)buf_append(&s->in, start->leftover); /* within SESSION_IN_MAX */
    loop_later(host->loop, &s->task);
    return OK;
}

void imap_sessions_end(struct imap_host *host)
{
    LIST_EACH(it, &host->sessions)
    {
        struct imap_session *s = LIST_OF(it, struct imap_session, link);
        s->ending = true;
        loop_later(host->loop, &s->task);
    }
}

void imap_sessions_drop(struct imap_host *host)
{
    LIST_EACH_SAFE(it, &host->sessions)
    session_free(LIST_OF(it, struct imap_session, link));
    if (host->keeper) {
        session_keep_over(host);
        loop_timer_done(&host->keep_timer);
        account_store_free(&host->keeper);
    }
}
