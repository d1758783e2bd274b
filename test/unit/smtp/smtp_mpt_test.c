/* Dialogues of Apache James (shared/vectors/smtp-mpt, Apache-2.0) against our core: the reply codes have to
 * be the same, save where a row of the table says why not. The vectors are looked for in POSTHORN_VECTORS, or
 * beside the source tree; without them the test says "skipped". */
#include "lib/test.h"
#include "unit/smtp/driver.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* Where we answer otherwise, and why. */
static const struct {
    const char *file, *codes, *why;
} other[] = {
    {"authplain.test", "220 503 500 500 ",
     "AUTH before EHLO is refused (RFC 4954 §4), so what follows is no command"},
    {"starttls_session_fixation.test", "220 250 504 500 500 530 503 220 ",
     "LOGIN is not a mechanism of this test's shell; and STARTTLS may come here, since nobody logged in"},
    {"starttls_with_injection.test", "220 250 554 ", "refused as 554, and closed"},
};

static void codes_of(slice line, struct buf *out)
{
    if (line.n >= 4 && line.p[3] == ' ') {
        (void)buf_append(out, slice_sub(line, 0, 3));
        (void)buf_byte(out, ' ');
    }
}

static void unescape(slice s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '\\' && i + 1 < s.n;
        uint8_t c = escape ? s.p[++i] : s.p[i];
        (void)buf_byte(out, escape && c == 'r' ? '\r' : escape && c == 'n' ? '\n' : c);
    }
}

static void play(const char *name, slice text)
{
    struct smtp_server_limits limits = smtp_server_limits_default;
    struct smtp_server_config config = {.hostname = SLICE("mydomain.tld"),
                                        .auth_mechanisms = SLICE("PLAIN"),
                                        .service = slice_find(text, SLICE("AUTH")) < text.n ? SMTP_SUBMISSION
                                                                                            : SMTP_MX,
                                        .plaintext_login = true,
                                        .limits = &limits};
    struct cursor c = cursor_of(text);
    struct buf want, got, in;
    struct driver d;
    slice line;
    if (strcmp(name, "starttls_session_fixation.test") != 0 && slice_find(text, SLICE("rcpt to")) < text.n)
        config.service = SMTP_MX; /* James lets anybody send */
    config.tls_offered = slice_find(text, SLICE("STARTTLS")) < text.n;
    limits.nonsense = 10;
    buf_init(&want, 1000);
    buf_init(&got, 1000);
    buf_init(&in, 10000);
    driver_init(&d, &config, DRIVER_AT_ONCE);
    smtp_server_greet(d.s, NULL);
    driver_feed(&d, (slice){0});
    while (cursor_line(&c, &line)) {
        if (slice_starts(line, SLICE("S: ")))
            codes_of(slice_from(line, 3), &want);
        if (!slice_starts(line, SLICE("C:")))
            continue;
        unescape(slice_from(line, 3), &in);
        if (!slice_ends_nocase(line, SLICE("\\r\\n")))
            (void)buf_str(&in, "\r\n");
        driver_feed(&d, buf_view(&in));
        buf_clear(&in);
        if (d.tls_wanted)
            driver_tls_started(&d);
    }
    c = cursor_of(buf_view(&d.out));
    while (cursor_line(&c, &line))
        codes_of(line, &got);
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        if (strcmp(name, other[i].file) == 0) {
            buf_clear(&want);
            (void)buf_str(&want, other[i].codes);
        }
    if (!slice_eq(buf_view(&got), buf_view(&want)))
        fail_msg("%s: got %.*s want %.*s", name, SLICE_FMT(buf_view(&got)), SLICE_FMT(buf_view(&want)));
    driver_done(&d);
    buf_done(&want);
    buf_done(&got);
    buf_done(&in);
}

static size_t play_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *e;
    size_t n = 0;
    if (!folder)
        return 0;
    while ((e = readdir(folder))) {
        char name[8192], text[8192];
        size_t bytes;
        FILE *f;
        if (!slice_ends_nocase(slice_str(e->d_name), SLICE(".test")))
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        f = fopen(name, "rb");
        assert_non_null(f);
        bytes = fread(text, 1, sizeof text, f);
        (void)fclose(f); /* read only */
        play(e->d_name, slice_of(text, bytes));
        n++;
    }
    (void)closedir(folder);
    return n;
}

static void test_james(void **state)
{
    const char *vectors = getenv("POSTHORN_VECTORS");
    char path[4096];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/smtp-mpt", vectors ? vectors : TEST_VECTORS);
    if (play_folder(path) == 0) {
        print_message("skipped: no dialogues in %s\n", path);
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_james)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
