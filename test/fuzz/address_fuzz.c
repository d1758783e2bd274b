/* address: any header value gives a list within its limits; any strict mailbox prints to a text that parses
 * to itself, and is a mailbox to the lenient reader too. */
#include "base/buf.h"
#include "core/mail/address.h"
#include "core/mail/header.h"
#include "core/mail/mailbox.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(slice value)
{
    struct arena a;
    struct address_list list;
    size_t open = 0;
    slice *ids, name;
    size_t n;
    arena_init(&a, "fuzz", 64u << 20);
    must(address_list_parse(value, &mail_limits_default, &a, &list));
    must(list.n <= mail_limits_default.addresses + 1);
    for (size_t i = 0; i < list.n; i++) {
        const struct address *x = &list.at[i];
        if (x->kind == ADDRESS_GROUP_START)
            must(open++ == 0);
        else if (x->kind == ADDRESS_GROUP_END)
            must(open-- == 1);
        must(x->name.n + x->local.n + x->domain.n <= 3 * value.n + 3);
        must(!slice_has(x->name, '\n') && !slice_has(x->local, '\n') && !slice_has(x->domain, '\n'));
        must(!slice_has(x->name, 0) && !slice_has(x->local, 0) && !slice_has(x->domain, 0));
        must(header_text(x->name, &a, &name) && utf8_valid(name));
    }
    must(open == 0);
    must(address_msg_ids(value, 5, &a, &ids, &n) && n <= 5);
    arena_done(&a);
}

static void check_mailbox(slice text)
{
    struct mailbox m, again;
    struct buf b;
    struct arena a;
    struct address_list list;
    if (mailbox_parse(text, MAILBOX_UTF8, &m))
        return;
    buf_init(&b, MAILBOX_TEXT_MAX);
    must(mailbox_print(&m, &b) == OK);
    must(mailbox_parse(buf_view(&b), MAILBOX_UTF8, &again) == OK);
    must(mailbox_same(&m, &again) && slice_eq(mailbox_local(&m), mailbox_local(&again)));
    must(!slice_has(buf_view(&b), '\r') && !slice_has(buf_view(&b), '\n') && !slice_has(buf_view(&b), 0));
    arena_init(&a, "fuzz", 1u << 20);
    must(address_list_parse(buf_view(&b), &mail_limits_default, &a, &list));
    must(list.n == 1 && slice_eq(list.at[0].local, mailbox_local(&m)));
    must(slice_eq(list.at[0].domain, mailbox_domain(&m)));
    arena_done(&a);
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice s = slice_of(data, size);
    struct cursor c = cursor_of(s);
    struct mailbox m;
    check_list(s);
    check_mailbox(s);
    if (path_parse(&c, MAILBOX_NULL | MAILBOX_POSTMASTER, &m) == OK)
        must(c.rest.n < s.n && !m.utf8);
    else
        must(c.rest.n == s.n);
    return 0;
}
