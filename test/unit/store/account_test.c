/* The account database as its users see it: mailboxes and their names, adding and reading messages, flags,
 * copies, moves, expunging, events, rights, quota, upkeep. Faults are in account_fault_test.c. */
#include "account_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct account_db *db;
static struct account_store *s;

static int start(void **state)
{
    (void)state;
    shim_reset(1);
    db = open_account();
    s = account_store_new(db, ACCOUNT_OWNER);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    account_store_free(&s);
    account_db_close(&db);
    return 0;
}

static void reopen(void)
{
    account_store_free(&s);
    account_db_close(&db);
    db = open_account();
    s = account_store_new(db, ACCOUNT_OWNER);
}

/* n small messages in INBOX, UIDs 1.. */
static void fill(unsigned n)
{
    struct account_batch *b = NULL;
    struct account_added added;
    assert_int_equal(account_batch_begin(s, &b), OK);
    for (unsigned i = 0; i < n; i++) {
        slice text = message_new(i, 100);
        const struct account_message m = {
            .mailbox = account_inbox(s), .pieces = &text, .pieces_n = 1, .internal_at = T0 + i * MS_SECOND};
        assert_int_equal(account_batch_add(b, &m, &added), OK);
        assert_int_equal(added.uid, i + 1);
        message_free(text);
    }
    assert_int_equal(account_batch_commit(&b), OK);
}

static uint64_t mailbox(const char *name)
{
    const struct mailbox_info *m = account_mailbox_find(s, slice_str(name));
    assert_non_null(m);
    return m->id;
}

static struct uid_set range(struct uid_range *r, uint32_t first, uint32_t last)
{
    *r = (struct uid_range){first, last};
    return (struct uid_set){r, 1};
}

/* --- mailboxes */

static void a_new_account_has_its_mailboxes(void **state)
{
    (void)state;
    const char *const names[] = {"Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"};
    const struct mailbox_info *m;
    size_t n = 0;
    for (; (m = account_mailbox_at(s, n)); n++) {
        assert_slice(m->name, names[n]);
        assert_true(m->subscribed);
        assert_int_equal(m->uidnext, 1);
        assert_true(m->uidvalidity >= T0 / 1000);
    }
    assert_int_equal(n, 6);
    assert_int_equal(account_special(s, SPECIAL_TRASH), mailbox("Trash"));
    assert_int_equal(account_special(s, SPECIAL_FLAGGED), 0);
    assert_int_equal(account_inbox(s), mailbox("inBOX"));
}

static void names_are_checked(void **state)
{
    (void)state;
    const char *const bad[] = {"",     "/",    "a/",        "/a",    "a//b",        "a\nb",
                               "\x7f", "\xff", "a\xc2\x85", "\xc3(", "\xed\xa0\x80"};
    char deep[80] = "a", longest[ACCOUNT_NAME_BYTES_MAX + 2];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(account_name_ok(slice_str(bad[i])));
    assert_false(account_name_ok(slice_of("a\0b", 3)));
    for (int i = 1; i < ACCOUNT_NAME_LEVELS_MAX; i++)
        (void)snprintf(deep + strlen(deep), 3, "/a");
    assert_true(account_name_ok(slice_str(deep)));
    (void)snprintf(deep + strlen(deep), 3, "/a");
    assert_false(account_name_ok(slice_str(deep)));
    memset(longest, 'x', sizeof longest);
    assert_true(account_name_ok(slice_of(longest, ACCOUNT_NAME_BYTES_MAX)));
    assert_false(account_name_ok(slice_of(longest, ACCOUNT_NAME_BYTES_MAX + 1)));
    assert_true(account_name_ok(slice_str("Gr\xc3\xbc\xc3\x9f"
                                          "e \xe5\x8f\xb0/&%*")));
    uint64_t id = 0;
    assert_int_equal(account_mailbox_create(s, slice_str("a//b"), 0, T0, &id), ERR_SYNTAX);
    assert_int_equal(id, 0);
}

static void creating_makes_the_levels_above(void **state)
{
    (void)state;
    uint64_t id = 0, again = 0;
    assert_int_equal(account_mailbox_create(s, SLICE("work/2026/may"), SPECIAL_ARCHIVE, T0, &id), OK);
    assert_int_equal(account_mailbox_create(s, SLICE("work/2026"), 0, T0, &again), ERR_EXISTS);
    assert_int_equal(account_mailbox_create(s, SLICE("inbox"), 0, T0, &again), ERR_EXISTS);
    assert_int_equal(account_mailbox_create(s, SLICE("Inbox/sub"), 0, T0, &again), OK);
    reopen();
    assert_int_equal(mailbox("work/2026/may"), id);
    assert_int_equal(mailbox("INBOX/sub"), again);
    assert_int_equal(account_mailbox_get(s, id)->special, SPECIAL_ARCHIVE);
    assert_int_equal(account_mailbox_get(s, mailbox("work"))->special, 0);
    assert_true(account_mailbox_has_children(s, SLICE("work")));
    assert_true(account_mailbox_has_children(s, SLICE("work/2026")));
    assert_false(account_mailbox_has_children(s, SLICE("work/2026/may")));
    assert_false(account_mailbox_has_children(s, SLICE("wor")));
}

static void children_are_found_behind_similar_names(void **state)
{
    (void)state;
    uint64_t id;
    assert_int_equal(account_mailbox_create(s, SLICE("a b"), 0, T0, &id), OK);
    assert_int_equal(account_mailbox_create(s, SLICE("a-b"), 0, T0, &id), OK);
    assert_int_equal(account_mailbox_create(s, SLICE("a"), 0, T0, &id), OK);
    assert_false(account_mailbox_has_children(s, SLICE("a")));
    assert_int_equal(account_mailbox_create(s, SLICE("a/z"), 0, T0, &id), OK);
    assert_true(account_mailbox_has_children(s, SLICE("a")));
}

static void uidvalidity_is_never_used_again(void **state)
{
    (void)state;
    uint64_t id, id2;
    uint32_t seen[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(account_mailbox_create(s, SLICE("x"), 0, i % 2 ? T0 : T0 - MS_DAY, &id), OK);
        seen[i] = account_mailbox_get(s, id)->uidvalidity;
        for (int k = 0; k < i; k++)
            assert_int_not_equal(seen[i], seen[k]);
        assert_int_equal(account_mailbox_delete(s, id, T0), OK);
        assert_null(account_mailbox_get(s, id));
        reopen();
    }
    assert_int_equal(account_mailbox_create(s, SLICE("x"), 0, T0, &id2), OK);
    assert_int_not_equal(id, id2);
}

static void renaming_takes_children_along(void **state)
{
    (void)state;
    uint64_t a, child, id;
    assert_int_equal(account_mailbox_create(s, SLICE("a/b/c"), 0, T0, &child), OK);
    a = mailbox("a");
    assert_int_equal(account_mailbox_create(s, SLICE("ab"), 0, T0, &id), OK);
    uint32_t validity = account_mailbox_get(s, child)->uidvalidity;
    assert_int_equal(account_mailbox_rename(s, a, SLICE("ab"), T0), ERR_EXISTS);
    assert_int_equal(account_mailbox_rename(s, a, SLICE("a/x"), T0), ERR_SYNTAX);
    assert_int_equal(account_mailbox_rename(s, a, SLICE("new/place"), T0), OK);
    assert_int_equal(mailbox("new/place/b/c"), child);
    assert_int_equal(account_mailbox_get(s, child)->uidvalidity, validity);
    assert_null(account_mailbox_find(s, SLICE("a")));
    assert_int_equal(mailbox("ab"), id);
    assert_int_not_equal(mailbox("new"), 0);
    reopen();
    assert_int_equal(mailbox("new/place/b/c"), child);
    assert_null(account_mailbox_find(s, SLICE("a/b")));
}

static void renaming_inbox_moves_its_messages(void **state)
{
    (void)state;
    struct oracle *o = oracle_new();
    struct mailbox_view *v = NULL;
    fill(300);
    oracle_check(o, s);
    uint64_t inbox = account_inbox(s);
    uint32_t next = account_mailbox_get(s, inbox)->uidnext;
    assert_int_equal(account_view_open(s, inbox, &v), OK);
    assert_int_equal(account_mailbox_rename(s, inbox, SLICE("old"), T0), OK);
    assert_int_equal(v->n, 0);
    account_view_close(s, &v);
    assert_int_equal(account_inbox(s), inbox);
    assert_int_equal(account_mailbox_get(s, inbox)->messages, 0);
    assert_int_equal(account_mailbox_get(s, inbox)->uidnext, next);
    assert_int_equal(account_mailbox_get(s, mailbox("old"))->messages, 300);
    oracle_check(o, s);
    reopen();
    oracle_check(o, s);
    oracle_free(o);
}

static void inbox_cannot_be_deleted(void **state)
{
    (void)state;
    assert_int_equal(account_mailbox_delete(s, account_inbox(s), T0), ERR_DENIED);
    assert_int_equal(account_mailbox_delete(s, 4711, T0), ERR_NOT_FOUND);
}

static void subscriptions_stay_when_mailboxes_go(void **state)
{
    (void)state;
    slice name;
    size_t n = 0;
    bool found = false;
    uint64_t id;
    assert_int_equal(account_mailbox_create(s, SLICE("x"), 0, T0, &id), OK);
    assert_false(account_mailbox_get(s, id)->subscribed);
    assert_int_equal(account_subscribe(s, SLICE("x"), true), OK);
    assert_int_equal(account_subscribe(s, SLICE("not/there"), true), OK);
    assert_int_equal(account_subscribe(s, SLICE("Drafts"), false), OK);
    assert_true(account_mailbox_get(s, id)->subscribed);
    assert_int_equal(account_mailbox_delete(s, id, T0), OK);
    reopen();
    for (; account_subscription_at(s, n, &name); n++)
        found = found || slice_eq(name, SLICE("x"));
    assert_int_equal(n, 7);
    assert_true(found);
    assert_false(account_mailbox_get(s, mailbox("Drafts"))->subscribed);
    assert_int_equal(account_mailbox_create(s, SLICE("x"), 0, T0, &id), OK);
    assert_true(account_mailbox_get(s, id)->subscribed);
}

/* --- messages */

static void messages_come_back_as_they_were(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 100, 16000, 16384, 70000, 200000};
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        slice text = message_new(i, sizes[i]);
        struct account_added added;
        struct account_body *b = NULL;
        slice piece;
        assert_int_equal(put(s, account_inbox(s), text, FLAG_SEEN, &added), OK);
        assert_int_equal(added.uid, i + 1);
        assert_int_equal(account_body_open(s, added.message, &b), OK);
        assert_int_equal(account_body_bytes(b), text.n);
        for (size_t at = 0; at < text.n; at += piece.n) { /* odd steps, across the ends of chunks */
            assert_int_equal(account_body_read(b, at, 777, &piece), OK);
            assert_true(piece.n > 0 && piece.n <= 777);
            assert_slices(piece, slice_sub(text, at, at + piece.n));
        }
        for (size_t at = text.n; at-- > 0; at -= at < 5000 ? at : 5000) { /* backwards */
            assert_int_equal(account_body_read(b, at, 1, &piece), OK);
            assert_slices(piece, slice_sub(text, at, at + 1));
        }
        assert_int_equal(account_body_read(b, text.n, 10, &piece), OK);
        assert_int_equal(piece.n, 0);
        account_body_close(&b);
        message_free(text);
    }
}

static void empty_and_odd_messages_are_kept(void **state)
{
    (void)state;
    const slice odd[] = {
        {NULL, 0}, SLICE_INIT("\r\n"), SLICE_INIT("no header at all"), SLICE_INIT("\0\0\377\0")};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        struct account_added added;
        struct account_body *b = NULL;
        slice piece;
        assert_int_equal(put(s, account_inbox(s), odd[i], 0, &added), OK);
        assert_int_equal(account_body_open(s, added.message, &b), OK);
        assert_int_equal(account_body_read(b, 0, 1000, &piece), OK);
        assert_slices(piece, odd[i]);
        account_body_close(&b);
    }
}

static void pieces_count_as_one(void **state)
{
    (void)state;
    slice text = message_new(5, 100000);
    slice pieces[4] = {slice_sub(text, 0, 70), slice_sub(text, 70, 70), slice_sub(text, 70, 66000),
                       slice_from(text, 66000)};
    const struct account_message m = {
        .mailbox = account_inbox(s), .pieces = pieces, .pieces_n = 4, .internal_at = T0};
    struct account_batch *b = NULL;
    struct account_added added;
    assert_int_equal(account_batch_begin(s, &b), OK);
    assert_int_equal(account_batch_add(b, &m, &added), OK);
    assert_int_equal(account_batch_commit(&b), OK);
    struct account_body *body = NULL;
    assert_int_equal(account_body_open(s, added.message, &body), OK);
    slice piece;
    for (size_t at = 0; at < text.n; at += piece.n) {
        assert_int_equal(account_body_read(body, at, SIZE_MAX, &piece), OK);
        assert_slices(piece, slice_sub(text, at, at + piece.n));
    }
    account_body_close(&body);
    message_free(text);
}

static void what_was_parsed_is_kept(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_done);
    struct message_meta m;
    struct account_added added;
    arena_init(&a, "test", 1 << 20);
    slice text = SLICE("From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>\r\nTo: a@b.c, \"D, E\" <d@e.f>\r\n"
                       "Subject: Re: =?utf-8?b?w6TDtg==?=\r\nDate: Tue, 3 Mar 2026 10:00:00 +0130\r\n"
                       "Message-ID: <x@y>\r\nContent-Type: text/plain\r\n\r\nHello there.\r\n");
    assert_int_equal(put(s, account_inbox(s), text, 0, &added), OK);
    reopen();
    assert_int_equal(account_meta_read(s, added.message, &a, &m), OK);
    assert_int_equal(m.bytes, text.n);
    assert_int_equal(m.header_bytes, text.n - 14);
    assert_slice(m.subject, "Re: \xc3\xa4\xc3\xb6");
    assert_slice(m.message_id, "x@y");
    assert_slice(m.from, "J\xc3\xbcrgen <j@example.com>");
    assert_slice(m.to, "<a@b.c>, D, E <d@e.f>");
    assert_slice(m.preview, "Hello there.");
    assert_true(m.has_date && m.is_reply && !m.has_attachment);
    assert_int_equal(m.sent_zone, 90);
    assert_int_equal(m.added_at, T0);
    assert_true(slice_find(m.envelope, SLICE("NIL")) < m.envelope.n && m.envelope.p[0] == '(');
    assert_true(slice_find_nocase(m.bodystructure, SLICE("\"plain\"")) < m.bodystructure.n);
    assert_true(m.part_table.n > 0);
    assert_int_equal(account_meta_read(s, added.message + 1, &a, &m), ERR_NOT_FOUND);
}

static uint64_t thread_of(const char *text)
{
    struct arena a CLEANUP(arena_done);
    struct message_meta m;
    struct account_added added;
    arena_init(&a, "test", 1 << 20);
    assert_int_equal(put(s, account_inbox(s), slice_str(text), 0, &added), OK);
    assert_int_equal(account_meta_read(s, added.message, &a, &m), OK);
    return m.thread;
}

static void replies_join_their_thread(void **state)
{
    (void)state;
    uint64_t first = thread_of("Message-ID: <1@x>\r\nSubject: plan\r\n\r\n");
    assert_int_equal(thread_of("Message-ID: <2@x>\r\nSubject: Re: plan\r\nIn-Reply-To: <1@x>\r\n\r\n"),
                     first);
    assert_int_equal(thread_of("Message-ID: <4@x>\r\nSubject: RE: plan\r\nReferences: <1@x> <3@x>\r\n\r\n"),
                     first);
    /* came late, was named before */
    assert_int_equal(thread_of("Message-ID: <3@x>\r\nSubject: Re: plan\r\n\r\n"), first);
    assert_true(thread_of("Message-ID: <5@x>\r\nSubject: lunch\r\nReferences: <1@x>\r\n\r\n") != first);
    assert_true(thread_of("Message-ID: <6@x>\r\nSubject: plan\r\n\r\n") != first);
    assert_true(thread_of("Subject: plan\r\n\r\n") != first);
}

static void a_batch_is_all_or_nothing(void **state)
{
    (void)state;
    struct account_batch *b = NULL;
    struct account_added added;
    slice text = message_new(1, 100);
    struct account_message m = {
        .mailbox = account_inbox(s), .pieces = &text, .pieces_n = 1, .internal_at = T0};
    assert_int_equal(account_batch_begin(s, &b), OK);
    for (int i = 0; i < 300; i++)
        assert_int_equal(account_batch_add(b, &m, &added), OK);
    struct account_batch *other = NULL;
    assert_int_equal(account_batch_begin(s, &other), ERR_STATE);
    account_batch_drop(&b);
    oracle_check(NULL, s);
    assert_int_equal(account_mailbox_get(s, m.mailbox)->uidnext, 1);
    assert_int_equal(account_batch_begin(s, &b), OK);
    m.mailbox = 4711;
    assert_int_equal(account_batch_add(b, &m, &added), ERR_NOT_FOUND); /* only this one */
    m.mailbox = mailbox("Sent");
    assert_int_equal(account_batch_add(b, &m, &added), OK);
    assert_int_equal(account_batch_commit(&b), OK);
    assert_int_equal(account_mailbox_get(s, m.mailbox)->messages, 1);
    message_free(text);
}

static void a_second_hand_over_adds_nothing(void **state)
{
    (void)state;
    struct account_added one, two;
    slice text = message_new(1, 100);
    assert_int_equal(put_once(s, account_inbox(s), text, 99, SLICE("bob@demo.test"), &one), OK);
    assert_false(one.duplicate);
    reopen();
    assert_int_equal(put_once(s, account_inbox(s), text, 99, SLICE("bob@demo.test"), &two), OK);
    assert_true(two.duplicate);
    assert_int_equal(two.uid, one.uid);
    assert_int_equal(two.uidvalidity, one.uidvalidity);
    assert_int_equal(put_once(s, account_inbox(s), text, 99, SLICE("bob+list@demo.test"), &two), OK);
    assert_false(two.duplicate);
    assert_int_equal(put_once(s, account_inbox(s), text, 100, SLICE("bob@demo.test"), &two), OK);
    assert_false(two.duplicate);
    assert_int_equal(account_mailbox_get(s, account_inbox(s))->messages, 3);
    message_free(text);
}

/* --- flags */

static void keywords_have_one_bit_each(void **state)
{
    (void)state;
    flag_set a, b, c;
    assert_int_equal(account_keyword(s, SLICE("$Junk"), false, &a), ERR_NOT_FOUND);
    assert_int_equal(account_keyword(s, SLICE("$Junk"), true, &a), OK);
    assert_int_equal(account_keyword(s, SLICE("$junk"), true, &b), OK);
    assert_int_equal(account_keyword(s, SLICE("work"), true, &c), OK);
    assert_true(a == b && a != c && a == (flag_set)1 << FLAG_KEYWORD0);
    assert_int_equal(account_keyword(s, SLICE("two words"), true, &c), ERR_SYNTAX);
    assert_int_equal(account_keyword(s, SLICE("\\Seen"), true, &c), ERR_SYNTAX);
    assert_int_equal(account_keyword(s, SLICE(""), true, &c), ERR_SYNTAX);
    reopen();
    assert_slice(account_keyword_name(s, 0), "$Junk");
    assert_slice(account_keyword_name(s, 1), "work");
    assert_slice(account_keyword_name(s, 2), "");
    for (size_t i = account_keyword_count(s); i < ACCOUNT_KEYWORDS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "k%zu", i);
        assert_int_equal(account_keyword(s, slice_str(name), true, &c), OK);
    }
    assert_true(c == (flag_set)1 << 63);
    assert_int_equal(account_keyword(s, SLICE("one.more"), true, &c), ERR_LIMIT);
}

static void flags_change_and_stay(void **state)
{
    (void)state;
    struct uid_range r;
    struct mailbox_view *v = NULL;
    uint64_t modseq = 0, before;
    struct flag_change add = {FLAGS_ADD, FLAG_SEEN | FLAG_DELETED, UINT64_MAX};
    fill(600);
    uint64_t inbox = account_inbox(s);
    before = account_modseq(s);
    assert_int_equal(account_flags(s, inbox, range(&r, 200, 400), &add, &modseq, NULL), OK);
    assert_int_equal(modseq, before + 1);
    assert_int_equal(account_flags(s, inbox, range(&r, 200, 400), &add, &modseq, NULL), OK);
    assert_int_equal(modseq, 0); /* nothing was different */
    assert_int_equal(account_modseq(s), before + 1);
    struct flag_change remove = {FLAGS_REMOVE, FLAG_DELETED, UINT64_MAX};
    assert_int_equal(account_flags(s, inbox, range(&r, 300, UINT32_MAX), &remove, &modseq, NULL), OK);
    struct flag_change set = {FLAGS_SET, FLAG_FLAGGED, UINT64_MAX};
    assert_int_equal(account_flags(s, inbox, range(&r, 250, 250), &set, &modseq, NULL), OK);
    assert_int_equal(account_mailbox_get(s, inbox)->unseen, 600 - 200);
    assert_int_equal(account_mailbox_get(s, inbox)->deleted, 99);
    reopen();
    oracle_check(NULL, s);
    assert_int_equal(account_view_open(s, inbox, &v), OK);
    for (uint32_t uid = 1; uid <= 600; uid++) {
        flag_set want = uid == 250               ? FLAG_FLAGGED
                        : uid < 200 || uid > 400 ? 0
                        : uid < 300              ? FLAG_SEEN | FLAG_DELETED
                                                 : FLAG_SEEN;
        assert_int_equal(v->flags[mailbox_view_at(v, uid)], want);
    }
    assert_int_equal(v->modseq[249], modseq);
    account_view_close(s, &v);
}

static void unchanged_since_refuses_what_changed(void **state)
{
    (void)state;
    struct uid_range r;
    struct buf failed;
    uint64_t modseq = 0;
    fill(5);
    buf_init(&failed, 1000);
    uint64_t since = account_modseq(s);
    struct flag_change seen = {FLAGS_ADD, FLAG_SEEN, UINT64_MAX}, draft = {FLAGS_ADD, FLAG_DRAFT, since};
    assert_int_equal(account_flags(s, account_inbox(s), range(&r, 3, 3), &seen, &modseq, NULL), OK);
    assert_int_equal(account_flags(s, account_inbox(s), range(&r, 1, 5), &draft, &modseq, &failed), OK);
    uint32_t uid = 3;
    assert_slices(buf_view(&failed), slice_of(&uid, sizeof uid));
    struct mailbox_view *v = NULL;
    assert_int_equal(account_view_open(s, account_inbox(s), &v), OK);
    assert_int_equal(v->flags[2], FLAG_SEEN);
    assert_int_equal(v->flags[3], FLAG_DRAFT);
    account_view_close(s, &v);
    buf_done(&failed);
}

static void recent_is_told_once(void **state)
{
    (void)state;
    uint32_t first = 0;
    struct account_store *guest = account_store_new(db, ACCOUNT_READ);
    fill(3);
    assert_int_equal(account_take_recent(guest, account_inbox(s), &first), OK);
    assert_int_equal(first, 1); /* EXAMINE takes nothing */
    assert_int_equal(account_take_recent(s, account_inbox(s), &first), OK);
    assert_int_equal(first, 1);
    assert_int_equal(account_take_recent(s, account_inbox(s), &first), OK);
    assert_int_equal(first, 4);
    account_store_free(&guest);
}

/* --- copying, moving, expunging */

static void expunging_hides(void **state)
{
    (void)state;
    struct oracle *o = oracle_new();
    struct uid_range r;
    uint64_t modseq, message = 0;
    uint32_t date = 0;
    size_t n = 0;
    struct flag_change del = {FLAGS_ADD, FLAG_DELETED, UINT64_MAX};
    fill(700);
    oracle_check(o, s);
    uint64_t inbox = account_inbox(s);
    assert_int_equal(account_flags(s, inbox, range(&r, 2, 650), &del, &modseq, NULL), OK);
    assert_int_equal(account_expunge(s, inbox, range(&r, 100, 300), true, T0, &n), OK);
    assert_int_equal(n, 201);
    assert_int_equal(account_expunge(s, inbox, range(&r, 1, 1), true, T0, &n), OK);
    assert_int_equal(n, 0);
    assert_int_equal(account_expunge(s, inbox, range(&r, 1, UINT32_MAX), true, T0, &n), OK);
    assert_int_equal(n, 649 - 201);
    oracle_check(o, s);
    assert_int_equal(account_expunged_find(s, inbox, 250, &message, &date), OK);
    assert_true(message > 0);
    assert_int_equal(account_expunged_find(s, inbox, 1, &message, &date), ERR_NOT_FOUND);
    struct account_body *b = NULL;
    assert_int_equal(account_body_open(s, message, &b), OK);
    account_body_close(&b);
    reopen();
    oracle_check(o, s);
    assert_int_equal(account_mailbox_get(s, inbox)->messages, 51);
    struct account_added added;
    slice text = message_new(9999, 100);
    assert_int_equal(put(s, inbox, text, 0, &added), OK);
    assert_int_equal(added.uid, 701);
    message_free(text);
    oracle_check(o, s);
    oracle_free(o);
}

static void copies_share_their_content(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_done);
    struct account_copied c = {0};
    struct mailbox_view *v = NULL, *w = NULL;
    struct uid_range r[2] = {{10, 20}, {500, 900}};
    struct oracle *o = oracle_new();
    arena_init(&a, "test", 1 << 20);
    fill(600);
    oracle_check(o, s);
    uint64_t to = mailbox("Archive");
    assert_int_equal(account_copy(s, account_inbox(s), (struct uid_set){r, 2}, to, false, T0, &a, &c), OK);
    assert_int_equal(c.n, 11 + 101);
    assert_int_equal(c.first, 1);
    assert_int_equal(c.uids[11], 500);
    assert_int_equal(c.uidvalidity, account_mailbox_get(s, to)->uidvalidity);
    assert_int_equal(account_view_open(s, account_inbox(s), &v), OK);
    assert_int_equal(account_view_open(s, to, &w), OK);
    assert_int_equal(w->message[11], v->message[499]);
    assert_int_equal(w->date[11], v->date[499]);
    account_view_close(s, &v);
    account_view_close(s, &w);
    oracle_check(o, s);
    /* into itself */
    assert_int_equal(account_copy(s, to, (struct uid_set){r, 1}, to, false, T0, &a, &c), OK);
    assert_int_equal(c.first, 113);
    assert_int_equal(account_copy(s, to, (struct uid_set){r, 1}, 4711, false, T0, &a, &c), ERR_NOT_FOUND);
    reopen();
    oracle_check(o, s);
    oracle_free(o);
}

static void moving_is_one_step(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_done);
    struct account_copied c = {0};
    struct uid_range r;
    struct oracle *o = oracle_new();
    arena_init(&a, "test", 1 << 20);
    fill(600);
    uint64_t inbox = account_inbox(s), to = mailbox("Trash");
    assert_int_equal(account_copy(s, inbox, range(&r, 101, 400), to, true, T0, &a, &c), OK);
    assert_int_equal(c.n, 300);
    assert_int_equal(account_mailbox_get(s, inbox)->messages, 300);
    assert_int_equal(account_mailbox_get(s, to)->messages, 300);
    oracle_check(o, s);
    /* to where they are: new UIDs at the end */
    assert_int_equal(account_copy(s, inbox, range(&r, 550, 600), inbox, true, T0, &a, &c), OK);
    assert_int_equal(c.first, 601);
    assert_int_equal(account_mailbox_get(s, inbox)->messages, 300);
    oracle_check(o, s);
    reopen();
    oracle_check(o, s);
    oracle_free(o);
}

/* Many small steps against a plain array: views, runs on the disk and counters must agree all along. */
static void random_steps_keep_all_in_order(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_done);
    struct oracle *o = oracle_new();
    struct mailbox_view *v = NULL;
    uint64_t inbox = account_inbox(s), to = mailbox("Archive"), modseq;
    uint32_t x = 12345;
    arena_init(&a, "test", 1 << 20);
    fill(500);
    for (int step = 0; step < 400; step++) {
        x = x * 1664525u + 1013904223u;
        uint32_t uidnext = account_mailbox_get(s, inbox)->uidnext, first = 1 + (x >> 8) % uidnext;
        struct uid_range r = {first, first + (x >> 4) % 40};
        struct account_copied c;
        struct flag_change change = {(enum flag_op)((x >> 20) % 3), 1u << (x >> 24) % 5, UINT64_MAX};
        size_t n;
        if (step % 50 == 0)
            assert_int_equal(account_view_open(s, inbox, &v), OK);
        switch (x >> 28) {
        case 0:
        case 1:
        case 2:
        case 3:
            assert_int_equal(account_expunge(s, inbox, (struct uid_set){&r, 1}, false, T0, &n), OK);
            break;
        case 4:
        case 5:
            assert_int_equal(account_copy(s, inbox, (struct uid_set){&r, 1}, to, true, T0, &a, &c), OK);
            break;
        case 6:
            r = (struct uid_range){1 + first % 50, 40 + first % 50};
            assert_int_equal(account_copy(s, to, (struct uid_set){&r, 1}, inbox, true, T0, &a, &c), OK);
            break;
        case 7:
        case 8:
        case 9:
            assert_int_equal(account_copy(s, inbox, (struct uid_set){&r, 1}, inbox, false, T0, &a, &c), OK);
            break;
        default:
            assert_int_equal(account_flags(s, inbox, (struct uid_set){&r, 1}, &change, &modseq, NULL), OK);
        }
        arena_reset(&a);
        if (step % 50 == 30) {
            oracle_check(o, s);
            account_view_close(s, &v);
            oracle_check(o, s);
        }
        if (step % 100 == 40)
            reopen();
    }
    oracle_check(o, s);
    oracle_free(o);
    account_view_close(s, &v);
}

/* --- events */

struct told {
    struct account_watch watch;
    char log[2000];
    size_t n;
};

static void on_event(struct account_watch *w, const struct account_event *e)
{
    static const char *const kinds[] = {"added",   "flags",   "expunged", "created",
                                        "deleted", "renamed", "changed"};
    struct told *t = LIST_OF(w, struct told, watch);
    t->n += (size_t)snprintf(t->log + t->n, sizeof t->log - t->n, "%s", kinds[e->kind]);
    if (e->n)
        t->n +=
            (size_t)snprintf(t->log + t->n, sizeof t->log - t->n, " %u..%u", e->uids[0], e->uids[e->n - 1]);
    if (e->name.n)
        t->n += (size_t)snprintf(t->log + t->n, sizeof t->log - t->n, " %.*s", SLICE_FMT(e->name));
    if (e->old_name.n)
        t->n += (size_t)snprintf(t->log + t->n, sizeof t->log - t->n, " was %.*s", SLICE_FMT(e->old_name));
    t->n +=
        (size_t)snprintf(t->log + t->n, sizeof t->log - t->n, "%s\n", e->origin == s ? "" : " by another");
    size_t n;
    struct uid_range r = {1, 1};
    assert_int_equal(account_expunge(s, 1, (struct uid_set){&r, 1}, false, T0, &n), ERR_STATE);
}

static void everybody_is_told_once(void **state)
{
    (void)state;
    struct told t = {.watch.fn = on_event}, blind = {.watch.fn = on_event};
    struct uid_range r;
    struct account_copied c;
    struct arena a CLEANUP(arena_done);
    uint64_t modseq, id;
    size_t n;
    arena_init(&a, "test", 1 << 20);
    struct account_store *deliver = account_store_new(db, ACCOUNT_DELIVER);
    account_watch_add(s, &t.watch);
    account_watch_add(deliver, &blind.watch);
    struct flag_change seen = {FLAGS_ADD, FLAG_SEEN, UINT64_MAX};
    slice text = message_new(1, 10);
    struct account_added added;
    fill(4);
    assert_int_equal(put(deliver, account_inbox(s), text, 0, &added), OK);
    message_free(text);
    assert_int_equal(account_flags(s, account_inbox(s), range(&r, 2, 3), &seen, &modseq, NULL), OK);
    assert_int_equal(account_flags(s, account_inbox(s), range(&r, 2, 3), &seen, &modseq, NULL), OK);
    assert_int_equal(account_copy(s, account_inbox(s), range(&r, 2, 3), mailbox("Trash"), true, T0, &a, &c),
                     OK);
    assert_int_equal(account_expunge(s, account_inbox(s), range(&r, 5, 5), false, T0, &n), OK);
    assert_int_equal(account_mailbox_create(s, SLICE("a/b"), 0, T0, &id), OK);
    assert_int_equal(account_mailbox_rename(s, mailbox("a"), SLICE("z"), T0), OK);
    assert_int_equal(account_subscribe(s, SLICE("z/b"), true), OK);
    assert_int_equal(account_mailbox_delete(s, id, T0), OK);
    assert_slice(slice_str(t.log),
                 "added 1..4\nadded 5..5 by another\nflags 2..3\nadded 1..2\nexpunged 2..3\n"
                 "expunged 5..5\ncreated a\ncreated a/b\nrenamed z was a\nrenamed z/b was a/b\n"
                 "changed z/b\ndeleted z/b\n");
    assert_slice(slice_str(blind.log), "");
    account_watch_remove(&t.watch);
    account_watch_remove(&blind.watch);
    account_store_free(&deliver);
}

/* --- rights, quota, space */

static void a_handle_can_do_what_it_may(void **state)
{
    (void)state;
    struct account_store *none = account_store_new(db, 0), *reader = account_store_new(db, ACCOUNT_READ),
                         *deliver = account_store_new(db, ACCOUNT_DELIVER);
    struct uid_range r;
    struct account_added added;
    struct account_copied c;
    struct mailbox_view *v = NULL;
    struct account_body *b = NULL;
    struct message_meta meta;
    struct account_quota q;
    struct arena a CLEANUP(arena_done);
    uint64_t inbox = account_inbox(s), id, modseq;
    uint32_t first;
    flag_set bit;
    size_t n;
    slice text = message_new(1, 10);
    struct flag_change seen = {FLAGS_ADD, FLAG_SEEN, UINT64_MAX};
    arena_init(&a, "test", 1 << 20);
    fill(1);
    struct account_store *all[] = {none, reader, deliver};
    for (int i = 0; i < 3; i++) {
        struct account_store *h = all[i];
        enum err read = h == reader ? OK : ERR_DENIED;
        assert_int_equal(put(h, inbox, text, 0, &added), h == deliver ? OK : ERR_DENIED);
        assert_int_equal(account_flags(h, inbox, range(&r, 1, 1), &seen, &modseq, NULL), ERR_DENIED);
        assert_int_equal(account_expunge(h, inbox, range(&r, 1, 1), false, T0, &n), ERR_DENIED);
        assert_int_equal(account_copy(h, inbox, range(&r, 1, 1), inbox, false, T0, &a, &c), ERR_DENIED);
        assert_int_equal(account_mailbox_create(h, SLICE("x"), 0, T0, &id), ERR_DENIED);
        assert_int_equal(account_mailbox_rename(h, inbox, SLICE("x"), T0), ERR_DENIED);
        assert_int_equal(account_mailbox_delete(h, mailbox("Trash"), T0), ERR_DENIED);
        assert_int_equal(account_mailbox_set_special(h, inbox, 1), ERR_DENIED);
        assert_int_equal(account_subscribe(h, SLICE("x"), true), ERR_DENIED);
        assert_int_equal(account_keyword(h, SLICE("x"), true, &bit), ERR_DENIED);
        assert_int_equal(account_view_open(h, inbox, &v), read);
        if (v)
            account_view_close(h, &v);
        assert_int_equal(account_body_open(h, 1, &b), read);
        account_body_close(&b);
        assert_int_equal(account_meta_read(h, 1, &a, &meta), read);
        assert_int_equal(account_quota(h, &q), read);
        assert_int_equal(account_take_recent(h, inbox, &first), read);
        assert_true((account_mailbox_at(h, 0) != NULL) == (h == reader));
        assert_true((account_mailbox_find(h, SLICE("INBOX")) != NULL) == (h == reader));
        assert_true((account_mailbox_get(h, inbox) != NULL) == (h == reader));
        assert_int_equal(account_inbox(h), inbox);
        account_store_free(&all[i]);
    }
    message_free(text);
}

static void quota_counts_every_copy(void **state)
{
    (void)state;
    slice text = message_new(1, 5000);
    struct account_added added;
    struct account_copied c;
    struct uid_range r;
    struct arena a CLEANUP(arena_done);
    size_t n;
    arena_init(&a, "test", 1 << 20);
    account_db_set_quota(db, 3 * text.n, 0);
    uint64_t inbox = account_inbox(s);
    for (int i = 0; i < 2; i++)
        assert_int_equal(put(s, inbox, text, 0, &added), OK);
    assert_int_equal(account_room(s, text.n), OK);
    assert_int_equal(account_room(s, text.n + 1), ERR_QUOTA);
    assert_int_equal(account_copy(s, inbox, range(&r, 1, 2), inbox, false, T0, &a, &c), ERR_QUOTA);
    assert_int_equal(account_copy(s, inbox, range(&r, 1, 1), inbox, false, T0, &a, &c), OK);
    assert_int_equal(put(s, inbox, text, 0, &added), ERR_QUOTA);
    assert_int_equal(account_copy(s, inbox, range(&r, 1, 3), mailbox("Trash"), true, T0, &a, &c), OK);
    assert_int_equal(account_expunge(s, mailbox("Trash"), range(&r, 1, 1), false, T0, &n), OK);
    assert_int_equal(put(s, inbox, text, 0, &added), OK);
    account_db_set_quota(db, 0, 3);
    assert_int_equal(put(s, inbox, text, 0, &added), ERR_QUOTA);
    assert_int_equal(account_mailbox_delete(s, mailbox("Trash"), T0), OK);
    assert_int_equal(put(s, inbox, text, 0, &added), OK);
    account_db_set_quota(db, 0, 0);
    oracle_check(NULL, s);
    assert_int_equal(account_room(s, ACCOUNT_MESSAGE_BYTES_MAX + 1), ERR_TOO_LARGE);
    message_free(text);
}

static uint64_t disk_left = 1000000;

static uint64_t given_disk(void *arg)
{
    return *(uint64_t *)arg;
}

static void the_reserve_is_for_reading_and_deleting(void **state)
{
    (void)state;
    stop(NULL);
    const struct account_options o = {.path = "account.db",
                                      .vfs = SHIM_VFS,
                                      .now = T0,
                                      .reserve_bytes = 500000,
                                      .disk_free = given_disk,
                                      .disk_free_arg = &disk_left};
    db = open_account_with(&o);
    s = account_store_new(db, ACCOUNT_OWNER);
    slice text = message_new(1, 5000);
    struct account_added added;
    struct uid_range r;
    size_t n;
    uint64_t modseq;
    struct flag_change del = {FLAGS_ADD, FLAG_DELETED, UINT64_MAX};
    fill(10);
    disk_left = 502000;
    assert_int_equal(put(s, account_inbox(s), text, 0, &added), ERR_DISK_FULL);
    assert_int_equal(account_room(s, text.n), ERR_DISK_FULL);
    assert_int_equal(account_flags(s, account_inbox(s), range(&r, 1, 9), &del, &modseq, NULL), OK);
    assert_int_equal(account_expunge(s, account_inbox(s), range(&r, 1, 9), true, T0, &n), OK);
    oracle_check(NULL, s);
    disk_left = 1000000;
    assert_int_equal(put(s, account_inbox(s), text, 0, &added), OK);
    message_free(text);
}

static void the_reserve_file_is_given_up_when_the_disk_is_full(void **state)
{
    (void)state;
    char dir[] = "/tmp/posthorn-account-XXXXXX";
    struct stat st;
    bool more;
    struct account_db *real = NULL;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    disk_left = (uint64_t)100 << 20;
    const struct account_options o = {.path = "account.db",
                                      .now = T0,
                                      .reserve_bytes = 16 << 20,
                                      .disk_free = given_disk,
                                      .disk_free_arg = &disk_left};
    real = open_account_with(&o);
    struct account_store *h = account_store_new(real, ACCOUNT_OWNER);
    struct account_added added;
    struct uid_range r = {1, 1};
    size_t n = 0;
    assert_int_equal(put(h, account_inbox(h), SLICE("x\r\n"), 0, &added), OK);
    assert_int_equal(account_db_idle(real, T0, true, &more), OK);
    assert_int_equal(stat("account.db.reserve", &st), 0);
    assert_true(st.st_blocks * 512 >= 500000 && (st.st_mode & 0777) == 0600);
    disk_left = 4096;
    assert_int_equal(account_expunge(h, account_inbox(h), (struct uid_set){&r, 1}, false, T0, &n), OK);
    assert_int_equal(n, 1);
    assert_int_not_equal(stat("account.db.reserve", &st), 0);
    assert_int_equal(account_db_idle(real, T0, true, &more), OK);
    assert_int_not_equal(stat("account.db.reserve", &st), 0); /* no room for it yet */
    disk_left = (uint64_t)100 << 20;
    assert_int_equal(put(h, account_inbox(h), SLICE("x\r\n"), 0, &added), OK);
    assert_int_equal(account_db_idle(real, T0, true, &more), OK);
    assert_int_equal(stat("account.db.reserve", &st), 0);
    account_store_free(&h);
    account_db_close(&real);
    assert_int_equal(unlink("account.db"), 0);
    assert_int_equal(unlink("account.db.reserve"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* --- upkeep */

static void idle_all(time_ms now)
{
    bool more = true;
    for (int i = 0; i < 1000 && more; i++)
        assert_int_equal(account_db_idle(db, now, true, &more), OK);
    assert_false(more);
}

static void expunged_mail_is_erased_after_its_time_and_no_other(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_done);
    struct account_copied c;
    struct uid_range r;
    struct account_body *b = NULL;
    size_t n;
    arena_init(&a, "test", 1 << 20);
    fill(300);
    uint64_t inbox = account_inbox(s);
    struct mailbox_view *v = NULL;
    assert_int_equal(account_view_open(s, inbox, &v), OK);
    uint64_t alone = v->message[9], copied = v->message[19], kept = v->message[299];
    account_view_close(s, &v);
    assert_int_equal(account_copy(s, inbox, range(&r, 20, 20), mailbox("Archive"), false, T0, &a, &c), OK);
    assert_int_equal(account_expunge(s, inbox, range(&r, 1, 250), false, T0, &n), OK);
    idle_all(T0 + ACCOUNT_KEEP_MS - MS_DAY);
    assert_int_equal(account_body_open(s, alone, &b), OK); /* one day is left */
    account_body_close(&b);
    slice text = message_new(7, 10);
    struct account_added added;
    for (int day = 1; day <= 5; day++) {
        assert_int_equal(put(s, inbox, text, 0, &added), OK);
        idle_all(T0 + ACCOUNT_KEEP_MS + day * MS_DAY);
    }
    message_free(text);
    assert_int_equal(account_body_open(s, alone, &b), ERR_NOT_FOUND);
    assert_int_equal(account_body_open(s, copied, &b), OK);
    account_body_close(&b);
    assert_int_equal(account_body_open(s, kept, &b), OK);
    account_body_close(&b);
    oracle_check(NULL, s);
    reopen();
    oracle_check(NULL, s);
}

/* limit expunged-days 0 */
static void what_is_to_be_kept_no_day_is_erased_soon(void **state)
{
    (void)state;
    struct account_body *b = NULL;
    struct uid_range r;
    size_t n;
    account_store_free(&s);
    account_db_close(&db);
    db = open_account_with(&(struct account_options){
        .path = "account.db", .vfs = SHIM_VFS, .now = T0, .keep_ms = account_keep_ms(0)});
    s = account_store_new(db, ACCOUNT_OWNER);
    fill(3);
    uint64_t inbox = account_inbox(s);
    struct mailbox_view *v = NULL;
    assert_int_equal(account_view_open(s, inbox, &v), OK);
    uint64_t gone = v->message[0], kept = v->message[1];
    account_view_close(s, &v);
    assert_int_equal(account_expunge(s, inbox, range(&r, 1, 1), false, T0, &n), OK);
    for (int day = 1; day <= 3; day++)
        idle_all(T0 + day * MS_DAY);
    assert_int_equal(account_body_open(s, gone, &b), ERR_NOT_FOUND);
    assert_int_equal(account_body_open(s, kept, &b), OK);
    account_body_close(&b);
    assert_true(account_keep_ms(30) == ACCOUNT_KEEP_MS &&
                account_keep_ms(UINT64_MAX) > account_keep_ms(36499));
}

static void space_comes_back(void **state)
{
    (void)state;
    slice text = message_new(3, 60000);
    struct account_added added;
    size_t n, before = 0;
    struct uid_range r;
    for (int round = 0; round < 6; round++) {
        time_ms now = T0 + round * 40 * MS_DAY;
        for (int i = 0; i < 40; i++)
            assert_int_equal(put(s, account_inbox(s), text, 0, &added), OK);
        assert_int_equal(account_expunge(s, account_inbox(s), range(&r, 1, UINT32_MAX), false, now, &n), OK);
        for (int day = 31; day < 36; day++) {
            assert_int_equal(put(s, account_inbox(s), SLICE("x\r\n"), 0, &added), OK);
            idle_all(now + day * MS_DAY);
        }
        if (round == 1)
            before = shim_file("account.db").n;
    }
    assert_true(shim_file("account.db").n < before + before / 10 + 100000);
    message_free(text);
}

int main(void)
{
    shim_install();
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        T(a_new_account_has_its_mailboxes),
        T(names_are_checked),
        T(creating_makes_the_levels_above),
        T(children_are_found_behind_similar_names),
        T(uidvalidity_is_never_used_again),
        T(renaming_takes_children_along),
        T(renaming_inbox_moves_its_messages),
        T(inbox_cannot_be_deleted),
        T(subscriptions_stay_when_mailboxes_go),
        T(messages_come_back_as_they_were),
        T(empty_and_odd_messages_are_kept),
        T(pieces_count_as_one),
        T(what_was_parsed_is_kept),
        T(replies_join_their_thread),
        T(a_batch_is_all_or_nothing),
        T(a_second_hand_over_adds_nothing),
        T(keywords_have_one_bit_each),
        T(flags_change_and_stay),
        T(unchanged_since_refuses_what_changed),
        T(recent_is_told_once),
        T(expunging_hides),
        T(copies_share_their_content),
        T(moving_is_one_step),
        T(random_steps_keep_all_in_order),
        T(everybody_is_told_once),
        T(a_handle_can_do_what_it_may),
        T(quota_counts_every_copy),
        T(the_reserve_is_for_reading_and_deleting),
        T(the_reserve_file_is_given_up_when_the_disk_is_full),
        T(expunged_mail_is_erased_after_its_time_and_no_other),
        T(what_is_to_be_kept_no_day_is_erased_soon),
        T(space_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
