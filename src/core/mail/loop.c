/* loop: is this message going in circles? (RFC 5321 §6.3, RFC 9228) */
#include "core/mail/header.h"
#include "core/mail/mailbox.h"
#include "core/mail/message.h"

uint32_t mail_received_count(slice header)
{
    return (uint32_t)header_count(header, SLICE("received"));
}

/* Delivered-To's value is one mailbox; a careless "<...>" around it is let pass (RFC 9228 §3). */
static bool loop_is_address(slice value, slice key)
{
    struct mailbox m;
    struct buf CLEANUP(buf_done) text = {0};
    value = slice_trim(value);
    if (value.n >= 2 && value.p[0] == '<' && value.p[value.n - 1] == '>')
        value = slice_sub(value, 1, value.n - 1);
    if (mailbox_parse(value, MAILBOX_UTF8, &m))
        return false;
    buf_init(&text, MAILBOX_TEXT_MAX);
    return !mailbox_key(&m, &text) && slice_eq(buf_view(&text), key);
}

bool mail_delivered_to(slice header, slice key)
{
    struct header_iter it = header_iter(header, &mail_limits_default);
    struct header_field f;
    while (header_next(&it, &f))
        if (slice_eq_nocase(f.name, SLICE("delivered-to")) && loop_is_address(f.value, key))
            return true;
    return false;
}
