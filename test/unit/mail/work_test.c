/* work: what hostile input costs (THREATS 6, 7). Work is counted, not timed: each generator is run at n and
 * at 2n, and the instructions the processor says it needed, or the reader's own steps and memory, must not
 * more than double and a half. */
#include "lib/test.h"

#include "core/mail/encoded_word.h"
#include "core/mail/header.h"
#include "core/mail/message.h"
#include "core/mail/mime.h"
#include "core/mail/param.h"
#include "core/mail/subject.h"
#include "text/date.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One piece of hostile text, repeated. */
struct generator {
    const char *before, *again, *after;
    bool body; /* before "again" stands a whole header */
};

static const struct generator generators[] = {
    /* messages whole */
    {"From: ", "a@b,", "\r\n\r\n", false},
    {"From: ", "(", "\r\n\r\n", false},
    {"From: ", "((a)", "\r\n\r\n", false},
    {"From: ", "\"", "\r\n\r\n", false},
    {"From: ", "\\", "\r\n\r\n", false},
    {"From: ", "<", "\r\n\r\n", false},
    {"From: ", "<@a,", "\r\n\r\n", false},
    {"From: ", "@", "\r\n\r\n", false},
    {"From: ", "a:;", "\r\n\r\n", false},
    {"From: ", "a ", "\r\n\r\n", false},
    {"From: ", "[", "\r\n\r\n", false},
    {"From: ", ".", "\r\n\r\n", false},
    {"From: ", "a\r\n ", "\r\n\r\n", false},
    {"From: ", "\n ", "\r\n\r\n", false},
    {"From: ", "\r", "\r\n\r\n", false},
    {"Subject: ", "=?", "\r\n\r\n", false},
    {"Subject: ", "=?a?q?", "\r\n\r\n", false},
    {"Subject: ", "=?a?q?x ", "\r\n\r\n", false},
    {"Subject: ", "=?utf-8?q?=C3?= ", "\r\n\r\n", false},
    {"Subject: ", "=?utf-8?b?gICA?=", "\r\n\r\n", false},
    {"Subject: ", "?", "\r\n\r\n", false},
    {"Subject: ", "[a]", "\r\n\r\n", false},
    {"Subject: ", "re:", "\r\n\r\n", false},
    {"Subject: ", "[fwd:", "\r\n\r\n", false},
    {"Subject: ", "(fwd)", "\r\n\r\n", false},
    {"Subject: ", "\xC3", "\r\n\r\n", false},
    {"References: ", "<a@b>", "\r\n\r\n", false},
    {"References: ", "<", "\r\n\r\n", false},
    {"Date: ", "(", "\r\n\r\n", false},
    {"Content-Type: text/plain", "; a=b", "\r\n\r\n", false},
    {"Content-Type: text/plain", "; a*1=b", "\r\n\r\n", false},
    {"Content-Type: text/plain; a*0=", "b", "\r\n\r\n", false},
    {"Content-Type: text/plain; ", "(", "\r\n\r\n", false},
    {"Content-Type: text/plain; a=", "x ", "\r\n\r\n", false},
    {"Content-Type: text/plain; a=\"", "\\\"", "\r\n\r\n", false},
    {"Content-Type: ", ";", "\r\n\r\n", false},
    {"", "A: b\r\n", "\r\n", false},
    {"", "Received: b\r\n", "\r\n", false},
    {"", "junk\r\n", "\r\n", false},
    {"A:", "\r\n x", "\r\n\r\n", false},
    {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\n", "", true},
    {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n", "", true},
    {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--bx\r\n", "", true},
    {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--", "", true},
    {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b ", "", true},
    {"", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", "", true},
    {"", "Content-Type: message/rfc822\r\n\r\n", "", true},
    {"Content-Type: multipart/digest; boundary=b\r\n\r\n", "--b\r\n\r\nFrom: a,b,c,d\r\n\r\n", "", true},
    {"Content-Type: text/html\r\n\r\n", "<", "", true},
    {"Content-Type: text/html\r\n\r\n", "<style>", "", true},
    {"Content-Type: text/html\r\n\r\n", "<!--", "", true},
    {"Content-Type: text/html\r\n\r\n", "&", "", true},
    {"Content-Transfer-Encoding: quoted-printable\r\n\r\n", "= ", "", true},
    {"Content-Transfer-Encoding: base64\r\n\r\n", "=", "", true},
};

static void generate(const struct generator *g, size_t bytes, struct buf *out)
{
    buf_clear(out);
    assert_int_equal(buf_str(out, g->before), OK);
    while (out->n < bytes)
        assert_int_equal(buf_str(out, g->again), OK);
    assert_int_equal(buf_str(out, g->after), OK);
}

/* Counts this thread's instructions; -1 where the kernel or a container has no counter for us. */
static int counter_open(void)
{
    struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE,
                                .size = sizeof a,
                                .config = PERF_COUNT_HW_INSTRUCTIONS,
                                .disabled = 1,
                                .exclude_kernel = 1,
                                .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

struct cost {
    uint64_t instructions, steps, memory;
};

static struct cost measure(int counter, slice message)
{
    struct cost c = {0};
    struct arena a;
    struct mail_summary s;
    struct mime m;
    arena_init(&a, "work", MAIL_SUMMARY_ARENA_MAX);
    if (counter >= 0) {
        assert_int_equal(ioctl(counter, PERF_EVENT_IOC_RESET, 0), 0);
        assert_int_equal(ioctl(counter, PERF_EVENT_IOC_ENABLE, 0), 0);
    }
    assert_int_equal(mail_summarise(&message, 1, &mail_limits_default, &a, &s), OK);
    if (counter >= 0) {
        assert_int_equal(ioctl(counter, PERF_EVENT_IOC_DISABLE, 0), 0);
        assert_int_equal(read(counter, &c.instructions, sizeof c.instructions), sizeof c.instructions);
    }
    c.memory = a.used;
    arena_reset(&a);
    mime_init(&m, &mail_limits_default, &a);
    mime_feed(&m, message);
    assert_int_equal(mime_finish(&m), OK);
    c.steps = m.steps;
    mime_done(&m);
    arena_done(&a);
    return c;
}

static void work_is_linear_in_the_message(void **state)
{
    int counter = counter_open();
    struct buf b;
    (void)state;
    buf_init(&b, 4u << 20);
    if (counter < 0)
        print_message("no instruction counter here: steps and memory only\n");
    for (size_t i = 0; i < ARRAY_LEN(generators); i++) {
        struct cost one, two;
        generate(&generators[i], 100000, &b);
        one = measure(counter, buf_view(&b));
        generate(&generators[i], 200000, &b);
        two = measure(counter, buf_view(&b));
        if (two.steps > one.steps * 5 / 2 + 100 || two.memory > one.memory * 5 / 2 + 10000 ||
            two.instructions > one.instructions * 5 / 2 + 100000)
            fail_msg("\"%s%s...\": steps %llu %llu memory %llu %llu instructions %llu %llu",
                     generators[i].before, generators[i].again, (unsigned long long)one.steps,
                     (unsigned long long)two.steps, (unsigned long long)one.memory,
                     (unsigned long long)two.memory, (unsigned long long)one.instructions,
                     (unsigned long long)two.instructions);
        assert_true(two.memory < 100 * b.n + 100000);
    }
    buf_done(&b);
    if (counter >= 0)
        (void)close(counter);
}

/* A quadratic reader would need hours for these. */
static void the_largest_messages_are_read(void **state)
{
    static const struct generator large[] = {
        {"From: ", "a@b,", "\r\n\r\n", false},
        {"", "X: y\r\n", "\r\n", false},
        {"To: ", "(", "\r\n\r\n", false},
        {"\r\n", "\r\n", "", true},
        {"Content-Type: message/rfc822\r\n\r\n", "--\r\n", "", true},
    };
    struct buf b;
    (void)state;
    buf_init(&b, 52u << 20);
    for (size_t i = 0; i < ARRAY_LEN(large); i++) {
        struct mail_summary s;
        struct arena a;
        slice message;
        generate(&large[i], 16u << 20, &b);
        message = buf_view(&b);
        arena_init(&a, "large", MAIL_SUMMARY_ARENA_MAX);
        assert_int_equal(mail_summarise(&message, 1, &mail_limits_default, &a, &s), OK);
        assert_int_equal(s.bytes, message.n);
        assert_true(s.from.n <= mail_limits_default.addresses);
        arena_done(&a);
    }
    buf_done(&b);
}

/* The worst a message within the limits can ask of the arena stays below what message.h promises. */
static void the_promised_arena_is_enough(void **state)
{
    static const char *const fields[] = {"From", "Sender", "Reply-To", "To", "Cc", "Bcc"};
    struct buf b;
    struct arena a;
    struct mail_summary s;
    slice message;
    (void)state;
    buf_init(&b, 64u << 20);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        size_t from = b.n;
        assert_int_equal(buf_print(&b, "%s: ", fields[i]), OK);
        while (b.n - from < 256 * 1024 - 100)
            assert_int_equal(buf_str(&b, "a,"), OK);
        assert_int_equal(buf_str(&b, "\r\n"), OK);
    }
    assert_int_equal(buf_str(&b, "Content-Type: multipart/digest; boundary=b\r\n\r\n"), OK);
    for (unsigned i = 0; i < 499; i++) {
        size_t from = b.n;
        assert_int_equal(buf_str(&b, "--b\r\n\r\nTo: "), OK);
        while (b.n - from < 17000)
            assert_int_equal(buf_str(&b, "a,"), OK);
        assert_int_equal(buf_str(&b, "\r\nSubject: \""), OK);
        while (b.n - from < 18000)
            assert_int_equal(buf_str(&b, "\""), OK);
        assert_int_equal(buf_str(&b, "\r\n\r\n"), OK);
    }
    message = buf_view(&b);
    arena_init(&a, "promised", MAIL_SUMMARY_ARENA_MAX);
    assert_int_equal(mail_summarise(&message, 1, &mail_limits_default, &a, &s), OK);
    print_message("%zu bytes of message: %zu bytes of arena, %zu stored\n", message.n, a.used,
                  s.bodystructure.n);
    assert_true(a.used < MAIL_SUMMARY_ARENA_MAX / 2);
    arena_done(&a);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_linear_in_the_message),
        cmocka_unit_test(the_largest_messages_are_read),
        cmocka_unit_test(the_promised_arena_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
