#include "unit/proc/imap_kit.h"

#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

time_ms imap_kit_now = (time_ms)1790000000000;

static time_ms kit_now(void)
{
    return imap_kit_now;
}

void imap_kit_start(struct imap_kit *k)
{
    struct account_options o = {.now = imap_kit_now};
    struct err_detail detail = {""};
    char path[128];
    *k = (struct imap_kit){
        .folder = "/dev/shm/posthorn-imap-XXXXXX"}; /* in memory: what is tested is not the disk */
    if (!mkdtemp(k->folder)) {
        (void)snprintf(k->folder, sizeof k->folder, "/tmp/posthorn-imap-XXXXXX");
        must(mkdtemp(k->folder) != NULL);
    }
    (void)snprintf(path, sizeof path, "%s/account.db", k->folder);
    o.path = path;
    db_setup();
    assert_int_equal(account_db_open(&o, &k->db, &detail), OK);
    k->host = (struct imap_host){.loop = loop_new(),
                                 .db = k->db,
                                 .address = SLICE_INIT("alice@demo.test"),
                                 .hostname = SLICE_INIT("mx.demo.test"),
                                 .message_bytes = (uint64_t)50 << 20,
                                 .now = kit_now};
    list_init(&k->host.sessions);
    for (int i = 0; i < IMAP_KIT_CLIENTS; i++) {
        k->fd[i] = -1;
        buf_init(&k->got[i], (size_t)256 << 20);
    }
}

void imap_kit_stop(struct imap_kit *k)
{
    static const char *const files[] = {"account.db", "account.db-wal", "account.db-shm",
                                        "account.db-journal"};
    imap_sessions_drop(&k->host);
    assert_int_equal(k->host.count, 0);
    for (int i = 0; i < IMAP_KIT_CLIENTS; i++) {
        if (k->fd[i] >= 0)
            (void)close(k->fd[i]);
        buf_done(&k->got[i]);
    }
    loop_turn(k->host.loop, false);
    loop_free(k->host.loop);
    account_db_close(&k->db);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", k->folder, files[i]);
        (void)unlink(path); /* some are not there */
    }
    (void)rmdir(k->folder);
}

void imap_kit_connect(struct imap_kit *k, int i)
{
    struct imap_start start = {.client_ip = SLICE_INIT("127.0.0.1")};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    start.fd = pair[1];
    assert_int_equal(imap_session_start(&k->host, &start), OK);
    k->fd[i] = pair[0];
    k->closed[i] = false;
    buf_clear(&k->got[i]);
}

static bool kit_read(struct imap_kit *k, int i)
{
    bool some = false;
    while (k->fd[i] >= 0 && !k->closed[i]) {
        uint8_t *p = buf_reserve(&k->got[i], 65536);
        ssize_t n = p ? recv(k->fd[i], p, 65536, MSG_DONTWAIT) : -1;
        if (n < 0)
            break;
        if (n == 0)
            k->closed[i] = true;
        buf_commit(&k->got[i], (size_t)n);
        some = true;
    }
    return some;
}

void imap_kit_pump(struct imap_kit *k)
{
    for (int quiet = 0; quiet < 5;) {
        bool some = false;
        loop_turn(k->host.loop, false);
        for (int i = 0; i < IMAP_KIT_CLIENTS; i++)
            some |= kit_read(k, i);
        quiet = some ? 0 : quiet + 1;
    }
}

void imap_kit_send(struct imap_kit *k, int i, slice s)
{
    while (s.n) {
        ssize_t n = send(k->fd[i], s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            s = slice_from(s, (size_t)n);
        else
            must(errno == EAGAIN);
        if (s.n)
            imap_kit_pump(k);
    }
}

bool imap_kit_line(struct imap_kit *k, int i, struct buf *out)
{
    slice got;
    size_t end;
    for (int turns = 0;; turns++) {
        got = buf_view(&k->got[i]);
        end = slice_find(got, SLICE("\r\n"));
        if (end < got.n)
            break;
        if (k->closed[i] || turns == 2000)
            return false;
        loop_turn(k->host.loop, false);
        for (int j = 0; j < IMAP_KIT_CLIENTS; j++)
            (void)kit_read(k, j);
    }
    buf_clear(out);
    assert_int_equal(buf_append(out, slice_sub(got, 0, end)), OK);
    buf_consume(&k->got[i], end + 2);
    return true;
}

slice imap_kit_ask(struct imap_kit *k, int i, const char *tag, const char *command, struct buf *out)
{
    char head[64];
    size_t scanned = 0;
    int n = snprintf(head, sizeof head, "%s ", tag);
    slice want = slice_of(head, (size_t)n);
    imap_kit_send(k, i, want);
    imap_kit_send(k, i, slice_str(command));
    imap_kit_send(k, i, SLICE("\r\n"));
    buf_clear(out);
    for (int turns = 0; turns < 1000000; turns++) {
        slice got = buf_view(&k->got[i]);
        while (scanned < got.n) {
            slice rest = slice_from(got, scanned);
            size_t end = slice_find(rest, SLICE("\r\n"));
            if (end == rest.n)
                break;
            if (slice_starts(rest, want)) {
                assert_int_equal(buf_append(out, slice_sub(got, 0, scanned + end + 2)), OK);
                buf_consume(&k->got[i], scanned + end + 2);
                return buf_view(out);
            }
            scanned += end + 2;
        }
        if (k->closed[i])
            break;
        loop_turn(k->host.loop, false);
        for (int j = 0; j < IMAP_KIT_CLIENTS; j++)
            (void)kit_read(k, j);
    }
    print_error("no answer to %s %s\n", tag, command);
    fail();
    return (slice){0};
}

void imap_kit_deliver(struct imap_kit *k, const char *mailbox, const char *message)
{
    struct account_store *s = account_store_new(k->db, ACCOUNT_OWNER);
    const struct mailbox_info *m = account_mailbox_find(s, slice_str(mailbox));
    struct account_batch *b = NULL;
    slice body = slice_str(message);
    struct account_message msg = {.pieces = &body, .pieces_n = 1, .internal_at = imap_kit_now};
    struct account_added added;
    assert_non_null(m);
    msg.mailbox = m->id;
    assert_int_equal(account_batch_begin(s, &b), OK);
    assert_int_equal(account_batch_add(b, &msg, &added), OK);
    assert_int_equal(account_batch_commit(&b), OK);
    account_store_free(&s);
}
