/* header: the fields of a message header, read where they lie; and the one writer of header fields.
 *
 * A header block is what stands before the empty line, with or without that line. Reading never fails: a line
 * that is no field is given with an empty name. LF alone ends a line as CRLF does. */
#ifndef POSTHORN_CORE_MAIL_HEADER_H
#define POSTHORN_CORE_MAIL_HEADER_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/mail/limits.h"

struct header_field {
    slice name;  /* as written, without blanks before the colon; empty for a line that is no field */
    slice value; /* behind the colon up to (not with) its last line end, folds still inside */
    slice raw;   /* all of it, line ends included */
};

struct header_iter {
    slice rest;
    size_t fields, fields_max;
    uint32_t defects; /* enum mail_defect, of what was walked over so far */
};

/* Offset of the body: behind the empty line that ends the header; message.n when there is none. */
size_t header_end(slice message);

struct header_iter header_iter(slice block, const struct mail_limits *limits);
/* The next field; false at the empty line, at the end, or at the limit of fields. Views into the block. */
NODISCARD bool header_next(struct header_iter *it, struct header_field *out);
/* The first field of that name (ASCII case folded). False when there is none. */
NODISCARD bool header_find(slice block, slice name, struct header_field *out);
/* How many fields have that name. */
size_t header_count(slice block, slice name);

/* The value on one line: line ends removed, blanks around trimmed (RFC 5322 §2.2.3). Views the value when it
 * was not folded, else a copy in the arena. False at the arena's cap. */
NODISCARD bool header_unfold(slice value, struct arena *a, slice *out);
/* The value as text to read: unfolded, encoded words decoded (RFC 2047), valid UTF-8, no control characters.
 * False at the arena's cap. For unstructured fields (Subject) and display names, never for addresses. */
NODISCARD bool header_text(slice value, struct arena *a, slice *out);

/* Appends the fields whose name is in the list (or, with invert, is not), as they are in the block and in its
 * order, and the empty line: FETCH BODY[HEADER.FIELDS (...)] (RFC 9051 §6.4.5.1). OK or ERR_LIMIT. */
enum err header_select(slice block, const slice *names, size_t names_n, bool invert, struct buf *out);

/* How header_write() treats what is not ASCII. */
enum header_write_flags {
    HEADER_ENCODE = 0,     /* as encoded words, RFC 2047: for free text such as Subject */
    HEADER_UTF8 = 1,       /* as it is, RFC 6532 */
    HEADER_STRUCTURED = 2, /* an error: for fields made of tokens; folding still happens at blanks */
};
/* Appends "Name: value" folded at 78 characters, with its CRLF. The one way a header field is made: name has
 * 1..76 printable ASCII characters without colon, value holds no CR, LF, NUL or other control but TAB: else
 * ERR_SYNTAX (THREATS 16). Invalid UTF-8 is ERR_SYNTAX. ERR_LIMIT when out is full. out is as before on
 * error. */
NODISCARD enum err header_write(struct buf *out, slice name, slice value, enum header_write_flags flags);
/* Appends "Name: " display <local@domain> of one mailbox, display encoded where needed. addr_spec was made by
 * mailbox_print(). Same errors. */
NODISCARD enum err header_write_mailbox(struct buf *out, slice name, slice display, slice addr_spec,
                                        enum header_write_flags flags);

#endif
