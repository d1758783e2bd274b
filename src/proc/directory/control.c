/* control: the control socket: takes callers, hands their calls to the verbs, sends rows and the end. */
#include "proc/directory/admin.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "text/date.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL_CALLERS_MAX 32

/* ---- rows */

struct buf *admin_row_begin(struct admin *a)
{
    buf_str(&a->row, a->row.n ? "," : "[");
    return &a->row;
}

void admin_row_send(struct admin *a)
{
    struct admin_row m;
    if (a->row.n == 0)
        return;
    buf_byte(&a->row, ']');
    m.json = buf_view(&a->row);
    if (buf_failed(&a->row))
        a->row_failed = ERR_LIMIT;
    else if (a->row_failed == OK)
        a->row_failed = chan_send(a->chan, TOOL_DIRECTORY_ROW, &m, NULL, 0);
    buf_clear(&a->row);
}

void admin_row_end(struct admin *a)
{
    if (a->row.n > ADMIN_ROW_BYTES / 2)
        admin_row_send(a);
}

void admin_end(struct admin *a, enum err e, const char *text)
{
    struct admin_done m;
    admin_row_send(a);
    if (e == OK && a->row_failed != OK) {
        e = a->row_failed;
        text = "the answer is longer than one call can carry; ask for less";
    }
    m = (struct admin_done){(uint32_t)e, slice_sub(slice_str(text), 0, TEXT_MAX)};
    a->row_failed = OK;
    a->busy = false;
    IGNORE_RESULT(chan_send(a->chan, TOOL_DIRECTORY_DONE, &m, NULL, 0), "the caller is gone");
}

static void admin_json_name(struct buf *b, const char *name)
{
    if (b->n && b->p[b->n - 1] != '{')
        buf_byte(b, ',');
    journal_event_json(b, slice_str(name));
    buf_byte(b, ':');
}

void admin_json_text(struct buf *b, const char *name, slice value)
{
    admin_json_name(b, name);
    journal_event_json(b, value);
}

void admin_json_u64(struct buf *b, const char *name, uint64_t value)
{
    admin_json_name(b, name);
    buf_u64(b, value);
}

void admin_json_bool(struct buf *b, const char *name, bool value)
{
    admin_json_name(b, name);
    buf_str(b, value ? "true" : "false");
}

void admin_json_time(struct buf *b, const char *name, time_ms unix_ms)
{
    admin_json_name(b, name);
    buf_byte(b, '"');
    date_print_iso(unix_ms, b);
    buf_byte(b, '"');
}

/* ---- calls */

static const struct admin_verb *admin_find(slice name)
{
    for (size_t i = 0; i < admin_verbs_n; i++)
        if (slice_eq(name, slice_str(admin_verbs[i].name)))
            return &admin_verbs[i];
    for (size_t i = 0; i < admin_forwards_n; i++)
        if (slice_eq(name, slice_str(admin_forwards[i].name)))
            return &admin_forwards[i];
    return admin_words_verb(name);
}

static bool admin_text_good(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] == 127)
            return false;
    return true;
}

static enum err admin_check(const struct admin *a, const struct admin_verb *v, const struct admin_call *m,
                            struct err_detail *detail)
{
    if (!v) {
        err_detail_set(detail,
                       "this server does not know that command; is it older than the posthorn you typed?");
        return ERR_UNSUPPORTED;
    }
    if (a->keeper->role->draining) {
        err_detail_set(detail, "the server is stopping; try again when it runs");
        return ERR_BUSY;
    }
    for (size_t i = 0; i < m->n_args; i++)
        if (!admin_text_good(m->args[i].text)) {
            err_detail_set(detail, "an argument holds a control character");
            return ERR_SYNTAX;
        }
    if (m->n_args < v->args_min || m->n_args > v->args_max) {
        err_detail_set(detail, "%s was called with the wrong number of arguments", v->name);
        return ERR_USAGE;
    }
    return OK;
}

static void admin_message(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                          int *fds, size_t n_fds)
{
    struct admin *a = arg;
    const struct admin_call *m = message;
    const struct admin_verb *v = admin_find(m->verb);
    struct err_detail detail = {""};
    enum err e;
    (void)c, (void)id;
    if (type != TOOL_DIRECTORY_CALL)
        return;
    if (a->busy) {
        struct admin_done no = {ERR_BUSY, SLICE("one call at a time")};
        IGNORE_RESULT(chan_send(a->chan, TOOL_DIRECTORY_DONE, &no, NULL, 0), "the caller is gone");
        return;
    }
    a->busy = true;
    a->any = false;
    a->given = n_fds ? fds[0] : -1; /* closed behind this function */
    e = admin_check(a, v, m, &detail);
    if (e == OK)
        e = v->run(a, m, &detail);
    a->given = -1;
    if (e != ERR_MORE)
        admin_end(a, e, e == OK ? "" : detail.text[0] ? detail.text : err_text(e));
    /* after a failed write the file is opened anew, as the supervisor starts us anew */
    if (directory_broken(a->keeper->store))
        role_fail(a->keeper->role,
                  "the directory database could not be written: the disk refused; starting over");
}

static void admin_free(struct admin *a)
{
    struct house_keeper *k = a->keeper;
    role_forget(k->role, a);
    list_remove(&a->link);
    k->n_admins--;
    chan_free(a->chan);
    buf_done(&a->row);
    free(a);
}

static void admin_closed(void *arg, struct chan *c, enum err e)
{
    struct admin *a = arg;
    struct house_keeper *k = a->keeper;
    bool last = a->last_call;
    (void)c;
    if (e != ERR_CLOSED)
        log_warning("a caller on the control socket broke its rules (%s)", err_name(e));
    admin_free(a);
    if (!last)
        return;
    directory_close(&k->store); /* nobody else can ask: no server runs */
    role_exit(k->role);
}

static void admin_take(struct house_keeper *k, int fd, bool last)
{
    struct admin *a = calloc(1, sizeof *a);
    must(a);
    a->keeper = k;
    a->last_call = last;
    a->given = -1;
    buf_init(&a->row, ADMIN_ROW_BYTES);
    list_append(&k->admins, &a->link);
    k->n_admins++;
    a->chan = chan_new(k->role->loop, fd, &tool_directory_channel, IPC_B, admin_message, admin_closed, a);
}

/* ---- the socket */

/* Root and the user we run as; the file's mode says the same. */
static bool control_may_call(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == 0 || who.uid == geteuid());
}

static void control_ready(void *arg, unsigned ready)
{
    struct house_keeper *k = arg;
    (void)ready;
    for (;;) {
        int fd CLEANUP(fd_done) = accept4(k->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (k->n_admins < CONTROL_CALLERS_MAX && control_may_call(fd))
            admin_take(k, fd_take(&fd), false);
    }
}

enum err control_begin(struct house_keeper *k)
{
    int caller CLEANUP(fd_done) = role_file(k->role, "control-caller");
    k->control_fd = role_file(k->role, "control-socket");
    if (caller >= 0)
        admin_take(k, fd_take(&caller), true);
    if (k->control_fd < 0)
        return OK;
    return loop_io_init(k->role->loop, &k->control_io, k->control_fd, LOOP_READ, control_ready, k);
}

void control_end(struct house_keeper *k)
{
    loop_io_done(&k->control_io);
    fd_done(&k->control_fd);
    LIST_EACH_SAFE(it, &k->admins)
    admin_free(LIST_OF(it, struct admin, link));
}
