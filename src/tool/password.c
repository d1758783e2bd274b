#include "tool/password.h"

#include "core/sasl/scram.h"
#include "sys/entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

void password_random(struct secret *out)
{
    static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz234567890"; /* 32, none that look alike but 0 */
    uint8_t random[26];
    static_assert(sizeof alphabet - 1 == 32, "five bits each");
    entropy_bytes(random, sizeof random);
    secret_done(out);
    for (size_t i = 0; i < sizeof random; i++) {
        if (i && i % 5 == 0 && i < 25)
            out->bytes[out->n++] = '-';
        out->bytes[out->n++] = (uint8_t)alphabet[random[i] % 32];
    }
    secret_wipe(random, sizeof random);
}

/* Reads to the end of the line, which is not kept. False when there was none, or too much. */
static bool password_line(int fd, struct secret *out)
{
    uint8_t c = 0;
    bool any = false;
    secret_done(out);
    for (;;) {
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        any = true;
        if (c == '\n')
            break;
        if (out->n == sizeof out->bytes)
            return false;
        out->bytes[out->n++] = c;
    }
    if (out->n && out->bytes[out->n - 1] == '\r')
        out->n--;
    return any;
}

static bool password_ask(int tty, const char *question, const char *address, struct secret *out)
{
    struct termios before, quiet;
    bool good;
    dprintf(tty, "%s %s: ", question, address);
    if (tcgetattr(tty, &before) != 0)
        return false;
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
        return false;
    good = password_line(tty, out);
    (void)tcsetattr(tty, TCSAFLUSH, &before); /* it was set a moment ago */
    dprintf(tty, "\n");
    return good;
}

static bool password_prompt(const char *address, struct secret *out)
{
    struct secret again CLEANUP(secret_done) = {.n = 0};
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    bool good;
    if (tty < 0) {
        (void)tool_fail("there is no terminal to ask for a password; give it with --stdin, or use --random");
        return false;
    }
    good = password_ask(tty, "Password for", address, out) &&
           password_ask(tty, "Once more for", address, &again);
    close(tty);
    if (!good)
        (void)tool_fail("no password was typed");
    else if (!slice_eq_secret(secret_view(out), secret_view(&again))) {
        (void)tool_fail("the two passwords differ; nothing was changed, try again");
        good = false;
    }
    return good;
}

bool password_get(const struct tool *t, const char *address, struct secret *out)
{
    if (tool_has(t, TOOL_RANDOM)) {
        password_random(out);
        return true;
    }
    if (tool_has(t, TOOL_STDIN)) {
        if (password_line(STDIN_FILENO, out))
            return true;
        (void)tool_fail("no password came on standard input: it is the first line there, up to %zu bytes",
                        sizeof out->bytes);
        return false;
    }
    return password_prompt(address, out);
}

bool password_verifier(const struct secret *password, struct buf *out)
{
    struct scram_verifier v;
    uint8_t salt[SCRAM_SALT_SIZE];
    enum err e;
    if (password->n < PASSWORD_MIN) {
        (void)tool_fail("the password is shorter than %d characters; take a longer one, or --random",
                        PASSWORD_MIN);
        return false;
    }
    entropy_bytes(salt, sizeof salt);
    e = scram_verifier_make(secret_view(password), salt, &v);
    if (e != OK) {
        (void)tool_fail("the password holds control characters, or is not UTF-8; type another");
        return false;
    }
    buf_clear(out);
    return scram_verifier_print(&v, out) == OK;
}
