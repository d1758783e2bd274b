/* See account_testing.h. */
#include "account_testing.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

slice message_new(unsigned number, size_t bytes)
{
    size_t room = bytes + 512;
    char *p = malloc(room);
    must(p != NULL);
    int n = snprintf(p, room,
                     "Received: from a by b; Tue, 3 Mar 2026 10:00:00 +0000\r\n"
                     "From: Person %u <person%u@example.com>\r\nTo: bob@demo.test\r\n"
                     "Subject: Message number %u\r\nDate: Tue, 3 Mar 2026 10:00:00 +0100\r\n"
                     "Message-ID: <m%u@example.com>\r\n\r\n",
                     number, number, number, number);
    size_t at = (size_t)n;
    for (unsigned line = 0; at + 80 < room - 400 || line == 0; line++)
        at += (size_t)snprintf(p + at, room - at, "Line %u of message %u, %u.\r\n", line, number,
                               (line + 1) * 2654435761u * (number + 1));
    return slice_of(p, at);
}

void message_free(slice m)
{
    free((void *)(uintptr_t)m.p);
}

struct account_db *open_account_with(const struct account_options *o)
{
    struct account_db *db = NULL;
    struct err_detail d = {{0}};
    enum err e = account_db_open(o, &db, &d);
    if (e != OK)
        print_error("%s: %s\n", err_name(e), d.text);
    assert_int_equal(e, OK);
    return db;
}

struct account_db *open_account(void)
{
    return open_account_with(&(struct account_options){.path = "account.db", .vfs = SHIM_VFS, .now = T0});
}

enum err put_once(struct account_store *s, uint64_t mailbox, slice message, uint64_t mail_id, slice recipient,
                  struct account_added *out)
{
    struct account_batch *b = NULL;
    const struct account_message m = {.mailbox = mailbox,
                                      .pieces = &message,
                                      .pieces_n = 1,
                                      .internal_at = T0,
                                      .mail_id = mail_id,
                                      .recipient = recipient};
    enum err e = account_batch_begin(s, &b);
    if (e == OK)
        e = account_batch_add(b, &m, out);
    if (e == OK)
        e = account_batch_commit(&b);
    account_batch_drop(&b);
    return e;
}

enum err put(struct account_store *s, uint64_t mailbox, slice message, flag_set flags,
             struct account_added *out)
{
    struct account_batch *b = NULL;
    const struct account_message m = {
        .mailbox = mailbox, .pieces = &message, .pieces_n = 1, .internal_at = T0, .flags = flags};
    enum err e = account_batch_begin(s, &b);
    if (e == OK)
        e = account_batch_add(b, &m, out);
    if (e == OK)
        e = account_batch_commit(&b);
    account_batch_drop(&b);
    return e;
}

/* --- the oracle */

struct named {
    uint64_t mailbox, content;
    uint32_t uidvalidity, uid;
};
struct oracle {
    struct named *at;
    size_t n, room;
};

struct oracle *oracle_new(void)
{
    struct oracle *o = calloc(1, sizeof *o);
    must(o != NULL);
    return o;
}

void oracle_free(struct oracle *o)
{
    free(o->at);
    free(o);
}

static void oracle_note(struct oracle *o, struct named x)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->at[i].mailbox == x.mailbox && o->at[i].uidvalidity == x.uidvalidity && o->at[i].uid == x.uid) {
            assert_true(o->at[i].content == x.content);
            return;
        }
    if (o->n == o->room) {
        o->room = o->room * 2 + 16;
        o->at = reallocarray(o->at, o->room, sizeof *o->at);
        must(o->at != NULL);
    }
    o->at[o->n++] = x;
}

/* A hash of the whole content, read in small pieces; 0 when damaged. */
static uint64_t content(struct account_store *s, uint64_t message, uint32_t bytes)
{
    struct account_body *b = NULL;
    struct hash_key key = {1, 2};
    uint64_t hash = 3;
    if (account_body_open(s, message, &b) != OK)
        return 0;
    for (uint64_t at = 0; at < bytes;) {
        slice piece;
        if (account_body_read(b, at, 1000, &piece) != OK || piece.n == 0) {
            hash = 0;
            break;
        }
        key.k1 = hash;
        hash = hash_slice(&key, piece);
        at += piece.n;
    }
    account_body_close(&b);
    return hash;
}

void oracle_check(struct oracle *o, struct account_store *s)
{
    struct account_quota quota;
    uint64_t all_bytes = 0, all_messages = 0;
    const struct mailbox_info *m;
    for (size_t i = 0; (m = account_mailbox_at(s, i)); i++) {
        struct mailbox_view *v = NULL;
        uint64_t bytes = 0;
        uint32_t unseen = 0, deleted = 0;
        assert_int_equal(account_view_open(s, m->id, &v), OK);
        for (size_t k = 0; k < v->n; k++) {
            uint64_t hash = content(s, v->message[k], v->bytes[k]);
            assert_true(hash != 0);
            if (o)
                oracle_note(o, (struct named){m->id, hash, v->uidvalidity, v->uid[k]});
            assert_true(v->uid[k] < v->uidnext && (k == 0 || v->uid[k] > v->uid[k - 1]));
            assert_true(v->modseq[k] <= m->modseq && v->modseq[k] > 0);
            bytes += v->bytes[k];
            unseen += !(v->flags[k] & FLAG_SEEN);
            deleted += !!(v->flags[k] & FLAG_DELETED);
        }
        assert_int_equal(m->messages, v->n);
        assert_int_equal(m->bytes, bytes);
        assert_int_equal(m->unseen, unseen);
        assert_int_equal(m->deleted, deleted);
        all_bytes += bytes;
        all_messages += v->n;
        account_view_close(s, &v);
    }
    assert_int_equal(account_quota(s, &quota), OK);
    assert_int_equal(quota.bytes, all_bytes);
    assert_int_equal(quota.messages, all_messages);
}

size_t read_all(struct account_store *s, size_t *out_damaged)
{
    size_t good = 0, bad = 0;
    const struct mailbox_info *m;
    for (size_t i = 0; (m = account_mailbox_at(s, i)); i++) {
        struct mailbox_view *v = NULL;
        if (account_view_open(s, m->id, &v) != OK)
            continue;
        for (size_t k = 0; k < v->n; k++)
            if (content(s, v->message[k], v->bytes[k]))
                good++;
            else
                bad++;
        account_view_close(s, &v);
    }
    *out_damaged = bad;
    return good;
}
