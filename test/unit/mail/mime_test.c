/* mime: the part tree at every cut of the input, and the stored ENVELOPE, BODY and BODYSTRUCTURE word for
 * word. */
#include "fuzz/mime_check.h"
#include "lib/test.h"

#include "core/mail/mime.h"

static void shown_tree(const struct part_table *t, struct buf *b)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct part_entry *p = &t->at[i];
        assert_int_equal(buf_print(b, "%d %.*s/%.*s %zu+%zu+%zu %zu\n",
                                   p->parent == PART_NONE ? -1 : (int)p->parent, SLICE_FMT(p->type),
                                   SLICE_FMT(p->subtype), (size_t)p->header_at, (size_t)p->header_bytes,
                                   (size_t)p->body_bytes, (size_t)p->lines),
                         OK);
    }
}

struct row {
    const char *text; /* LF stands for CRLF */
    const char *tree; /* parent type header_at+header_bytes+body_bytes lines */
    uint32_t defects; /* beyond the missing Date */
    bool lf;          /* as it is, with LF */
};

static const struct row rows[] = {
    {"A: b\n\nhello\n", "-1 text/plain 0+8+7 1\n", 0, false},
    {"A: b\n\nhello\n", "-1 text/plain 0+6+6 1\n", MAIL_DEFECT_BARE_LF, true},
    {"\nhello", "-1 text/plain 0+2+5 0\n", 0, false},
    {"", "-1 text/plain 0+0+0 0\n", MAIL_DEFECT_HEADER_NO_END, false},
    {"A: b\n", "-1 text/plain 0+6+0 0\n", MAIL_DEFECT_HEADER_NO_END, false},
    {"Content-Type: multipart/mixed; boundary=b\n\nx\n--b\n\none\n--b\nA: c\n\ntwo\n\n--b--\nx\n",
     "-1 multipart/mixed 0+45+45 11\n0 text/plain 53+2+3 0\n0 text/plain 65+8+5 1\n", 0, false},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n--b--",
     "-1 multipart/mixed 0+45+17 3\n0 text/plain 50+2+0 0\n0 text/plain 57+0+0 0\n",
     MAIL_DEFECT_HEADER_NO_END, false},
    {"Content-Type: multipart/mixed; boundary=\"b\"\n\n--b \t\n\none\n--b--  \n",
     "-1 multipart/mixed 0+47+23 4\n0 text/plain 54+2+3 0\n", 0, false},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n", /* never closed */
     "-1 multipart/mixed 0+45+12 3\n0 text/plain 50+2+5 1\n", MAIL_DEFECT_MIME_UNCLOSED, false},
    {"Content-Type: multipart/mixed; boundary=b\n\n--bx\n\none\n -- b\n--b-\n",
     "-1 multipart/mixed 0+45+26 5\n", MAIL_DEFECT_MIME_UNCLOSED, false},
    /* an outer delimiter ends what is inside */
    {"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; "
     "boundary=i\n\n--i\n\nx\n--o\n\ny\n"
     "--o--\n",
     "-1 multipart/mixed 0+45+77 10\n0 multipart/mixed 50+45+8 2\n1 text/plain 100+2+1 0\n0 text/plain "
     "110+2+1 0\n",
     0, false},
    /* one boundary the beginning of another */
    {"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; "
     "boundary=ab\n\n--ab\n\nx\n--ab--"
     "\n--a--\n",
     "-1 multipart/mixed 0+45+77 8\n0 multipart/mixed 50+46+17 3\n1 text/plain 102+2+1 0\n", 0, false},
    {"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; "
     "boundary=a\n\n--a\n\nx\n--a--\n",
     "-1 multipart/mixed 0+45+67 7\n0 multipart/mixed 50+45+17 4\n1 text/plain 100+2+1 0\n",
     MAIL_DEFECT_MIME_AMBIGUOUS | MAIL_DEFECT_MIME_UNCLOSED, false},
    /* messages inside */
    {"Content-Type: message/rfc822\n\nSubject: x\n\nhello\n",
     "-1 message/rfc822 0+32+21 3\n0 text/plain 32+14+7 1\n", 0, false},
    {"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\nhello\n--b--\n",
     "-1 multipart/digest 0+46+35 6\n0 message/rfc822 51+2+19 2\n1 text/plain 53+14+5 0\n", 0, false},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: x\n--b--\n",
     "-1 multipart/mixed 0+45+56 5\n0 message/rfc822 50+32+10 0\n1 text/plain 82+10+0 0\n",
     MAIL_DEFECT_HEADER_NO_END, false},
    {"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nSubject: x\n",
     "-1 application/octet-stream 0+67+12 1\n", MAIL_DEFECT_MIME_CTE | MAIL_DEFECT_MIME_AMBIGUOUS, false},
    /* what cannot be read is text */
    {"Content-Type: multipart/mixed\n\nhello\n", "-1 text/plain 0+33+7 1\n", MAIL_DEFECT_MIME_BOUNDARY,
     false},
    {"Content-Type: x\n\nhello\n", "-1 text/plain 0+19+7 1\n", MAIL_DEFECT_MIME_TYPE, false},
    {"Content-Type: text/html\nContent-Type: text/plain\n\nhello\n", "-1 text/html 0+53+7 1\n",
     MAIL_DEFECT_DUPLICATE | MAIL_DEFECT_MIME_AMBIGUOUS, false},
    {"Content-Transfer-Encoding: x-rot13\n\nhello\n", "-1 text/plain 0+38+7 1\n", MAIL_DEFECT_MIME_CTE,
     false},
    {"Content-Type: multipart/mixed; boundary=b\nno empty line\n--b\n\nx\n--b--\n",
     "-1 multipart/mixed 0+65+10 2\n", MAIL_DEFECT_HEADER_JUNK, false},
};

static void crlf(const char *text, bool lf, struct buf *out)
{
    buf_clear(out);
    for (; *text; text++) {
        if (*text == '\n' && !lf)
            assert_int_equal(buf_byte(out, '\r'), OK);
        assert_int_equal(buf_byte(out, (uint8_t)*text), OK);
    }
}

static void reads_the_tree_at_every_cut(void **state)
{
    struct buf text, tree;
    size_t wrong = 0;
    (void)state;
    buf_init(&text, 10000);
    buf_init(&tree, 10000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mail_summary s;
        struct arena a;
        slice whole;
        arena_init(&a, "test", 1 << 20);
        crlf(rows[i].text, rows[i].lf, &text);
        whole = guard_copy(buf_view(&text));
        assert_int_equal(mail_summarise(&whole, 1, &mail_limits_default, &a, &s), OK);
        buf_clear(&tree);
        shown_tree(&s.parts, &tree);
        if (!slice_eq(buf_view(&tree), slice_str(rows[i].tree)))
            print_error("row %zu:\n%.*s", i, SLICE_FMT(buf_view(&tree))), wrong++;
        if ((s.defects & ~(uint32_t)MAIL_DEFECT_DATE) != rows[i].defects)
            print_error("row %zu: defects %x\n", i, s.defects), wrong++;
        for (size_t cut = 1; cut <= whole.n + 1; cut++)
            mime_check(whole, cut, &mail_limits_default);
        guard_free(whole);
        arena_done(&a);
    }
    buf_done(&text);
    buf_done(&tree);
    assert_int_equal(wrong, 0);
}

/* The delimiter ends a header that has no empty line. */
static void a_delimiter_ends_a_header_too(void **state)
{
    static const slice in = SLICE_INIT(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: b\r\n--b\r\n\r\nx\r\n--b--\r\n");
    struct mail_summary s;
    struct arena a;
    (void)state;
    arena_init(&a, "test", 1 << 20);
    assert_int_equal(mail_summarise(&in, 1, &mail_limits_default, &a, &s), OK);
    assert_int_equal(s.parts.n, 3);
    assert_int_equal(s.parts.at[1].header_bytes, 4);
    assert_int_equal(s.parts.at[1].body_bytes, 0);
    assert_int_equal(s.parts.at[2].body_bytes, 1);
    assert_true(s.defects & MAIL_DEFECT_HEADER_NO_END);
    arena_done(&a);
}

static void stored(const char *text, const char *envelope, const char *body, const char *structure)
{
    struct mail_summary s;
    struct arena a;
    struct buf b;
    slice whole;
    arena_init(&a, "test", 1 << 20);
    buf_init(&b, 10000);
    crlf(text, false, &b);
    whole = buf_view(&b);
    assert_int_equal(mail_summarise(&whole, 1, &mail_limits_default, &a, &s), OK);
    assert_slice(s.envelope, envelope);
    if (body)
        assert_slice(s.body, body);
    if (structure)
        assert_slice(s.bodystructure, structure);
    arena_done(&a);
    buf_done(&b);
}

static void stores_what_imap_sends(void **state)
{
    (void)state;
    /* RFC 9051 §7.5.2's example message */
    stored(
        "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\nFrom: Terry Gray <gray@cac.washington.edu>\nSubject: "
        "IMAP4rev2 "
        "WG mtg summary and minutes\nTo: imap@cac.washington.edu\ncc: minutes@CNRI.Reston.VA.US, John "
        "Klensin "
        "<KLENSIN@MIT.EDU>\nMessage-Id: <B27397-0100000@cac.washington.ed>\nMIME-Version: 1.0\nContent-Type: "
        "TEXT/PLAIN; CHARSET=US-ASCII\n\nx\n",
        "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" ((\"Terry "
        "Gray\" NIL "
        "\"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry "
        "Gray\" "
        "NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) ((NIL NIL "
        "\"minutes\" "
        "\"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
        "\"<B27397-0100000@cac.washington.ed>\")",
        "(\"TEXT\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1)",
        "(\"TEXT\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1 NIL NIL NIL NIL)");
    stored(
        "From: \"a \\\"b\\\" \\\\\" <c@d>\nTo: g: x@y;, undisclosed:;\nBcc: <@r:a@b>\nReply-To: "
        "r@s\nSubject: folded\n "
        "and \"quoted\"\nIn-Reply-To: <1@a>\n\n",
        "(NIL \"folded and \\\"quoted\\\"\" ((\"a \\\"b\\\" \\\\\" NIL \"c\" \"d\")) ((\"a \\\"b\\\" \\\\\" "
        "NIL \"c\" "
        "\"d\")) ((NIL NIL \"r\" \"s\")) ((NIL NIL \"g\" NIL)(NIL NIL \"x\" \"y\")(NIL NIL NIL NIL)(NIL NIL "
        "\"undisclosed\" NIL)(NIL NIL NIL NIL)) NIL ((NIL \"@r\" \"a\" \"b\")) \"<1@a>\" NIL)",
        NULL, NULL);
    stored("Subject: Gr\xC3\xBC\xC3\x9F"
           "e\nTo: \xC3\xA9@x\n\n",
           "(NIL {7}\r\nGr\xC3\xBC\xC3\x9F"
           "e NIL NIL NIL ((NIL NIL {2}\r\n\xC3\xA9 \"x\")) NIL NIL NIL NIL)",
           NULL, NULL);
}

/* After James's FetchMultipartBodyStructure (imap-mpt): types upper case, lines without the delimiter's line
 * end. */
static void stores_trees_as_peers_do(void **state)
{
    (void)state;
    stored(
        "Content-Type: multipart/mixed;boundary=1729\n\npreamble\n\n--1729\nContent-Type: text/plain; "
        "charset=US-ASCII\nContent-Language: en, en-US (x), de\nContent-Location: x/y\n\nRhubarb!\n\n--1729\n"
        "Content-Type: image/gif; name*=utf-8''%e2; x=\"\"\nContent-Transfer-Encoding: base64\nContent-ID: "
        "<5@x>\n"
        "Content-Description: a \"picture\"\nContent-MD5: Q2hlY2s=\nContent-Disposition: ATTACHMENT; "
        "filename=\"p.gif\"\n\nABCD\n--1729\nContent-Type: message/rfc822\n\nFrom: "
        "t@x\n\nhi\n--1729\nContent-Type: "
        "multipart/alternative; boundary=e\n\n--1729--\n",
        "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
        "((\"TEXT\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 10 1)(\"IMAGE\" \"GIF\" (\"name*\" "
        "\"utf-8''%e2\" \"x\" \"\") \"<5@x>\" \"a \\\"picture\\\"\" \"BASE64\" 4)(\"MESSAGE\" \"RFC822\" NIL "
        "NIL NIL "
        "\"7BIT\" 15 (NIL NIL ((NIL NIL \"t\" \"x\")) ((NIL NIL \"t\" \"x\")) ((NIL NIL \"t\" \"x\")) NIL "
        "NIL NIL "
        "NIL NIL) (\"TEXT\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 2 0) 2)((\"TEXT\" "
        "\"PLAIN\" "
        "(\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0) \"ALTERNATIVE\") \"MIXED\")",
        "((\"TEXT\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 10 1 NIL NIL (\"en\" \"en-US\" "
        "\"de\") "
        "\"x/y\")(\"IMAGE\" \"GIF\" (\"name*\" \"utf-8''%e2\" \"x\" \"\") \"<5@x>\" \"a \\\"picture\\\"\" "
        "\"BASE64\" 4 "
        "\"Q2hlY2s=\" (\"attachment\" (\"filename\" \"p.gif\")) NIL NIL)(\"MESSAGE\" \"RFC822\" NIL NIL NIL "
        "\"7BIT\" 15 "
        "(NIL NIL ((NIL NIL \"t\" \"x\")) ((NIL NIL \"t\" \"x\")) ((NIL NIL \"t\" \"x\")) NIL NIL NIL NIL "
        "NIL) "
        "(\"TEXT\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 2 0 NIL NIL NIL NIL) 2 NIL NIL NIL "
        "NIL)((\"TEXT\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0 NIL NIL NIL NIL) "
        "\"ALTERNATIVE\" "
        "(\"boundary\" \"e\") NIL NIL NIL) \"MIXED\" (\"boundary\" \"1729\") NIL NIL NIL)");
}

static void deep_and_many_parts_become_opaque(void **state)
{
    struct buf b;
    struct mail_summary s;
    struct arena a;
    slice whole;
    (void)state;
    buf_init(&b, 64u << 20);
    arena_init(&a, "test", MAIL_SUMMARY_ARENA_MAX);
    for (unsigned i = 0; i < 100000; i++) /* THREATS 7: 10^5 nested multiparts */
        assert_int_equal(buf_print(&b, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i),
                         OK);
    whole = buf_view(&b);
    assert_int_equal(mail_summarise(&whole, 1, &mail_limits_default, &a, &s), OK);
    assert_int_equal(s.parts.n, 33);
    assert_true(s.defects & MAIL_DEFECT_MIME_DEPTH);
    assert_slice(s.parts.at[32].subtype, "octet-stream");
    assert_int_equal(s.parts.at[32].body_at + s.parts.at[32].body_bytes, whole.n);
    arena_reset(&a);
    buf_clear(&b);
    assert_int_equal(buf_str(&b, "Content-Type: multipart/mixed; boundary=b\r\n\r\n"), OK);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf_print(&b, "--b\r\n\r\nx\r\n"), OK);
    whole = buf_view(&b);
    assert_int_equal(mail_summarise(&whole, 1, &mail_limits_default, &a, &s), OK);
    assert_int_equal(s.parts.n, 1000);
    assert_true(s.defects & MAIL_DEFECT_MIME_PARTS);
    assert_slice(s.parts.at[999].subtype, "octet-stream");
    assert_int_equal(s.parts.at[999].body_at + s.parts.at[999].body_bytes, whole.n);
    mime_check_tree(&s.parts, whole.n, &mail_limits_default);
    arena_done(&a);
    buf_done(&b);
}

static void tells_when_memory_is_out(void **state)
{
    struct buf b;
    slice whole;
    bool enough = false;
    (void)state;
    buf_init(&b, 10000);
    crlf(rows[5].text, false, &b);
    whole = buf_view(&b);
    for (size_t cap = 0; cap < 40000; cap += 64) {
        struct mail_summary s = {0};
        struct arena a;
        enum err e;
        arena_init(&a, "test", cap);
        e = mail_summarise(&whole, 1, &mail_limits_default, &a, &s);
        assert_true(e == OK || (e == ERR_LIMIT && !enough && s.bytes == 0));
        enough |= e == OK;
        arena_done(&a);
    }
    assert_true(enough);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_tree_at_every_cut),
        cmocka_unit_test(a_delimiter_ends_a_header_too),
        cmocka_unit_test(stores_what_imap_sends),
        cmocka_unit_test(stores_trees_as_peers_do),
        cmocka_unit_test(deep_and_many_parts_become_opaque),
        cmocka_unit_test(tells_when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
