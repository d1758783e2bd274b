/* param: values with parameters: Content-Type, Content-Disposition (RFC 2045 §5.1, RFC 2183, RFC 2231).
 *
 * Read leniently; continuations ("name*0", "name*1*") are joined. A parameter that came with a charset keeps
 * its text "charset'language'percent" and the mark extended, as IMAP sends it ("name*"); param_text() gives
 * what people read. */
#ifndef POSTHORN_CORE_MAIL_PARAM_H
#define POSTHORN_CORE_MAIL_PARAM_H

#include "base/arena.h"
#include "core/mail/limits.h"

struct param {
    slice name;    /* lower case, without "*" and number */
    slice value;   /* quoting removed */
    bool extended; /* value has the form charset'language'percent-encoded */
};

struct param_list {
    slice value; /* what stands before the first ";": "text/plain", "attachment"; lower case */
    struct param *at;
    size_t n;
    uint32_t defects; /* MAIL_DEFECT_MIME_PARAMS, MAIL_DEFECT_MIME_AMBIGUOUS (a parameter occurs twice) */
};

/* Reads a field's value. Views nothing: all lives in the arena. False only at the arena's cap. */
NODISCARD bool param_list_parse(slice value, const struct mail_limits *limits, struct arena *a,
                                struct param_list *out);
/* The parameter of that name (lower case), or NULL. */
const struct param *param_find(const struct param_list *list, slice name);
/* Its value as UTF-8 without control characters: RFC 2231 undone, and RFC 2047 where senders used it instead.
 * False at the arena's cap. */
NODISCARD bool param_text(const struct param *p, struct arena *a, slice *out);

#endif
