/* What can be set for a domain: right values are kept in one form, wrong ones refused with words. */
#include "lib/test.h"

#include "policy/domain_setting.h"

static void good(const char *name, const char *value, const char *kept)
{
    const struct domain_setting *s = domain_setting_find(slice_str(name));
    struct err_detail d = {""};
    struct buf b = {.max = 4096}, again = {.max = 4096};
    slice copy = guard_copy(slice_str(value));
    assert_non_null(s);
    if (domain_setting_check(s, copy, &b, &d) != OK)
        fail_msg("%s %s: %s", name, value, d.text);
    assert_slice(buf_view(&b), kept);
    assert_int_equal(domain_setting_check(s, buf_view(&b), &again, &d), OK);
    assert_slice(buf_view(&again), kept);
    buf_done(&b);
    buf_done(&again);
    guard_free(copy);
}

static void bad(const char *name, const char *value, const char *words)
{
    struct err_detail d = {""};
    struct buf b = {.max = 4096};
    buf_str(&b, "as before");
    assert_int_not_equal(domain_setting_check(domain_setting_find(slice_str(name)), slice_str(value), &b, &d),
                         OK);
    assert_slice(buf_view(&b), "as before");
    if (!strstr(d.text, words))
        fail_msg("\"%s\" does not say \"%s\"", d.text, words);
    buf_done(&b);
}

static void words(void **state)
{
    (void)state;
    good("sign", "on", "on");
    good("sign", " OFF ", "off");
    good("dmarc", "Quarantine", "quarantine");
    bad("sign", "yes", "sign is one of on|off, not \"yes\"");
    bad("sign", "", "on|off");
    bad("sign", "on|off", "on|off");
    bad("dmarc", "on", "none|quarantine|reject");
}

static void lists(void **state)
{
    (void)state;
    good("sign-headers", "List-Unsubscribe, List-Unsubscribe-Post", "list-unsubscribe,list-unsubscribe-post");
    good("sign-headers", "", "");
    good("sign-headers", " , ,", "");
    good("sign-headers", "X-A X-B,x-a", "x-a,x-b");
    bad("sign-headers", "Sub:ject", "no name of a header field");
    bad("sign-headers", "a;b", "no name of a header field");
    bad("sign-headers", "Return-Path", "changes on the way");
    bad("sign-headers", "ARC-Seal", "changes on the way");
    good("spf-include", "_spf.Example.ORG. spf.example.net", "_spf.example.org,spf.example.net");
    good("spf-include",
         "b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example");
    bad("spf-include", "example", "no domain name");
    bad("spf-include", "a..b", "no domain name");
    bad("spf-include", "a.b c.d e.f g.h i.j k.l m.n o.p q.r", "at most 8");
    good("trust-sealers", "lists.example.org,lists.example.org", "lists.example.org");
}

static void long_values_end(void **state)
{
    struct buf b = {.max = 65536};
    (void)state;
    for (int i = 0; i < 60; i++)
        buf_print(&b, "%02d-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.org ", i);
    buf_byte(&b, 0);
    bad("trust-sealers", (const char *)b.p, "longer than");
    buf_done(&b);
}

static void names(void **state)
{
    (void)state;
    assert_null(domain_setting_find(SLICE("Sign")));
    assert_null(domain_setting_find(SLICE("")));
    assert_string_equal(domain_setting_near(SLICE("Sign_Headers"))->name, "sign-headers");
    assert_string_equal(domain_setting_near(SLICE("spf"))->name, "spf-include");
    assert_string_equal(domain_setting_near(SLICE("dmarcs"))->name, "dmarc");
    assert_null(domain_setting_near(SLICE("colour")));
    for (size_t i = 0; i < DOMAIN_SETTING__COUNT; i++) {
        const struct domain_setting *s = &domain_settings[i];
        assert_ptr_equal(domain_setting_find(slice_str(s->name)), s);
        assert_true(strlen(s->name) <= DOMAIN_SETTING_NAME_MAX && s->help && *s->help);
        good(s->name, s->initial, s->initial);
    }
}

static void items(void **state)
{
    slice list = SLICE("a,,b"), item;
    (void)state;
    assert_true(domain_setting_item(&list, &item));
    assert_slice(item, "a");
    assert_true(domain_setting_item(&list, &item));
    assert_slice(item, "b");
    assert_false(domain_setting_item(&list, &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words), cmocka_unit_test(lists),
                                       cmocka_unit_test(long_values_end), cmocka_unit_test(names),
                                       cmocka_unit_test(items)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
