#include "core/smtp/envelope.h"

#include "text/utf8.h"

#define ENVID_MAX 100 /* RFC 3461 §4.4 */
#define ORCPT_MAX 500 /* RFC 3461 §4.2 */
#define AUTH_MAX  500 /* RFC 4954 §3 */

/* What is read into: one command's values, and which parameters were there. */
struct target {
    struct smtp_mail *mail;
    struct smtp_rcpt *rcpt;
    bool utf8; /* the transaction asked for SMTPUTF8 */
    unsigned seen;
};

struct param {
    slice name;
    bool (*read)(struct target *t, slice value, bool has_value);
};

bool smtp_is_xtext(slice s)
{
    /* RFC 3461 §4: xtext = *( xchar / hexchar ); xchar = "!"..."*" / ","..."<" / ">"..."~" */
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '+') {
            for (int digit = 0; digit < 2; digit++)
                if (++i >= s.n || !(ascii_is_digit(s.p[i]) || (s.p[i] >= 'A' && s.p[i] <= 'F')))
                    return false;
        } else if (c < '!' || c > '~' || c == '=') {
            return false;
        }
    }
    return s.n > 0;
}

/* RFC 1870 §3: size-value = 1*20DIGIT */
static bool read_size(struct target *t, slice value, bool has_value)
{
    return has_value && slice_u64(value, &t->mail->declared_bytes);
}

/* RFC 6152 §2: "7BIT" / "8BITMIME". BINARYMIME (RFC 3030 §3) is not offered. */
static bool read_body(struct target *t, slice value, bool has_value)
{
    t->mail->eight_bit = slice_eq_nocase(value, SLICE("8BITMIME"));
    return has_value && (t->mail->eight_bit || slice_eq_nocase(value, SLICE("7BIT")));
}

static bool read_smtputf8(struct target *t, slice value, bool has_value)
{
    (void)value;
    t->mail->smtputf8 = true;
    return !has_value;
}

static bool read_ret(struct target *t, slice value, bool has_value)
{
    t->mail->ret = slice_eq_nocase(value, SLICE("FULL"))   ? SMTP_RET_FULL
                   : slice_eq_nocase(value, SLICE("HDRS")) ? SMTP_RET_HDRS
                                                           : SMTP_RET_NONE;
    return has_value && t->mail->ret != SMTP_RET_NONE;
}

static bool read_envid(struct target *t, slice value, bool has_value)
{
    t->mail->envid = value;
    return has_value && value.n <= ENVID_MAX && smtp_is_xtext(value);
}

/* RFC 4954 §5: the identity a trusted peer vouches for. We trust none, as §5 allows: checked and dropped. */
static bool read_auth(struct target *t, slice value, bool has_value)
{
    (void)t;
    return has_value && value.n <= AUTH_MAX && smtp_is_xtext(value);
}

/* RFC 3461 §4.1: "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" ) */
static bool read_notify(struct target *t, slice value, bool has_value)
{
    unsigned bits = 0;
    bool more = has_value;
    if (has_value && slice_eq_nocase(value, SLICE("NEVER"))) {
        t->rcpt->notify = SMTP_NOTIFY_NEVER;
        return true;
    }
    while (more) {
        slice word;
        more = slice_split(value, ',', &word, &value);
        if (slice_eq_nocase(word, SLICE("SUCCESS")))
            bits |= SMTP_NOTIFY_SUCCESS;
        else if (slice_eq_nocase(word, SLICE("FAILURE")))
            bits |= SMTP_NOTIFY_FAILURE;
        else if (slice_eq_nocase(word, SLICE("DELAY")))
            bits |= SMTP_NOTIFY_DELAY;
        else
            return false;
    }
    t->rcpt->notify = bits;
    return bits != 0;
}

/* RFC 3461 §4.2: addr-type ";" xtext. RFC 6533 §3 adds the type "utf-8", whose address is escaped ASCII or,
 * in a transaction with SMTPUTF8, plain UTF-8. */
static bool read_orcpt(struct target *t, slice value, bool has_value)
{
    slice type, address;
    t->rcpt->orcpt = value;
    if (!has_value || value.n > ORCPT_MAX || !slice_split(value, ';', &type, &address) || type.n == 0)
        return false;
    for (size_t i = 0; i < type.n; i++)
        if (!ascii_is_alpha(type.p[i]) && !ascii_is_digit(type.p[i]) && type.p[i] != '-')
            return false;
    if (!slice_eq_nocase(type, SLICE("utf-8")))
        return smtp_is_xtext(address);
    for (size_t i = 0; i < address.n; i++)
        if (address.p[i] < '!' || address.p[i] == 0x7f || (address.p[i] > '~' && !t->utf8))
            return false;
    return address.n > 0 && utf8_valid(address);
}

static const struct param mail_params[] = {
    {SLICE_INIT("SIZE"), read_size},         {SLICE_INIT("BODY"), read_body},
    {SLICE_INIT("SMTPUTF8"), read_smtputf8}, {SLICE_INIT("RET"), read_ret},
    {SLICE_INIT("ENVID"), read_envid},       {SLICE_INIT("AUTH"), read_auth},
};
#define MAIL_PARAM_AUTH 5 /* index of the last one: known only where logins are */

static const struct param rcpt_params[] = {
    {SLICE_INIT("NOTIFY"), read_notify},
    {SLICE_INIT("ORCPT"), read_orcpt},
};

/* RFC 5321 §4.1.2: Mail-parameters = esmtp-param *(SP esmtp-param); esmtp-param = keyword ["=" value]. More
 * than one space between them, and at the end, is tolerated. */
static enum smtp_envelope_result read_params(slice rest, const struct param *params, size_t n,
                                             struct target *t)
{
    while (rest.n) {
        slice word, name, value;
        bool has_value;
        size_t i = 0;
        (void)slice_split(rest, ' ', &word, &rest); /* the last word has none behind it */
        if (word.n == 0)
            continue;
        has_value = slice_split(word, '=', &name, &value);
        while (i < n && !slice_eq_nocase(name, params[i].name))
            i++;
        if (i == n)
            return SMTP_ENVELOPE_UNKNOWN;
        if (t->seen & 1u << i || !params[i].read(t, value, has_value))
            return SMTP_ENVELOPE_PARAM;
        t->seen |= 1u << i;
    }
    return SMTP_ENVELOPE_OK;
}

/* Is SMTPUTF8 among the parameters? It changes how the path before it is read (RFC 6531 §3.4). */
static bool wants_utf8(slice params)
{
    while (params.n) {
        slice word;
        (void)slice_split(params, ' ', &word, &params); /* see read_params */
        if (slice_eq_nocase(word, SLICE("SMTPUTF8")))
            return true;
    }
    return false;
}

/* Where the path ends: behind the first '>' outside a quoted string. text.n when there is none. */
static size_t path_end(slice text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        if (quoted && text.p[i] == '\\')
            i++;
        else if (text.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && text.p[i] == '>')
            return i + 1;
    }
    return text.n;
}

/* "FROM:" or "TO:", then the path. RFC 5321 §3.3 warns of a space behind the colon; many send it, and nothing
 * else it could mean, so it is let through. On OK *rest is what follows the path. */
static enum smtp_envelope_result read_path(slice args, slice keyword, unsigned allow, bool utf8_from_params,
                                           struct mailbox *out, slice *rest)
{
    struct cursor c = cursor_of(args);
    slice text;
    size_t end;
    enum err e;
    if (!cursor_take_nocase(&c, keyword))
        return SMTP_ENVELOPE_NO_KEYWORD;
    while (cursor_take(&c, ' ')) {
    }
    text = c.rest;
    end = path_end(text);
    if (utf8_from_params && wants_utf8(slice_from(text, end)))
        allow |= MAILBOX_UTF8;
    e = path_parse(&c, allow, out);
    if (e != OK) {
        struct mailbox tried;
        slice path = slice_sub(text, 0, end), inner = slice_sub(path, 1, path.n ? path.n - 1 : 0);
        c = cursor_of(text);
        if (!(allow & MAILBOX_UTF8) && path_parse(&c, allow | MAILBOX_UTF8, &tried) == OK)
            return SMTP_ENVELOPE_PATH_8BIT;
        return path.n > 2 && path.p[0] == '<' && !slice_has(inner, '@') ? SMTP_ENVELOPE_NO_DOMAIN
                                                                        : SMTP_ENVELOPE_PATH;
    }
    if (!cursor_end(&c) && cursor_peek(&c) != ' ')
        return SMTP_ENVELOPE_PATH;
    if (out->domain_n && !out->literal && !slice_has(mailbox_domain(out), '.'))
        return SMTP_ENVELOPE_NO_DOMAIN;
    *rest = c.rest;
    return SMTP_ENVELOPE_OK;
}

enum smtp_envelope_result smtp_mail_parse(slice args, bool auth_known, struct smtp_mail *out)
{
    struct smtp_mail mail = {0};
    struct target t = {.mail = &mail};
    slice rest;
    enum smtp_envelope_result r = read_path(args, SLICE("FROM:"), MAILBOX_NULL, true, &mail.sender, &rest);
    if (r == SMTP_ENVELOPE_OK)
        r = read_params(rest, mail_params, auth_known ? MAIL_PARAM_AUTH + 1 : MAIL_PARAM_AUTH, &t);
    if (r == SMTP_ENVELOPE_OK)
        *out = mail;
    return r;
}

enum smtp_envelope_result smtp_rcpt_parse(slice args, bool utf8, struct smtp_rcpt *out)
{
    struct smtp_rcpt rcpt = {0};
    struct target t = {.rcpt = &rcpt, .utf8 = utf8};
    unsigned allow = MAILBOX_POSTMASTER | (utf8 ? MAILBOX_UTF8 : 0u);
    slice rest;
    enum smtp_envelope_result r = read_path(args, SLICE("TO:"), allow, false, &rcpt.recipient, &rest);
    if (r == SMTP_ENVELOPE_OK)
        r = read_params(rest, rcpt_params, ARRAY_LEN(rcpt_params), &t);
    if (r == SMTP_ENVELOPE_OK)
        *out = rcpt;
    return r;
}
