/* Mutation: every octet of a signed message is changed in turn, in several ways. The signature still passes
 * exactly when the canonical forms are the same, as a slow reading of RFC 6376 §3.4 and §3.7 makes them, and
 * the header block still parses. For both algorithms and all four pairs of canonical forms. */
#include "dkim_kit.h"

static const char message[] = "Received: by x\r\n"
                              "From: Alice  B <alice@example.org>\r\n"
                              "To: bob@example.net\r\n"
                              "X-Other: not  signed\r\n"
                              "Subject: two  words and\r\n\t a fold\r\n"
                              "to : second@example.net\r\n"
                              "\r\n"
                              "A line  with\tblanks \t\r\n"
                              " \r\n"
                              "\r\n"
                              "last\r\n"
                              "\r\n"
                              " \t\r\n";

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void slow_value(slice v, struct buf *out)
{
    bool gap = false, begun = false;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '\r' || v.p[i] == '\n')
            continue;
        if (blank(v.p[i])) {
            gap = true;
            continue;
        }
        if (gap && begun)
            buf_byte(out, ' ');
        gap = false;
        begun = true;
        buf_byte(out, v.p[i]);
    }
}

/* raw is without its last line end. */
static void slow_field(enum dkim_canon canon, slice raw, struct buf *out)
{
    slice name, value;
    (void)slice_split(raw, ':', &name, &value);
    if (canon == DKIM_SIMPLE) {
        buf_append(out, raw);
        return;
    }
    name = slice_trim(name);
    for (size_t i = 0; i < name.n; i++)
        buf_byte(out, ascii_lower(name.p[i]));
    buf_byte(out, ':');
    slow_value(value, out);
}

/* Appends the field without the value of its b= tag, and what counts of that value. */
static bool slow_signature(enum dkim_canon canon, slice raw, struct buf *out)
{
    struct buf rest CLEANUP(buf_done), b CLEANUP(buf_done);
    slice head, tags, tag;
    bool found = false, more;
    buf_init(&rest, 10000);
    buf_init(&b, 10000);
    (void)slice_split(raw, ':', &head, &tags);
    buf_append(&rest, head);
    buf_byte(&rest, ':');
    do {
        slice name, value;
        more = slice_split(tags, ';', &tag, &tags);
        bool is = slice_split(tag, '=', &name, &value) && slice_eq(slice_trim(name), SLICE("b"));
        if (is) {
            found = true;
            for (size_t i = 0; i < value.n; i++)
                if (!blank(value.p[i]) && value.p[i] != '\r' && value.p[i] != '\n' &&
                    value.p[i] != '=') /* the padding may be left out */
                    buf_byte(&b, value.p[i]);
            buf_append(&rest, name);
            buf_byte(&rest, '=');
        } else {
            buf_append(&rest, tag);
        }
        if (more)
            buf_byte(&rest, ';');
    } while (more);
    slow_field(canon, buf_view(&rest), out);
    buf_byte(out, '\n');
    buf_append(out, buf_view(&b));
    return found;
}

static void slow_body(enum dkim_canon canon, slice body, struct buf *out)
{
    struct buf text CLEANUP(buf_done);
    buf_init(&text, 10000);
    while (body.n) {
        size_t end = slice_find(body, SLICE("\r\n"));
        slice line = slice_sub(body, 0, end);
        bool whole = end < body.n, gap = false;
        if (canon == DKIM_SIMPLE) {
            buf_append(&text, line);
        } else {
            while (line.n && blank(line.p[line.n - 1]))
                line.n--;
            for (size_t i = 0; i < line.n; i++) {
                if (blank(line.p[i])) {
                    gap = true;
                    continue;
                }
                if (gap)
                    buf_byte(&text, ' ');
                gap = false;
                buf_byte(&text, line.p[i]);
            }
        }
        if (whole || line.n)
            buf_str(&text, "\r\n");
        body = slice_from(body, end + 2);
    }
    while (text.n >= 4 && memcmp(text.p + text.n - 4, "\r\n\r\n", 4) == 0)
        text.n -= 2;
    buf_append(out, buf_view(&text));
}

struct line {
    slice raw, name;
};

/* The header as a list of fields; false when a line is none. */
static bool slow_lines(slice header, struct line *lines, size_t *n)
{
    *n = 0;
    while (header.n) {
        size_t end = slice_find(header, SLICE("\r\n"));
        while (end + 2 < header.n && blank(header.p[end + 2]))
            end += 2 + slice_find(slice_from(header, end + 2), SLICE("\r\n"));
        slice raw = slice_sub(header, 0, end), name, value;
        if (!slice_split(raw, ':', &name, &value))
            return false;
        while (name.n && blank(name.p[name.n - 1]))
            name.n--;
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] <= 32 || name.p[i] >= 127)
                return false;
        for (size_t i = 0; i < raw.n; i++) {
            bool pair = raw.p[i] == '\r' && i + 1 < raw.n && raw.p[i + 1] == '\n';
            bool second = raw.p[i] == '\n' && i > 0 && raw.p[i - 1] == '\r';
            if (raw.p[i] == 0 || ((raw.p[i] == '\r' || raw.p[i] == '\n') && !pair && !second))
                return false;
        }
        if (name.n == 0)
            return false;
        lines[(*n)++] = (struct line){raw, name};
        header = slice_from(header, end + 2);
    }
    return true;
}

/* All that is signed, in one text; false when nothing valid can be. */
static bool slow_form(const struct dkim_form *form, slice m, struct buf *out)
{
    struct line lines[100];
    bool used[100] = {false}, ok = false;
    size_t n, end = 0;
    slice rest = slice_str(form->h), name;
    /* the empty line ends the header; a line end that lost its CR is junk, and found as such */
    while (end < m.n && !(m.p[end] == '\r' && slice_starts(slice_from(m, end), SLICE("\r\n\r\n"))))
        end++;
    buf_clear(out);
    if (!slow_lines(slice_sub(m, 0, end + 2), lines, &n))
        return false;
    for (bool more = true; more;) {
        more = slice_split(rest, ':', &name, &rest);
        for (size_t i = n; i-- > 0;)
            if (!used[i] && slice_eq_nocase(lines[i].name, name)) {
                used[i] = true;
                slow_field(form->header, lines[i].raw, out);
                buf_byte(out, '\n');
                break;
            }
    }
    for (size_t i = 0; i < n && !ok; i++)
        if (slice_eq_nocase(lines[i].name, SLICE("DKIM-Signature")))
            ok = slow_signature(form->header, lines[i].raw, out);
    buf_byte(out, '\n');
    slow_body(form->body, slice_from(m, end + 4), out);
    return ok;
}

/* Every octet taken out, and something put in before it, in turn. */
static void shift(struct dkim_kit *k, const struct dkim_form *form, slice m, slice want)
{
    static const slice in[] = {SLICE_INIT(""),         SLICE_INIT(" "),  SLICE_INIT("\t"),
                               SLICE_INIT("\r\n"),     SLICE_INIT("\n"), SLICE_INIT("\r\n "),
                               SLICE_INIT("\r\n\r\n"), SLICE_INIT(":"),  SLICE_INIT("x")};
    struct buf changed CLEANUP(buf_done), got CLEANUP(buf_done);
    size_t passed = 0;
    buf_init(&changed, 10000);
    buf_init(&got, 10000);
    for (size_t i = 0; i <= m.n; i++)
        for (size_t j = 0; j < ARRAY_LEN(in); j++) {
            buf_clear(&changed);
            buf_append(&changed, slice_sub(m, 0, i));
            buf_append(&changed, in[j]);
            buf_append(&changed, slice_from(m, j == 0 ? i + 1 : i));
            dkim_kit_verify(k, buf_view(&changed), 0, KIT_NOW);
            bool pass = k->n > 0 && k->results[0].result == AUTH_PASS;
            bool should = slow_form(form, buf_view(&changed), &got) && slice_eq(want, buf_view(&got));
            if (pass != should)
                fail_msg("%s: before octet %zu \"%.*s\": %s, but should %s (%.*s)", form->tags, i,
                         SLICE_FMT(in[j]), pass ? "passes" : "does not pass", should ? "pass" : "not pass",
                         SLICE_FMT(k->n ? k->results[0].reason : SLICE("no signature")));
            passed += pass;
        }
    assert_true(passed > 50);
}

static void mutate(struct dkim_kit *k, const struct dkim_form *form)
{
    struct buf m CLEANUP(buf_done), want CLEANUP(buf_done), got CLEANUP(buf_done);
    size_t passed = 0, failed = 0;
    buf_init(&m, 10000);
    buf_init(&want, 10000);
    buf_init(&got, 10000);
    dkim_kit_sign(k, form, slice_str(message), SIZE_MAX, &m);
    assert_int_equal(dkim_kit_one(k, buf_view(&m))->result, AUTH_PASS);
    assert_true(slow_form(form, buf_view(&m), &want));
    for (size_t i = 0; i < m.n; i++) {
        uint8_t was = m.p[i];
        const uint8_t to[] = {(uint8_t)(was ^ 1), (uint8_t)(was ^ 0x20), ' ', '\t', '\n', 'x', 0};
        for (size_t j = 0; j < ARRAY_LEN(to); j++) {
            if (to[j] == was)
                continue;
            m.p[i] = to[j];
            dkim_kit_verify(k, buf_view(&m), 0, KIT_NOW);
            bool pass = k->n > 0 && k->results[0].result == AUTH_PASS;
            bool should = slow_form(form, buf_view(&m), &got) && slice_eq(buf_view(&want), buf_view(&got));
            if (pass != should)
                fail_msg("%s: octet %zu, 0x%02x to 0x%02x: %s, but should %s (%.*s)", form->tags, i, was,
                         to[j], pass ? "passes" : "does not pass", should ? "pass" : "not pass",
                         SLICE_FMT(k->n ? k->results[0].reason : SLICE("no signature")));
            pass ? passed++ : failed++;
        }
        m.p[i] = was;
    }
    shift(k, form, buf_view(&m), buf_view(&want));
    assert_true(passed > 50); /* unsigned fields, and blanks where they do not count */
    assert_true(failed > 1000);
}

#define TAGS(a, c) "v=1; a=" a "; c=" c ";\r\n d=example.org; s="
#define NAMES      "; h=from:to:subject:to:subject"

static void test_mutation(void **state)
{
    static const struct dkim_form forms[] = {
        {false, DKIM_RELAXED, DKIM_RELAXED, TAGS("rsa-sha256", "relaxed/relaxed") "r" NAMES,
         "from:to:subject:to:subject"},
        {false, DKIM_SIMPLE, DKIM_SIMPLE, TAGS("rsa-sha256", "simple/simple") "r" NAMES,
         "from:to:subject:to:subject"},
        {true, DKIM_RELAXED, DKIM_RELAXED, TAGS("ed25519-sha256", "relaxed/relaxed") "e" NAMES,
         "from:to:subject:to:subject"},
        {true, DKIM_SIMPLE, DKIM_SIMPLE, TAGS("ed25519-sha256", "simple") "e" NAMES,
         "from:to:subject:to:subject"},
        {true, DKIM_RELAXED, DKIM_SIMPLE, TAGS("ed25519-sha256", "relaxed") "e" NAMES,
         "from:to:subject:to:subject"},
        {true, DKIM_SIMPLE, DKIM_RELAXED, TAGS("ed25519-sha256", "simple/relaxed") "e" NAMES,
         "from:to:subject:to:subject"},
    };
    struct dkim_kit k;
    (void)state;
    dkim_kit_init(&k);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        mutate(&k, &forms[i]);
    dkim_kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
