/* The directory: an address leads where the administrator said, a stranger gets nothing relayed, changes
 * count at once, and nobody sends as somebody else (THREATS 25, 29, 38). */
#include "lib/test.h"

#include "store/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    char folder[64], path[96];
    struct directory *d;
    struct arena a;
    uint64_t alice, bob;
};

static struct directory_options options_of(const struct fixture *f)
{
    return (struct directory_options){.path = f->path, .key = {1, 2}, .quota_default = 0, .secret = {5}};
}

static uint64_t add(struct fixture *f, const char *address)
{
    struct directory_account_new n = {.address = slice_str(address), .name = SLICE("N"), .now_unix = 1000};
    struct err_detail detail = {""};
    uint64_t id = 0;
    if (directory_account_add(f->d, &n, &id, &detail) != OK)
        fail_msg("%s: %s", address, detail.text);
    return id;
}

static void alias(struct fixture *f, const char *address, const char *target)
{
    struct err_detail detail = {""};
    if (directory_alias_add(f->d, slice_str(address), slice_str(target), &detail) != OK)
        fail_msg("%s: %s", address, detail.text);
}

static int begin(void **state)
{
    static struct fixture f;
    struct err_detail detail;
    struct directory_options o;
    memset(&f, 0, sizeof f);
    snprintf(f.folder, sizeof f.folder, "/tmp/posthorn-directory-XXXXXX");
    if (!mkdtemp(f.folder))
        return -1;
    snprintf(f.path, sizeof f.path, "%s/directory.db", f.folder);
    arena_init(&f.a, "test", 1 << 20);
    o = options_of(&f);
    db_setup();
    if (directory_open(&o, &f.d, &detail) != OK || directory_begin(f.d) != OK)
        return -1;
    assert_int_equal(directory_domain_add(f.d, SLICE("Demo.Test"), 1, &detail), OK);
    assert_int_equal(directory_domain_add(f.d,
                                          SLICE("b\xc3\xbc"
                                                "cher.test"),
                                          1, &detail),
                     OK);
    f.alice = add(&f, "Alice@demo.test");
    f.bob = add(&f, "bob@demo.test");
    if (directory_commit(f.d) != OK)
        return -1;
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    char path[128];
    directory_close(&f->d);
    arena_done(&f->a);
    unlink(f->path);
    snprintf(path, sizeof path, "%s-wal", f->path);
    unlink(path);
    return rmdir(f->folder);
}

static struct directory_target *targets;
static size_t n_targets;

static enum err ask(struct fixture *f, const char *address)
{
    arena_reset(&f->a);
    targets = NULL;
    n_targets = 0;
    return directory_resolve(f->d, slice_str(address), false, 0, &f->a, &targets, &n_targets);
}

static void leads_to(struct fixture *f, const char *address, uint64_t account, const char *detail)
{
    enum err e = ask(f, address);
    if (e != OK || n_targets != 1 || targets[0].remote || targets[0].account != account)
        fail_msg("%s: %s, %zu targets", address, err_name(e), n_targets);
    assert_slice(targets[0].detail, detail);
}

static void simple(void **state)
{
    struct fixture *f = *state;
    leads_to(f, "alice@demo.test", f->alice, "");
    assert_slice(targets[0].address, "alice@demo.test");
    leads_to(f, "ALICE@DEMO.test", f->alice, "");
    leads_to(f, "\"alice\"@demo.test", f->alice, "");
    leads_to(f, "alice+lists@demo.test", f->alice, "lists");
    leads_to(f, "alice+a+b@demo.test", f->alice, "a+b");
    assert_int_equal(ask(f, "carol@demo.test"), ERR_NOT_FOUND);
    assert_int_equal(ask(f, "+x@demo.test"), ERR_NOT_FOUND);
    assert_int_equal(ask(f, "alice"), ERR_SYNTAX);
    /* RFC 5321 §4.5.1 */
    leads_to(f, "postmaster@demo.test", f->alice, "");
    leads_to(f, "Postmaster", f->alice, "");
}

/* THREATS 29: none of these gets a stranger's mail out of the house */
static void no_relay(void **state)
{
    struct fixture *f = *state;
    static const char *const tries[] = {"x@foreign.test",
                                        "x%foreign.test@demo.test",
                                        "\"x@foreign.test\"@demo.test",
                                        "foreign.test!x@demo.test",
                                        "x@[127.0.0.1]",
                                        "x@demo.test.",
                                        "x@demo"};
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        enum err e = ask(f, tries[i]);
        if (e != ERR_DENIED && e != ERR_NOT_FOUND && e != ERR_SYNTAX)
            fail_msg("%s: %s", tries[i], err_name(e));
    }
    assert_int_equal(directory_resolve(f->d, SLICE("x@foreign.test"), true, 0, &f->a, &targets, &n_targets),
                     OK);
    assert_true(targets[0].remote);
    assert_slice(targets[0].address, "x@foreign.test");
}

static void aliases(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(directory_begin(f->d), OK);
    alias(f, "info@demo.test", "alice@demo.test");
    alias(f, "all@demo.test", "info@demo.test");
    alias(f, "all@demo.test", "bob@demo.test");
    alias(f, "all@demo.test", "Friend@Elsewhere.test");
    alias(f, "round@demo.test", "about@demo.test");
    alias(f, "about@demo.test", "round@demo.test");
    alias(f, "about@demo.test", "bob@demo.test");
    alias(f, "gone@demo.test", "nobody@demo.test");
    alias(f, "*@xn--bcher-kva.test", "bob@demo.test");
    assert_int_equal(directory_commit(f->d), OK);

    leads_to(f, "info+x@demo.test", f->alice, "x");
    assert_int_equal(ask(f, "all@demo.test"), OK);
    assert_int_equal(n_targets, 3);
    leads_to(f, "round@demo.test", f->bob, "");
    assert_int_equal(ask(f, "gone@demo.test"), ERR_NOT_FOUND);
    leads_to(f,
             "whoever@b\xc3\xbc"
             "cher.test",
             f->bob, "");
    leads_to(f, "whoever@BÜCHER.test", f->bob, "");
}

static void bounds(void **state)
{
    struct fixture *f = *state;
    char from[64], to[64];
    struct err_detail detail;
    assert_int_equal(directory_begin(f->d), OK);
    for (int i = 0; i < 12; i++) {
        snprintf(from, sizeof from, "a%d@demo.test", i);
        snprintf(to, sizeof to, "a%d@demo.test", i + 1);
        alias(f, from, to);
    }
    alias(f, "a12@demo.test", "bob@demo.test");
    for (int i = 0; i < DIRECTORY_TARGETS_MAX; i++) {
        snprintf(to, sizeof to, "t%d@elsewhere.test", i);
        alias(f, "many@demo.test", to);
    }
    assert_int_equal(directory_alias_add(f->d, SLICE("many@demo.test"), SLICE("x@y.test"), &detail),
                     ERR_LIMIT);
    alias(f, "more@demo.test", "many@demo.test");
    alias(f, "more@demo.test", "bob@demo.test");
    assert_int_equal(directory_commit(f->d), OK);
    assert_int_equal(ask(f, "a0@demo.test"), ERR_LIMIT);
    leads_to(f, "a3@demo.test", f->bob, "");
    assert_int_equal(ask(f, "many@demo.test"), OK);
    assert_int_equal(n_targets, DIRECTORY_TARGETS_MAX);
    assert_int_equal(ask(f, "more@demo.test"), ERR_LIMIT);
}

/* What was looked up before a change is not what counts after it. */
static void changes_count_at_once(void **state)
{
    struct fixture *f = *state;
    struct err_detail detail;
    uint64_t id;
    assert_int_equal(ask(f, "carol@demo.test"), ERR_NOT_FOUND);
    assert_int_equal(directory_begin(f->d), OK);
    id = add(f, "carol@demo.test");
    assert_int_equal(directory_commit(f->d), OK);
    leads_to(f, "carol@demo.test", id, "");
    assert_int_equal(directory_begin(f->d), OK);
    assert_int_equal(directory_account_suspend(f->d, SLICE("Carol@demo.test"), true, &id, &detail), OK);
    assert_int_equal(directory_commit(f->d), OK);
    assert_int_equal(ask(f, "carol@demo.test"), ERR_SUSPENDED);
    assert_int_equal(directory_begin(f->d), OK);
    assert_int_equal(directory_account_remove(f->d, SLICE("carol@demo.test"), &id, &detail), OK);
    directory_rollback(f->d);
    assert_int_equal(ask(f, "carol@demo.test"), ERR_SUSPENDED);
    assert_int_equal(directory_begin(f->d), OK);
    assert_int_equal(directory_account_remove(f->d, SLICE("carol@demo.test"), &id, &detail), OK);
    assert_int_equal(directory_commit(f->d), OK);
    assert_int_equal(ask(f, "carol@demo.test"), ERR_NOT_FOUND);
    assert_int_equal(directory_begin(f->d), OK);
    assert_true(add(f, "carol@demo.test") > id); /* an id never comes back */
    assert_int_equal(directory_commit(f->d), OK);
}

static void refused_changes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *address;
        enum err want;
    } rows[] = {
        {"alice@demo.test", ERR_EXISTS},   {"ALICE@demo.test", ERR_EXISTS},
        {"x@nowhere.test", ERR_NOT_FOUND}, {"x", ERR_SYNTAX},
        {"a+b@demo.test", ERR_SYNTAX},     {"*@demo.test", ERR_SYNTAX},
        {"x%y@demo.test", ERR_SYNTAX},     {"\xe2\x84\xaa@demo.test", ERR_SYNTAX}, /* Kelvin sign */
        {"\"a b\"@demo.test", ERR_SYNTAX}, {"a;b@demo.test", ERR_SYNTAX},
        {"x@[127.0.0.1]", ERR_NOT_FOUND},  {"", ERR_SYNTAX},
    };
    struct err_detail detail;
    uint64_t id;
    assert_int_equal(directory_begin(f->d), OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct directory_account_new n = {.address = slice_str(rows[i].address)};
        detail.text[0] = 0;
        if (directory_account_add(f->d, &n, &id, &detail) != rows[i].want || !detail.text[0])
            fail_msg("%s: %s", rows[i].address, detail.text);
    }
    assert_int_equal(directory_alias_add(f->d, SLICE("alice@demo.test"), SLICE("bob@demo.test"), &detail),
                     ERR_EXISTS);
    assert_int_equal(directory_alias_add(f->d, SLICE("x@demo.test"), SLICE("X@demo.test"), &detail),
                     ERR_LOOP);
    assert_int_equal(directory_alias_remove(f->d, SLICE("x@demo.test"), (slice){0}, &detail), ERR_NOT_FOUND);
    assert_int_equal(directory_domain_add(f->d, SLICE("DEMO.test"), 1, &detail), ERR_EXISTS);
    assert_int_equal(directory_domain_add(f->d, SLICE("demo"), 1, &detail), ERR_SYNTAX);
    assert_int_equal(directory_domain_add(f->d, SLICE("a b.test"), 1, &detail), ERR_SYNTAX);
    assert_int_equal(directory_domain_remove(f->d, SLICE("demo.test"), &detail), ERR_STATE);
    assert_int_equal(directory_domain_remove(f->d,
                                             SLICE("b\xc3\xbc"
                                                   "cher.test"),
                                             &detail),
                     OK);
    assert_int_equal(directory_domain_remove(f->d, SLICE("other.test"), &detail), ERR_NOT_FOUND);
    alias(f, "x@demo.test", "bob@demo.test");
    struct directory_account_new n = {.address = SLICE("x@demo.test")};
    assert_int_equal(directory_account_add(f->d, &n, &id, &detail), ERR_EXISTS);
    directory_rollback(f->d);
}

/* THREATS 38 */
static void senders(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(directory_begin(f->d), OK);
    alias(f, "info@demo.test", "alice@demo.test");
    alias(f, "out@demo.test", "alice@elsewhere.test");
    assert_int_equal(directory_commit(f->d), OK);
    assert_int_equal(directory_owns(f->d, f->alice, SLICE("Alice+x@demo.test"), &f->a), OK);
    assert_int_equal(directory_owns(f->d, f->alice, SLICE("info@demo.test"), &f->a), OK);
    assert_int_equal(directory_owns(f->d, f->bob, SLICE("info@demo.test"), &f->a), ERR_DENIED);
    assert_int_equal(directory_owns(f->d, f->alice, SLICE("bob@demo.test"), &f->a), ERR_DENIED);
    assert_int_equal(directory_owns(f->d, f->alice, SLICE("out@demo.test"), &f->a), ERR_DENIED);
    assert_int_equal(directory_owns(f->d, f->alice, SLICE("alice@elsewhere.test"), &f->a), ERR_DENIED);
    assert_int_equal(directory_owns(f->d, f->alice, SLICE("nobody@demo.test"), &f->a), ERR_DENIED);
    assert_int_equal(directory_owns(f->d, f->alice, SLICE("=?utf-8?q?alice=40demo.test?=@x.test"), &f->a),
                     ERR_DENIED);
    assert_int_equal(directory_owns(f->d, f->alice, SLICE("junk"), &f->a), ERR_DENIED);
}

static void quota(void **state)
{
    struct fixture *f = *state;
    struct directory_account_new n = {
        .address = SLICE("small@demo.test"), .quota_own = true, .quota_bytes = 1000, .now_unix = 5};
    struct directory_account row;
    struct err_detail detail;
    uint64_t id;
    assert_int_equal(directory_begin(f->d), OK);
    assert_int_equal(directory_account_add(f->d, &n, &id, &detail), OK);
    alias(f, "both@demo.test", "small@demo.test");
    alias(f, "both@demo.test", "bob@demo.test");
    assert_int_equal(directory_commit(f->d), OK);
    leads_to(f, "small@demo.test", id, "");
    directory_usage(f->d, id, 900, 3);
    leads_to(f, "small@demo.test", id, "");
    assert_int_equal(
        directory_resolve(f->d, SLICE("small@demo.test"), false, 101, &f->a, &targets, &n_targets),
        ERR_QUOTA);
    directory_usage(f->d, id, 1000, 4);
    assert_int_equal(ask(f, "small@demo.test"), ERR_QUOTA);
    assert_int_equal(ask(f, "both@demo.test"), OK);
    assert_int_equal(n_targets, 2); /* the full one waits in the queue */
    assert_int_equal(directory_usage_save(f->d), OK);
    directory_close(&f->d);
    struct directory_options o = options_of(f);
    assert_int_equal(directory_open(&o, &f->d, &detail), OK);
    assert_int_equal(ask(f, "small@demo.test"), ERR_QUOTA);
    assert_int_equal(directory_account_find(f->d, SLICE("Small@demo.test"), &row), OK);
    assert_int_equal(row.used_bytes, 1000);
    assert_int_equal(row.used_messages, 4);
    assert_int_equal(row.created_unix, 5);
    assert_true(row.quota_own);
}

static void passwords(void **state)
{
    struct fixture *f = *state;
    static const uint8_t salt[SCRAM_SALT_SIZE] = {4};
    struct scram_verifier v, got;
    struct err_detail detail;
    uint64_t id;
    assert_int_equal(directory_verifier(f->d, f->alice, &got), ERR_NOT_FOUND);
    assert_int_equal(scram_verifier_make(SLICE("secret"), salt, &v), OK);
    assert_int_equal(directory_begin(f->d), OK);
    assert_int_equal(directory_account_password(f->d, SLICE("alice@demo.test"), &v, 1, &id, &detail), OK);
    assert_int_equal(directory_account_password(f->d, SLICE("alice@demo.test"), &v, 2, &id, &detail), OK);
    assert_int_equal(directory_account_password(f->d, SLICE("zoe@demo.test"), &v, 2, &id, &detail),
                     ERR_NOT_FOUND);
    assert_int_equal(directory_commit(f->d), OK);
    assert_int_equal(directory_verifier(f->d, f->alice, &got), OK);
    assert_memory_equal(&got, &v, sizeof v);
}

/* The secret stays although another one is offered at the next opening. */
static void secret_stays(void **state)
{
    struct fixture *f = *state;
    struct directory_options o = options_of(f);
    struct err_detail detail;
    o.secret[0] = 99;
    directory_close(&f->d);
    assert_int_equal(directory_open(&o, &f->d, &detail), OK);
    assert_int_equal(directory_secret(f->d).p[0], 5);
}

static void count_row(void *arg, slice address, slice target)
{
    (void)address, (void)target;
    ++*(size_t *)arg;
}

static void count_account(void *arg, const struct directory_account *a)
{
    assert_true(a->id > 0 && a->address[0]);
    ++*(size_t *)arg;
}

static void count_domain(void *arg, const struct directory_domain *d)
{
    if (slice_eq(d->name, SLICE("demo.test"))) {
        assert_int_equal(d->accounts, 2);
        assert_int_equal(d->aliases, 1);
    }
    ++*(size_t *)arg;
}

/* THREATS 15: text is text, whatever it looks like */
static void listing(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    assert_int_equal(directory_begin(f->d), OK);
    alias(f, "o'r=1@demo.test", "alice@demo.test");
    alias(f, "o'r=1@demo.test", "bob@demo.test");
    assert_int_equal(directory_commit(f->d), OK);
    assert_int_equal(directory_aliases(f->d, SLICE("' OR 1=1--"), count_row, &n), OK);
    assert_int_equal(n, 0);
    assert_int_equal(directory_aliases(f->d, SLICE("o'r=1@demo.test"), count_row, &n), OK);
    assert_int_equal(n, 2);
    n = 0;
    assert_int_equal(directory_accounts(f->d, SLICE("demo.test"), count_account, &n), OK);
    assert_int_equal(n, 2);
    assert_int_equal(directory_accounts(f->d, SLICE("' OR 1=1--"), count_account, &n), OK);
    assert_int_equal(n, 2);
    n = 0;
    assert_int_equal(directory_domains(f->d, count_domain, &n), OK);
    assert_int_equal(n, 2);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(simple),          T(no_relay), T(aliases), T(bounds),    T(changes_count_at_once),
        T(refused_changes), T(senders),  T(quota),   T(passwords), T(secret_stays),
        T(listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
