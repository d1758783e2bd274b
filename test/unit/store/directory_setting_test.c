/* Settings of a domain: kept, taken back, refused with words, gone with their domain; and a directory.db of
 * the format before them opens with all that is in it. */
#include "lib/test.h"

#include "store/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    char folder[64], path[96];
    struct directory *d;
};

static void open_it(struct fixture *f)
{
    struct directory_options o = {.path = f->path, .key = {1, 2}, .secret = {5}};
    struct err_detail detail = {""};
    if (directory_open(&o, &f->d, &detail) != OK)
        fail_msg("%s", detail.text);
}

static int begin(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    snprintf(f.folder, sizeof f.folder, "/tmp/posthorn-setting-XXXXXX");
    if (!mkdtemp(f.folder))
        return -1;
    snprintf(f.path, sizeof f.path, "%s/directory.db", f.folder);
    db_setup();
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    char path[128];
    directory_close(&f->d);
    unlink(f->path);
    snprintf(path, sizeof path, "%s-wal", f->path);
    unlink(path);
    return rmdir(f->folder);
}

static void add_domain(struct fixture *f, const char *name)
{
    struct err_detail detail = {""};
    assert_int_equal(directory_begin(f->d), OK);
    if (directory_domain_add(f->d, slice_str(name), 1000, &detail) != OK)
        fail_msg("%s", detail.text);
    assert_int_equal(directory_commit(f->d), OK);
}

static enum err set(struct fixture *f, const char *domain, const char *name, const char *value,
                    struct err_detail *detail)
{
    enum err e;
    detail->text[0] = 0;
    assert_int_equal(directory_begin(f->d), OK);
    e = value
            ? directory_setting_set(f->d, slice_str(domain), slice_str(name), slice_str(value), NULL, detail)
            : directory_setting_unset(f->d, slice_str(domain), slice_str(name), detail);
    if (e == OK)
        assert_int_equal(directory_commit(f->d), OK);
    else
        directory_rollback(f->d);
    return e;
}

static void collect(void *arg, slice name, slice value)
{
    buf_print(arg, "%.*s=%.*s;", SLICE_FMT(name), SLICE_FMT(value));
}

static void shows(struct fixture *f, const char *domain, const char *want)
{
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    assert_int_equal(directory_settings(f->d, slice_str(domain), collect, &b), OK);
    assert_slice(buf_view(&b), want);
}

static void kept_and_taken_back(void **state)
{
    struct fixture *f = *state;
    struct err_detail d;
    open_it(f);
    add_domain(f, "example.org");
    add_domain(f, "example.net");
    shows(f, "example.org", "");
    assert_int_equal(set(f, "Example.ORG.", "sign", "Off", &d), OK);
    assert_int_equal(set(f, "example.org", "spf-include", "_spf.b.example, _spf.a.example", &d), OK);
    assert_int_equal(set(f, "example.org", "reports", "on", &d), OK); /* the default: nothing to tell */
    shows(f, "example.org", "sign=off;spf-include=_spf.b.example,_spf.a.example;");
    shows(f, "example.net", "");
    directory_close(&f->d);
    open_it(f);
    shows(f, "example.org", "sign=off;spf-include=_spf.b.example,_spf.a.example;");
    assert_int_equal(set(f, "example.org", "sign", NULL, &d), OK);
    assert_int_equal(set(f, "example.org", "sign", NULL, &d), OK);
    shows(f, "example.org", "spf-include=_spf.b.example,_spf.a.example;");
}

static void refused(void **state)
{
    struct fixture *f = *state;
    struct err_detail d;
    struct buf b CLEANUP(buf_done) = {.max = 100};
    open_it(f);
    add_domain(f, "example.org");
    assert_int_equal(set(f, "example.com", "sign", "off", &d), ERR_NOT_FOUND);
    assert_non_null(strstr(d.text, "there is no domain example.com here"));
    assert_int_equal(set(f, "no name", "sign", "off", &d), ERR_SYNTAX);
    assert_int_equal(set(f, "example.org", "spf_include", "a.b", &d), ERR_NOT_FOUND);
    assert_non_null(strstr(d.text, "did you mean spf-include?"));
    assert_int_equal(set(f, "example.org", "colour", "red", &d), ERR_NOT_FOUND);
    assert_non_null(strstr(d.text, "posthorn domain show DOMAIN lists all"));
    assert_int_equal(set(f, "example.org", "dmarc", "maybe", &d), ERR_SYNTAX);
    assert_non_null(strstr(d.text, "none|quarantine|reject"));
    assert_int_equal(directory_settings(f->d, SLICE("example.com"), collect, &b), ERR_NOT_FOUND);
    shows(f, "example.org", "");
}

static void gone_with_the_domain(void **state)
{
    struct fixture *f = *state;
    struct err_detail d;
    open_it(f);
    add_domain(f, "example.org");
    assert_int_equal(set(f, "example.org", "dmarc", "reject", &d), OK);
    assert_int_equal(directory_begin(f->d), OK);
    assert_int_equal(directory_domain_remove(f->d, SLICE("example.org"), &d), OK);
    assert_int_equal(directory_commit(f->d), OK);
    add_domain(f, "example.org");
    shows(f, "example.org", "");
}

static void collect_name(void *arg, slice name)
{
    buf_print(arg, "%.*s ", SLICE_FMT(name));
}

static void pages(void **state)
{
    struct fixture *f = *state;
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    bool more = false;
    open_it(f);
    assert_int_equal(directory_domain_names(f->d, SLICE(""), 2, collect_name, &b, &more), OK);
    assert_int_equal(b.n, 0);
    assert_false(more);
    add_domain(f, "b.test");
    add_domain(f, "a.test");
    add_domain(f, "c.test");
    assert_int_equal(directory_domain_names(f->d, SLICE(""), 2, collect_name, &b, &more), OK);
    assert_true(more);
    assert_int_equal(directory_domain_names(f->d, SLICE("b.test"), 2, collect_name, &b, &more), OK);
    assert_false(more);
    assert_slice(buf_view(&b), "a.test b.test c.test ");
    assert_int_equal(directory_domain_names(f->d, SLICE(""), 3, collect_name, &b, &more), OK);
    assert_false(more);
}

/* The file as the first version wrote it; never change this text. */
static const char *const format_1[] = {
    "CREATE TABLE domain (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL) "
    "STRICT;"
    "CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL UNIQUE,"
    " domain INTEGER NOT NULL REFERENCES domain(id), name TEXT NOT NULL, suspended INTEGER NOT NULL DEFAULT "
    "0,"
    " quota INTEGER, created INTEGER NOT NULL) STRICT;"
    "CREATE INDEX account_domain ON account(domain);"
    "CREATE TABLE credential (id INTEGER PRIMARY KEY,"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, kind INTEGER NOT NULL,"
    " label TEXT NOT NULL, salt BLOB NOT NULL, iterations INTEGER NOT NULL, stored_key BLOB NOT NULL,"
    " server_key BLOB NOT NULL, created INTEGER NOT NULL, UNIQUE(account, kind, label)) STRICT;"
    "CREATE TABLE alias (address TEXT NOT NULL, target TEXT NOT NULL,"
    " domain INTEGER NOT NULL REFERENCES domain(id), PRIMARY KEY(address, target)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX alias_domain ON alias(domain);"
    "CREATE TABLE usage (account INTEGER PRIMARY KEY REFERENCES account(id) ON DELETE CASCADE,"
    " bytes INTEGER NOT NULL, messages INTEGER NOT NULL) STRICT;"
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"};

static void a_store_of_the_version_before_opens(void **state)
{
    struct fixture *f = *state;
    struct db_options o = {.path = f->path,
                           .kind = "directory",
                           .application_id = 0x50484452u,
                           .migrations = format_1,
                           .migration_count = 1};
    struct db *old = NULL;
    struct directory_account a;
    struct err_detail d = {""};
    assert_int_equal(db_open(&o, &old, &d), OK);
    assert_int_equal(db_exec(old,
                             "INSERT INTO domain VALUES (7, 'example.org', 5);"
                             "INSERT INTO account VALUES (3, 'alice@example.org', 7, 'Alice', 0, NULL, 6);"
                             "INSERT INTO alias VALUES ('info@example.org', 'alice@example.org', 7)"),
                     OK);
    db_close(&old);
    open_it(f);
    assert_int_equal(directory_account_find(f->d, SLICE("alice@example.org"), &a), OK);
    assert_int_equal(a.id, 3);
    assert_int_equal(set(f, "example.org", "sign", "off", &d), OK);
    shows(f, "example.org", "sign=off;");
    directory_close(&f->d);
    /* the version before says so, and harms nothing */
    assert_int_equal(db_open(&o, &old, &d), ERR_UNSUPPORTED);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {T(kept_and_taken_back), T(refused), T(gone_with_the_domain), T(pages),
                                       T(a_store_of_the_version_before_opens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
