/* vectors: messages and addresses published by others, read where they lie (POSTHORN_VECTORS, or
 * ../shared/vectors beside the source tree, given as argument 1). Every message has to keep the reader's
 * invariants at several cuts; where the publisher says what should come out, it does; addresses are taken or
 * refused as RFC 5321 has it. */
#include "fuzz/mime_check.h"
#include "lib/test.h"

#include "core/mail/mailbox.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *root;

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    size_t n = 1;
    if (!f)
        return false;
    buf_clear(out);
    while (n > 0) {
        uint8_t *p = buf_reserve(out, 65536);
        must(p);
        n = fread(p, 1, 65536, f);
        buf_commit(out, n);
    }
    (void)fclose(f);
    return true;
}

/* Calls fn for each regular file of a folder, one level deep. */
static size_t each_file(const char *folder, const char *suffix, void (*fn)(const char *path))
{
    char path[1024];
    struct dirent *e;
    struct stat st;
    size_t n = 0;
    DIR *d;
    (void)snprintf(path, sizeof path, "%s/%s", root, folder);
    d = opendir(path);
    while (d && (e = readdir(d))) {
        size_t length = strlen(e->d_name);
        (void)snprintf(path, sizeof path, "%s/%s/%s", root, folder, e->d_name);
        if (stat(path, &st) || !S_ISREG(st.st_mode) || length < strlen(suffix) ||
            strcmp(e->d_name + length - strlen(suffix), suffix) != 0)
            continue;
        fn(path);
        n++;
    }
    if (d)
        (void)closedir(d);
    return n;
}

static void check_message(const char *path)
{
    struct buf b;
    slice s;
    buf_init(&b, 64u << 20);
    if (read_file(path, &b)) {
        s = guard_copy(buf_view(&b));
        mime_check(s, s.n < 20000 ? 1 : 4097, &mail_limits_default);
        mime_check(s, 61, &mail_limits_default);
        guard_free(s);
    }
    buf_done(&b);
}

static void messages_keep_the_invariants(void **state)
{
    static const struct {
        const char *folder, *suffix;
    } rows[] = {
        {"mime-mail-parser/rfc", ".eml"},
        {"mime-mail-parser/legacy", ".eml"},
        {"mime-mail-parser/malformed", ".eml"},
        {"mime-mail-parser/thirdparty", ".eml"},
        {"mime-mime4j/testmsgs", ".msg"},
        {"mime-mime4j/mimetools-testmsgs", ".msg"},
        {"mime-php", ""},
        {"spam-assassin", ""},
        {"dkim-spamassassin", ""},
        {"smime-thunderbird", ".eml"},
    };
    size_t n = 0;
    (void)state;
    if (!root)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        n += each_file(rows[i].folder, rows[i].suffix, check_message);
    print_message("%zu messages\n", n);
    assert_true(n > 50);
}

/* ---- what mail-parser's authors say comes out (resources of github.com/stalwartlabs/mail-parser) ---- */

static size_t told_subjects, told_addresses, told_offsets;

/* White space runs as one blank: how many blanks a fold leaves is a matter of taste. */
static void one_blank(slice s, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < s.n; i++) {
        bool blank = s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\r' || s.p[i] == '\n';
        if (!blank || (out->n && out->p[out->n - 1] != ' '))
            assert_int_equal(buf_byte(out, blank ? ' ' : s.p[i]), OK);
    }
}

static void compare_subject(const char *path, const char *want, slice got)
{
    struct buf a, b;
    if (strstr(want, "\xEF\xBF\xBD"))
        return; /* they saw no charset where we guess Windows-1252 */
    buf_init(&a, 100000);
    buf_init(&b, 100000);
    one_blank(slice_trim(slice_str(want)), &a);
    one_blank(got, &b);
    if (!slice_eq(buf_view(&a), buf_view(&b)))
        fail_msg("%s: %.*s instead of %s", path, SLICE_FMT(got), want);
    told_subjects++;
    buf_done(&a);
    buf_done(&b);
}

static void compare_from(const char *path, json_t *list, const struct address_list *got)
{
    for (size_t i = 0; i < json_array_size(list) && i < got->n; i++) {
        const char *want = json_string_value(json_object_get(json_array_get(list, i), "address"));
        char text[1000];
        (void)snprintf(text, sizeof text, "%.*s@%.*s", SLICE_FMT(got->at[i].local),
                       SLICE_FMT(got->at[i].domain));
        if (want && strcmp(want, text) != 0 && got->at[i].domain.n)
            fail_msg("%s: %s instead of %s", path, text, want);
        told_addresses++;
    }
}

/* Messages that hold no message: theirs is one list of parts, and so is ours. */
static void compare_parts(const char *path, json_t *parts, const struct part_table *got)
{
    for (size_t i = 0; i < got->n; i++)
        if (got->at[i].kind == PART_MESSAGE)
            return;
    if (json_array_size(parts) != got->n)
        fail_msg("%s: %zu parts instead of %zu", path, got->n, json_array_size(parts));
    for (size_t i = 0; i < got->n; i++) {
        json_int_t at = json_integer_value(json_object_get(json_array_get(parts, i), "offset_body"));
        if ((uint64_t)at != got->at[i].body_at)
            fail_msg("%s: part %zu begins at %zu instead of %zu", path, i, (size_t)got->at[i].body_at,
                     (size_t)at);
        told_offsets++;
    }
}

static void compare_headers(const char *path, json_t *headers, const struct mail_summary *s)
{
    bool subject = false, from = false;
    for (size_t i = 0; i < json_array_size(headers); i++) {
        json_t *h = json_array_get(headers, i), *value = json_object_get(h, "value");
        const char *name = json_string_value(json_object_get(h, "name"));
        const char *text = json_string_value(json_object_get(value, "Text"));
        json_t *list = json_object_get(json_object_get(value, "Address"), "List");
        if (name && text && !subject && strcmp(name, "subject") == 0) {
            compare_subject(path, text, s->subject);
            subject = true;
        }
        if (name && list && !from && strcmp(name, "from") == 0) {
            compare_from(path, list, &s->from);
            from = true;
        }
    }
}

static void compare_message(const char *path)
{
    char other[1100];
    struct buf b;
    struct arena a;
    struct mail_summary s;
    json_t *told;
    slice m;
    buf_init(&b, 64u << 20);
    arena_init(&a, "told", MAIL_SUMMARY_ARENA_MAX);
    must(read_file(path, &b));
    m = buf_view(&b);
    (void)snprintf(other, sizeof other, "%.*s%s", (int)(strlen(path) - 4), path,
                   slice_find(m, SLICE("\r\n")) < m.n ? ".crlf.json" : ".json");
    told = json_load_file(other, 0, NULL);
    if (told) {
        json_t *parts = json_object_get(told, "parts");
        assert_int_equal(mail_summarise(&m, 1, &mail_limits_default, &a, &s), OK);
        compare_headers(path, json_object_get(json_array_get(parts, 0), "headers"), &s);
        compare_parts(path, parts, &s.parts);
    }
    json_decref(told);
    arena_done(&a);
    buf_done(&b);
}

static void messages_say_what_was_told(void **state)
{
    (void)state;
    if (!root)
        skip();
    (void)each_file("mime-mail-parser/rfc", ".eml", compare_message);
    (void)each_file("mime-mail-parser/legacy", ".eml", compare_message);
    print_message("%zu subjects, %zu addresses, %zu parts as told\n", told_subjects, told_addresses,
                  told_offsets);
    assert_true(told_subjects > 20 && told_addresses > 20 && told_offsets > 60);
}

/* The text of the first <name>...</name> in s. */
static bool xml_element(slice s, const char *name, slice *out)
{
    char open[32], close[32];
    size_t at;
    (void)snprintf(open, sizeof open, "<%s>", name);
    (void)snprintf(close, sizeof close, "</%s>", name);
    at = slice_find(s, slice_str(open));
    if (at == s.n)
        return false;
    s = slice_from(s, at + strlen(open));
    *out = slice_sub(s, 0, slice_find(s, slice_str(close)));
    return true;
}

/* XML entities, and the file's own way to write control characters (U+2400 plus the character). */
static void xml_text(slice s, struct buf *out)
{
    static const struct {
        slice name;
        char c;
    } rows[] = {{SLICE_INIT("&amp;"), '&'},
                {SLICE_INIT("&lt;"), '<'},
                {SLICE_INIT("&gt;"), '>'},
                {SLICE_INIT("&quot;"), '"'},
                {SLICE_INIT("&apos;"), '\''}};
    while (s.n) {
        size_t i = 0;
        if (slice_starts(s, SLICE("&#x"))) {
            size_t end = slice_index(s, ';');
            unsigned long code = strtoul((const char *)s.p + 3, NULL, 16);
            (void)buf_byte(out, (uint8_t)(code >= 0x2400 ? code - 0x2400 : code)); /* large enough */
            s = slice_from(s, end + 1);
            continue;
        }
        while (i < ARRAY_LEN(rows) && !slice_starts(s, rows[i].name))
            i++;
        (void)buf_byte(out, i < ARRAY_LEN(rows) ? (uint8_t)rows[i].c : s.p[0]); /* as above */
        s = slice_from(s, i < ARRAY_LEN(rows) ? rows[i].name.n : 1);
    }
}

/* Where RFC 5321's grammar and this file's categories meet: VALID, its remarks about DNS, and its RFC 5321
 * remarks (quoted strings, address literals) are mailboxes; what leans on RFC 5322 or is an error is none. */
static bool isemail_wants(slice category, slice diagnosis, bool *out)
{
    if (slice_eq(category, SLICE("ISEMAIL_VALID_CATEGORY")) || slice_eq(category, SLICE("ISEMAIL_DNSWARN"))) {
        *out = true;
        return true;
    }
    if (slice_eq(diagnosis, SLICE("ISEMAIL_RFC5321_IPV6DEPRECATED")))
        return false; /* "::" for one group: we take what inet_pton() takes */
    if (slice_eq(category, SLICE("ISEMAIL_RFC5321"))) {
        *out = true;
        return true;
    }
    *out = false;
    /* too long for RFC 5321's minimum, which we do not enforce to the letter (mailbox.h) */
    return !slice_eq(diagnosis, SLICE("ISEMAIL_RFC5322_LOCAL_TOOLONG")) &&
           !slice_eq(diagnosis, SLICE("ISEMAIL_RFC5322_TOOLONG"));
}

static void addresses_are_judged_as_published(void **state)
{
    char path[1024];
    struct buf file, address;
    slice rest;
    size_t taken = 0, refused = 0, wrong = 0;
    (void)state;
    if (!root)
        skip();
    (void)snprintf(path, sizeof path, "%s/address-isemail/test/tests.xml", root);
    buf_init(&file, 4u << 20);
    buf_init(&address, 4096);
    if (!read_file(path, &file))
        skip();
    rest = buf_view(&file);
    for (;;) {
        size_t at = slice_find(rest, SLICE("<test id="));
        slice test, text = {0}, category = {0}, diagnosis = {0};
        struct mailbox m;
        bool want, got;
        if (at == rest.n)
            break;
        rest = slice_from(rest, at + 9);
        test = slice_sub(rest, 0, slice_find(rest, SLICE("</test>")));
        (void)xml_element(test, "address", &text); /* one has none: the empty address */
        if (!xml_element(test, "category", &category) || !xml_element(test, "diagnosis", &diagnosis) ||
            !isemail_wants(category, diagnosis, &want))
            continue;
        buf_clear(&address);
        xml_text(text, &address);
        if (slice_starts(buf_view(&address), SLICE("\"\"@")))
            continue; /* an empty local part: the grammar has it, nobody has such a mailbox, we take none */
        got = mailbox_parse(buf_view(&address), 0, &m) == OK;
        if (got != want) {
            print_error("%.*s: %s, %.*s\n", SLICE_FMT(text), got ? "taken" : "refused", SLICE_FMT(diagnosis));
            wrong++;
        }
        taken += want;
        refused += !want;
    }
    print_message("%zu to take, %zu to refuse\n", taken, refused);
    assert_true(taken > 20 && refused > 80);
    assert_int_equal(wrong, 0);
    buf_done(&file);
    buf_done(&address);
}

static void check_seed(const char *path)
{
    struct buf b;
    slice s;
    struct mailbox m;
    struct arena a;
    struct address_list list;
    buf_init(&b, 1 << 20);
    arena_init(&a, "seed", 1 << 20);
    must(read_file(path, &b));
    s = guard_copy(buf_view(&b));
    IGNORE_RESULT(mailbox_parse(s, MAILBOX_UTF8, &m), "that it ends is what is asked");
    assert_true(address_list_parse(s, &mail_limits_default, &a, &list));
    guard_free(s);
    arena_done(&a);
    buf_done(&b);
}

static void seeds_of_others_do_no_harm(void **state)
{
    static const char *const names[] = {"FuzzAddr", "FuzzDomain", "FuzzDomainToUnicode", "FuzzUser"};
    size_t n = 0;
    (void)state;
    if (!root)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char folder[200];
        (void)snprintf(folder, sizeof folder, "chasquid-fuzz-seeds/normalize/testdata/fuzz/%s", names[i]);
        n += each_file(folder, "", check_seed);
    }
    assert_true(n > 4);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_the_invariants),
        cmocka_unit_test(messages_say_what_was_told),
        cmocka_unit_test(addresses_are_judged_as_published),
        cmocka_unit_test(seeds_of_others_do_no_harm),
    };
    struct stat st;
    root = getenv("POSTHORN_VECTORS");
    if (!root && argc > 1)
        root = argv[1];
    if (root && (stat(root, &st) || !S_ISDIR(st.st_mode)))
        root = NULL;
    if (!root)
        printf("skipped: no published vectors here (POSTHORN_VECTORS)\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
