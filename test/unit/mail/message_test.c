/* message: the summary the store keeps: dates, subjects, ids, text for search and preview. */
#include "lib/test.h"

#include "core/mail/mail_text.h"
#include "core/mail/message.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, "test", 4u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void sums_up_a_message_in_pieces(void **state)
{
    static const slice pieces[] = {
        SLICE_INIT("Return-Path: <x@y>\r\nReceived: from a by b; now\r\n"),
        SLICE_INIT("Received: r2\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nFrom: \"A, B\" <a@b>\r\nSender: "
                   "s@b\r\nTo: c@d, e@f\r\n"
                   "Cc: g@h\r\nSubj"),
        SLICE_INIT(
            "ect: Re: [list] =?iso-8859-1?q?Gr=FC=DFe?=\r\nMessage-ID: <1@b>\r\nIn-Reply-To: <0@c> <9@z>\r\n"
            "References: <x@c>\r\n\t<0@c>\r\n\r\nHello\r\n  world,\tthis"),
        SLICE_INIT(" is text.\r\n"),
    };
    struct mail_summary s;
    (void)state;
    assert_int_equal(mail_summarise(pieces, ARRAY_LEN(pieces), &mail_limits_default, &arena, &s), OK);
    assert_true(s.has_date && s.sent_at == 880127706000 && s.sent_zone == -360);
    assert_slice(s.subject, "Re: [list] Gr\xC3\xBC\xC3\x9F"
                            "e");
    assert_slice(s.base_subject, "Gr\xC3\xBC\xC3\x9F"
                                 "e");
    assert_true(s.is_reply);
    assert_slice(s.message_id, "1@b");
    assert_slice(s.in_reply_to, "0@c");
    assert_int_equal(s.references_n, 2);
    assert_slice(s.references[0], "x@c");
    assert_slice(s.references[1], "0@c");
    assert_int_equal(s.from.n, 1);
    assert_slice(s.from.at[0].name, "A, B");
    assert_int_equal(s.to.n, 2);
    assert_int_equal(s.cc.n, 1);
    assert_slice(s.sender.at[0].local, "s");
    assert_int_equal(s.received, 2);
    assert_int_equal(s.from_fields, 1);
    assert_int_equal(s.defects, 0);
    assert_false(s.has_attachment);
    assert_slice(s.preview, "Hello world, this is text.");
    assert_int_equal(s.bytes, s.header_bytes + 31);
}

static void previews_what_people_read_first(void **state)
{
    static const struct {
        const char *message, *preview;
    } rows[] = {
        {"\r\nplain\r\n", "plain"},
        {"\r\n", ""},
        {"Content-Type: image/png\r\n\r\nxx", ""},
        {"Content-Transfer-Encoding: base64\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n5Gg=\r\n",
         "\xC3\xA4h"},
        {"Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; "
         "charset=utf-8\r\n\r\n=C3=A4=\r\nh\r\n",
         "\xC3\xA4h"},
        {"Content-Type: text/html\r\n\r\n<html><head><title>t</title><style>p { color: red "
         "}</style></head><body "
         "class=\"x\"><!-- <b>no</b> --><p>Hi&nbsp;&amp; bye</p><script>no()</script>&unknown; end",
         "Hi & bye &unknown; end"},
        {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: "
         "text/html\r\n\r\nhtml\r\n--b\r\n\r\nplain\r\n--b--\r\n",
         "plain"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: "
         "attachment\r\n\r\natt\r\n--b\r\n\r\nplain\r\n--b--\r\n",
         "plain"},
        {"Content-Type: text/html\r\n\r\n<style>never closed", ""},
        {"Content-Type: text/html\r\n\r\na<b", "a"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice m = guard_copy(slice_str(rows[i].message));
        struct mail_summary s;
        assert_int_equal(mail_summarise(&m, 1, &mail_limits_default, &arena, &s), OK);
        assert_slice(s.preview, rows[i].preview);
        guard_free(m);
    }
}

static void previews_are_short_and_whole(void **state)
{
    struct buf b;
    struct mail_summary s;
    slice m;
    (void)state;
    buf_init(&b, 100000);
    assert_int_equal(buf_str(&b, "Content-Type: text/plain; charset=utf-8\r\n\r\n"), OK);
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(buf_str(&b, "\xE2\x82\xAC"), OK);
    m = buf_view(&b);
    assert_int_equal(mail_summarise(&m, 1, &mail_limits_default, &arena, &s), OK);
    assert_int_equal(s.preview.n, 3 * MAIL_PREVIEW_CHARS);
    buf_done(&b);
}

static bool gather(void *arg, const struct part_entry *part, slice utf8)
{
    struct buf *b = arg;
    (void)part;
    assert_int_equal(buf_append(b, utf8), OK);
    assert_int_equal(buf_byte(b, '|'), OK);
    return true;
}

static void gives_text_for_search(void **state)
{
    static const char text[] =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; "
        "charset=windows-1251\r\n\r\n\xCF\xF0\r\n--b\r\nContent-Type: text/html\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nPGI+aGk8L2I+\r\n--b\r\nContent-Type: "
        "image/png\r\n\r\nno\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninner\r\n--b--\r\n";
    struct mail_summary s;
    struct buf b;
    slice m = slice_str(text);
    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(mail_summarise(&m, 1, &mail_limits_default, &arena, &s), OK);
    for (size_t cut = 0; cut <= m.n; cut += 7) {
        slice pieces[2] = {slice_sub(m, 0, cut), slice_from(m, cut)};
        buf_clear(&b);
        assert_int_equal(mail_text_each(pieces, 2, &s.parts, 1000, gather, &b), OK);
        assert_slice(buf_view(&b), "\xD0\x9F\xD1\x80|<b>hi</b>|inner|");
    }
    buf_clear(&b);
    assert_int_equal(mail_text_each(&m, 1, &s.parts, 7, gather, &b), OK);
    assert_slice(buf_view(&b), "\xD0\x9F\xD1\x80|<b>|"); /* the bound cuts */
    buf_clear(&b);
    m.n -= 30;
    assert_int_equal(mail_text_each(&m, 1, &s.parts, 1000, gather, &b), ERR_CORRUPT);
    buf_done(&b);
}

static void tells_attachments(void **state)
{
    static const struct {
        const char *header;
        bool attachment;
    } rows[] = {
        {"Content-Type: text/plain", false},
        {"Content-Disposition: attachment", true},
        {"Content-Disposition: inline", false},
        {"Content-Type: application/pdf; name=x.pdf", true},
        {"Content-Type: image/png; name=x.png\r\nContent-ID: <1>\r\nContent-Disposition: inline", false},
        {"Content-Type: text/plain; name=x.txt", false},
        {"Content-Disposition: x-unknown", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice m = slice_str(rows[i].header);
        struct mail_summary s;
        assert_int_equal(mail_summarise(&m, 1, &mail_limits_default, &arena, &s), OK);
        if (s.has_attachment != rows[i].attachment)
            fail_msg("%s", rows[i].header);
    }
}

static void counts_what_decides_about_trust(void **state)
{
    slice m = SLICE("From: a@b\r\nfrom: c@d\r\nDate: never\r\n\r\n");
    struct mail_summary s;
    (void)state;
    assert_int_equal(mail_summarise(&m, 1, &mail_limits_default, &arena, &s), OK);
    assert_int_equal(s.from_fields, 2);
    assert_int_equal(s.defects, MAIL_DEFECT_DUPLICATE | MAIL_DEFECT_DATE);
    assert_false(s.has_date);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_up_a_message_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(previews_what_people_read_first, setup, teardown),
        cmocka_unit_test_setup_teardown(previews_are_short_and_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_text_for_search, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_attachments, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_what_decides_about_trust, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
