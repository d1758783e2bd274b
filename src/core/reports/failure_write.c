#include "core/reports/failure_write.h"

#include "core/mail/address.h"
#include "core/mail/header.h"
#include "core/reports/report_text.h"
#include "text/date.h"

#define ARENA_MAX ((size_t)1 << 20)
#define VALUE_MAX ((size_t)16 * 1024)
#define REDACTED  "redacted"

/* ---- is one asked for? */

static bool asked_for(uint8_t letter, const struct failure_result *r, slice *out)
{
    bool wanted = false;
    switch (ascii_lower(letter)) {
    case '0':
        wanted = !r->spf_aligned && !r->dkim_aligned;
        *out = SLICE("dmarc");
        break;
    case '1':
        wanted = !r->spf_aligned || !r->dkim_aligned;
        *out = SLICE("dmarc");
        break;
    case 'd':
        wanted = r->dkim_failed;
        *out = SLICE("signature");
        break;
    case 's':
        wanted = r->spf == AUTH_FAIL || r->spf == AUTH_SOFTFAIL;
        *out = SLICE("spf");
        break;
    default:
        break;
    }
    return wanted;
}

slice failure_asked(slice fo, const struct failure_result *r)
{
    slice rest = fo.n ? fo : SLICE("0"), item, word;
    while (rest.n) {
        (void)slice_split(rest, ':', &item, &rest); /* the last one has no ":" */
        item = slice_trim(item);
        if (item.n == 1 && asked_for(item.p[0], r, &word))
            return word;
    }
    return (slice){0};
}

bool failure_exempt(slice header)
{
    struct header_field f;
    if (header_find(header, SLICE("Auto-Submitted"), &f) &&
        !slice_starts_nocase(slice_trim(f.value), SLICE("no")))
        return true;
    return header_find(header, SLICE("Content-Type"), &f) &&
           slice_starts_nocase(slice_trim(f.value), SLICE("multipart/report"));
}

/* ---- the machine's part */

static enum err field(struct buf *out, const char *name, slice value)
{
    return value.n ? header_write(out, slice_str(name), value, HEADER_STRUCTURED) : OK;
}

static enum err redacted_field(struct buf *out, const char *name, slice domain)
{
    struct buf value CLEANUP(buf_done) = {.max = 512};
    if (domain.n == 0)
        return OK;
    buf_print(&value, REDACTED "@%.*s", SLICE_FMT(domain));
    return field(out, name, buf_view(&value));
}

/* The methods that did not prove the author's domain (RFC 9991 §4; RFC 7489 §7.3.1 meant those that did). */
static slice alignment(const struct failure_write *f)
{
    if (!f->dkim_aligned)
        return f->spf_aligned ? SLICE("dkim") : SLICE("dkim, spf");
    return f->spf_aligned ? SLICE("none") : SLICE("spf");
}

static bool ends_word(uint8_t c)
{
    return c <= ' ' || c == '<' || c == '>' || c == ',' || c == ';' || c == ':' || c == '(' || c == ')' ||
           c == '[' || c == ']' || c == '"';
}

/* Takes the local part that ends out away again, of a quoted one everything from the first quote on; "=" may
 * stand in one ("bounce+user=example.org"). property: but not the "smtp.mailfrom=" before it. False: there
 * was none. */
static bool drop_local(bool property, struct buf *out)
{
    size_t n = out->n, whole = out->n;
    if (n && out->p[n - 1] == '"')
        for (n = 0; out->p[n] != '"';)
            n++;
    else
        while (n && !ends_word(out->p[n - 1]))
            n--;
    if (property && n < whole) {
        size_t name = slice_index(slice_of(out->p + n, whole - n), '=');
        n = name < whole - n ? n + name + 1 : n;
    }
    buf_truncate(out, n);
    return n < whole;
}

static void redact_any(slice value, bool properties, struct buf *out)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '@' && drop_local(properties, out))
            buf_str(out, REDACTED);
        buf_byte(out, value.p[i]);
    }
}

enum err failure_write_fields(const struct failure_write *f, struct buf *out)
{
    struct buf date CLEANUP(buf_done) = {.max = 64}, mta CLEANUP(buf_done) = {.max = 300};
    struct buf results CLEANUP(buf_done) = {.max = VALUE_MAX}, identity CLEANUP(buf_done) = {.max = 300};
    char ip[IP_TEXT];
    enum err e = date_print(f->arrived, 0, &date);
    redact_any(f->results, true, &results);
    if (f->dkim_domain.n) /* i= without its local part */
        buf_print(&identity, "@%.*s", SLICE_FMT(f->dkim_domain));
    buf_print(&mta, "dns; %.*s", SLICE_FMT(f->hostname));
    ip_print(&f->source, ip);
    const struct {
        const char *name;
        slice value;
    } fields[] = {
        {"Feedback-Type", SLICE("auth-failure")},
        {"Version", SLICE("1")},
        {"User-Agent", SLICE("Posthorn")},
        {"Auth-Failure", f->failure},
        {"Identity-Alignment", alignment(f)},
        {"Authentication-Results", buf_view(&results)},
        {"Reported-Domain", f->reported_domain},
        {"Reporting-MTA", buf_view(&mta)},
        {"Source-IP", ip_is_none(&f->source) ? (slice){0} : slice_str(ip)},
        {"Arrival-Date", buf_view(&date)},
        {"Delivery-Result", f->delivery},
        {"DKIM-Domain", f->dkim_domain},
        {"DKIM-Identity", buf_view(&identity)},
        {"DKIM-Selector", f->dkim_selector},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields) && !e; i++)
        e = field(out, fields[i].name, fields[i].value);
    if (!e)
        e = redacted_field(out, "Original-Mail-From", f->mail_from_domain);
    if (!e)
        e = redacted_field(out, "Original-Rcpt-To", f->rcpt_domain);
    return e;
}

/* ---- the header, redacted */

enum how { AS_IS, RECIPIENTS, ANY_ADDRESS, RECEIVED, SIGNATURE };

/* All that is told. Not Subject: it says what the mail is about. */
static const struct {
    slice name;
    enum how how;
} told[] = {
    {SLICE_INIT("Received"), RECEIVED},
    {SLICE_INIT("DKIM-Signature"), SIGNATURE},
    {SLICE_INIT("ARC-Seal"), AS_IS},
    {SLICE_INIT("List-Id"), ANY_ADDRESS},
    {SLICE_INIT("From"), AS_IS},
    {SLICE_INIT("Sender"), RECIPIENTS}, /* of a list: with our user in it */
    {SLICE_INIT("Reply-To"), RECIPIENTS},
    {SLICE_INIT("To"), RECIPIENTS},
    {SLICE_INIT("Cc"), RECIPIENTS},
    {SLICE_INIT("Date"), AS_IS},
    {SLICE_INIT("Message-ID"), AS_IS},
};

/* Without "for ...", where also names without a domain stand (RFC 5321 §4.4). */
static void redact_received(slice value, struct buf *out)
{
    size_t whom = slice_find_nocase(value, SLICE(" for ")), at = slice_rindex(value, ';');
    redact_any(slice_sub(value, 0, size_min(whom, at)), false, out);
    redact_any(slice_from(value, at), false, out);
}

/* Without z=, which has copies of any fields of the message (RFC 6376 §3.5). */
static void redact_signature(slice value, struct buf *out)
{
    slice rest = value, tag, name, text;
    while (rest.n) {
        (void)slice_split(rest, ';', &tag, &rest); /* the last one has no ";" */
        if (slice_split(tag, '=', &name, &text) && slice_eq_nocase(slice_trim(name), SLICE("z")))
            continue;
        buf_append(out, tag);
        buf_str(out, rest.n ? ";" : "");
    }
}

/* Domains only: of who it went to neither name nor local part. */
static bool redact_recipients(slice value, struct arena *a, struct buf *out)
{
    struct address_list list;
    slice domain;
    if (!address_list_parse(value, &mail_limits_default, a, &list))
        return false;
    for (size_t i = 0; i < list.n; i++) {
        if (list.at[i].kind != ADDRESS_MAILBOX)
            continue;
        domain = report_domain(list.at[i].domain, a); /* broken ones may hold another address */
        buf_str(out, out->n ? ", " REDACTED : REDACTED);
        if (domain.n)
            buf_print(out, "@%.*s", SLICE_FMT(domain));
    }
    return true;
}

static enum err write_one(const struct header_field *f, slice name, enum how how, struct buf *out)
{
    struct arena a CLEANUP(arena_done);
    struct buf value CLEANUP(buf_done) = {.max = VALUE_MAX};
    slice line;
    enum err e;
    arena_init(&a, "failure report", ARENA_MAX);
    if (!header_unfold(f->value, &a, &line))
        return OK; /* too long to be told */
    if (how == RECIPIENTS) {
        if (!redact_recipients(line, &a, &value))
            return OK;
    } else if (how == ANY_ADDRESS) {
        redact_any(line, false, &value);
    } else if (how == RECEIVED) {
        redact_received(line, &value);
    } else if (how == SIGNATURE) {
        redact_signature(line, &value);
    } else {
        buf_append(&value, line);
    }
    if (buf_failed(&value))
        return OK;
    e = header_write(out, name, buf_view(&value), HEADER_UTF8);
    return e == ERR_SYNTAX ? OK : e;
}

enum err failure_write_header(slice header, struct buf *out)
{
    struct header_iter it = header_iter(header, &mail_limits_default);
    struct header_field f;
    enum err e = OK;
    while (!e && header_next(&it, &f))
        for (size_t i = 0; i < ARRAY_LEN(told); i++)
            if (slice_eq_nocase(f.name, told[i].name)) {
                e = write_one(&f, told[i].name, told[i].how, out);
                break;
            }
    return e;
}
