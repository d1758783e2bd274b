/* smtp_wire: runs SMTP dialogues that are written as text (test/wire/smtp/README) through the server core,
 * each with its input cut at every place, fed byte by byte, and with answers that come at once, late, and in
 * the wrong order. Every run has to give the same replies and the same events. */
#include "unit/smtp/driver.h"

#include <stdio.h>
#include <stdlib.h>

#define WHOLE   SIZE_MAX
#define BY_BYTE (SIZE_MAX - 1)

enum step_type { STEP_CLIENT, STEP_SERVER, STEP_EVENT, STEP_TIME, STEP_TLS, STEP_DRAIN };

struct step {
    enum step_type type;
    unsigned line;
    size_t from, to; /* in text */
    time_ms ms;
};

struct dialogue {
    const char *path;
    struct smtp_server_config config;
    struct smtp_server_limits limits;
    bool once, no_room;
    struct buf text;
    struct step *steps;
    size_t n;
    size_t client_bytes;
};

static unsigned failures;

static void fail(const struct dialogue *d, unsigned line, const char *what, slice got, slice want)
{
    fprintf(stderr, "%s:%u: %s\n  got:  %.*s\n  want: %.*s\n", d->path, line, what, SLICE_FMT(got),
            SLICE_FMT(want));
    failures++;
}

static unsigned hex(uint8_t c)
{
    return (unsigned)(ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10);
}

/* \r \n \t \0 \\ \xHH */
static void unescape(slice s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '\\' && i + 1 < s.n) {
            c = s.p[++i];
            if (c == 'x' && i + 2 < s.n) {
                c = (uint8_t)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
                i += 2;
            } else {
                c = c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? 0 : c;
            }
        }
        (void)buf_byte(out, c);
    }
}

static struct step *add(struct dialogue *d, enum step_type type, unsigned line)
{
    d->steps = realloc(d->steps, (d->n + 1) * sizeof *d->steps);
    must(d->steps);
    d->steps[d->n] = (struct step){.type = type, .line = line, .from = d->text.n, .to = d->text.n};
    return &d->steps[d->n++];
}

static void setting(struct dialogue *d, slice name, slice value, unsigned line)
{
    uint32_t v = 0;
    bool number = slice_u32(value, &v);
    if (slice_eq(name, SLICE("service")))
        d->config.service = slice_eq(value, SLICE("mx"))           ? SMTP_MX
                            : slice_eq(value, SLICE("submission")) ? SMTP_SUBMISSION
                                                                   : SMTP_SUBMISSIONS;
    else if (slice_eq(name, SLICE("starttls")))
        d->config.tls_offered = true;
    else if (slice_eq(name, SLICE("tls")))
        d->config.tls_on = true;
    else if (slice_eq(name, SLICE("plaintext")))
        d->config.plaintext_login = true;
    else if (slice_eq(name, SLICE("once")))
        d->once = true;
    else if (slice_eq(name, SLICE("no-room")))
        d->no_room = true;
    else if (number && slice_eq(name, SLICE("recipients")))
        d->limits.recipients = v;
    else if (number && slice_eq(name, SLICE("message-bytes")))
        d->limits.message_bytes = v;
    else if (number && slice_eq(name, SLICE("errors")))
        d->limits.errors = v;
    else if (number && slice_eq(name, SLICE("idle-commands")))
        d->limits.idle_commands = v;
    else
        fail(d, line, "no such setting", name, SLICE("see README"));
}

static void parse_line(struct dialogue *d, slice s, unsigned line)
{
    slice rest = slice_sub(s, 3, s.n);
    struct step *step;
    if (s.n == 0 || s.p[0] == '#')
        return;
    if (slice_starts(s, SLICE("C:")) || slice_starts(s, SLICE("C<"))) {
        step = add(d, STEP_CLIENT, line);
        unescape(rest, &d->text);
        if (s.p[1] == ':')
            (void)buf_str(&d->text, "\r\n");
    } else if (slice_starts(s, SLICE("C*"))) { /* "C* 1000 text": that many times */
        slice count, text;
        uint32_t times;
        must(slice_split(rest, ' ', &count, &text) && slice_u32(count, &times));
        step = add(d, STEP_CLIENT, line);
        while (times--)
            unescape(text, &d->text);
    } else if (slice_starts(s, SLICE("S:"))) {
        step = add(d, STEP_SERVER, line);
        (void)buf_append(&d->text, rest);
    } else if (slice_starts(s, SLICE("E:"))) {
        step = add(d, STEP_EVENT, line);
        (void)buf_append(&d->text, rest);
    } else if (slice_starts(s, SLICE("T:"))) {
        uint32_t ms;
        must(slice_u32(rest, &ms));
        step = add(d, STEP_TIME, line);
        step->ms = ms;
    } else if (slice_eq(s, SLICE("TLS"))) {
        step = add(d, STEP_TLS, line);
    } else if (slice_eq(s, SLICE("DRAIN"))) {
        step = add(d, STEP_DRAIN, line);
    } else {
        slice name, value;
        (void)slice_split(s, ' ', &name, &value);
        setting(d, name, value, line);
        return;
    }
    step->to = d->text.n;
    if (step->type == STEP_CLIENT)
        d->client_bytes += step->to - step->from;
}

static bool load(struct dialogue *d, const char *path)
{
    static char text[1 << 20];
    struct cursor c;
    slice s;
    FILE *f = fopen(path, "rb");
    size_t n;
    unsigned line = 0;
    if (!f)
        return false;
    n = fread(text, 1, sizeof text, f);
    (void)fclose(f); /* read only */
    *d = (struct dialogue){.path = path, .limits = smtp_server_limits_default};
    d->config = (struct smtp_server_config){.hostname = SLICE("mx.test"),
                                            .auth_mechanisms = SLICE("SCRAM-SHA-256 PLAIN")};
    d->limits.slow_ms = 0;
    buf_init(&d->text, 1 << 24);
    c = cursor_of(slice_of(text, n));
    while (cursor_line(&c, &s))
        parse_line(d, s, ++line);
    return true;
}

static void unload(struct dialogue *d)
{
    buf_done(&d->text);
    free(d->steps);
}

static slice step_text(const struct dialogue *d, const struct step *s)
{
    return slice_sub(buf_view(&d->text), s->from, s->to);
}

static bool matches(slice got, slice want)
{
    if (want.n >= 3 && slice_eq(slice_from(want, want.n - 3), SLICE("...")))
        return slice_starts(got, slice_sub(want, 0, want.n - 3));
    return slice_eq(got, want);
}

struct run {
    struct driver driver;
    size_t fed, log_seen, out_seen;
    time_ms now;
};

static void feed(struct run *r, slice bytes, size_t cut)
{
    while (bytes.n) {
        size_t n = cut == BY_BYTE                           ? 1
                   : cut == WHOLE                           ? bytes.n
                   : r->fed < cut && cut - r->fed < bytes.n ? cut - r->fed
                                                            : bytes.n;
        driver_feed(&r->driver, slice_sub(bytes, 0, n));
        r->fed += n;
        bytes = slice_from(bytes, n);
    }
}

/* Takes the next line of what came out (up to a line end) and compares it. */
static bool expect(const struct dialogue *d, const struct step *s, const struct buf *from, size_t *seen)
{
    struct cursor c = cursor_of(slice_from(buf_view(from), *seen));
    slice got = {0};
    bool any = cursor_line(&c, &got);
    *seen = from->n - c.rest.n;
    if (any && matches(got, step_text(d, s)))
        return true;
    fail(d, s->line, s->type == STEP_EVENT ? "event" : "reply", got, step_text(d, s));
    return false;
}

/* Everything said has to be expected; events are looked at only where the dialogue names any. */
static bool nothing_left(const struct dialogue *d, const struct run *r, unsigned line, bool events)
{
    if (r->out_seen < r->driver.out.n) {
        fail(d, line, "reply nobody expected", slice_from(buf_view(&r->driver.out), r->out_seen), SLICE(""));
        return false;
    }
    if (events && r->log_seen < r->driver.log.n) {
        fail(d, line, "event nobody expected", slice_from(buf_view(&r->driver.log), r->log_seen), SLICE(""));
        return false;
    }
    return true;
}

static bool run_steps(const struct dialogue *d, struct run *r, size_t cut)
{
    bool events = false;
    for (size_t i = 0; i < d->n; i++) {
        const struct step *s = &d->steps[i];
        bool acts = s->type != STEP_SERVER && s->type != STEP_EVENT;
        if (acts && (i == 0 || d->steps[i - 1].type == STEP_SERVER || d->steps[i - 1].type == STEP_EVENT)) {
            if (!nothing_left(d, r, s->line, events))
                return false;
            r->log_seen = r->driver.log.n;
            events = false;
        }
        switch (s->type) {
        case STEP_CLIENT: /* lines that follow each other are sent together */
            if (i + 1 < d->n && d->steps[i + 1].type == STEP_CLIENT && cut == WHOLE) {
                struct step joined = *s;
                while (i + 1 < d->n && d->steps[i + 1].type == STEP_CLIENT)
                    joined.to = d->steps[++i].to;
                feed(r, step_text(d, &joined), cut);
            } else {
                feed(r, step_text(d, s), cut);
            }
            break;
        case STEP_SERVER:
            if (!expect(d, s, &r->driver.out, &r->out_seen))
                return false;
            break;
        case STEP_EVENT:
            events = true;
            if (!expect(d, s, &r->driver.log, &r->log_seen))
                return false;
            break;
        case STEP_TIME:
            r->now += s->ms;
            driver_tick(&r->driver, r->now);
            break;
        case STEP_TLS:
            must(r->driver.tls_wanted);
            driver_tls_started(&r->driver);
            break;
        case STEP_DRAIN:
            smtp_server_drain(r->driver.s);
            driver_feed(&r->driver, (slice){0});
            break;
        }
    }
    return nothing_left(d, r, d->n ? d->steps[d->n - 1].line : 0, events);
}

static bool run(const struct dialogue *d, size_t cut, enum driver_answers answers)
{
    struct run r = {.now = 1000};
    bool ok;
    driver_init(&r.driver, &d->config, answers);
    r.driver.no_room = d->no_room;
    smtp_server_greet(r.driver.s, NULL);
    driver_feed(&r.driver, (slice){0});
    ok = run_steps(d, &r, cut);
    if (!ok)
        fprintf(stderr, "  (cut at %zd, answers %d)\n", (ssize_t)cut, (int)answers);
    driver_done(&r.driver);
    return ok;
}

static unsigned run_all(struct dialogue *d)
{
    unsigned runs = 0;
    d->config.limits = &d->limits;
    for (int answers = DRIVER_AT_ONCE; answers <= DRIVER_BACKWARDS; answers++) {
        runs++;
        if (!run(d, WHOLE, (enum driver_answers)answers))
            return runs;
        if (d->once)
            continue;
        runs++;
        if (!run(d, BY_BYTE, (enum driver_answers)answers))
            return runs;
        for (size_t cut = 1; cut < size_min(d->client_bytes, 3000); cut++, runs++)
            if (!run(d, cut, (enum driver_answers)answers))
                return runs;
    }
    return runs;
}

int main(int argc, char **argv)
{
    unsigned runs = 0;
    for (int i = 1; i < argc; i++) {
        struct dialogue d;
        if (!load(&d, argv[i])) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
        d.config.limits = &d.limits;
        runs += run_all(&d);
        unload(&d);
    }
    printf("%d dialogues, %u runs, %u failed\n", argc - 1, runs, failures);
    return failures > 0 || argc < 2;
}
