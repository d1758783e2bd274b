/* mime: the part tree of a message (RFC 2045, 2046), read from a stream of bytes in one pass.
 *
 * Feed slices cut anywhere; finish; then the parts are there. The reader never fails on bad mail: it sets
 * defects. Invariants: parts[i].parent < i; a part's bytes lie inside its parent's body; at most
 * limits->parts parts, nested at most limits->depth deep; work is linear in the input (each line that begins
 * with "--" is compared with at most depth boundaries). What is beyond a limit is one opaque part,
 * application/octet-stream.
 *
 * Delimiter lines are recognised whole: "--boundary" or "--boundary--" and blanks up to the line end, LF or
 * CRLF, at most MIME_LINE_MAX octets; innermost multipart first, and an outer one's delimiter ends the inner
 * ones. */
#ifndef POSTHORN_CORE_MAIL_MIME_H
#define POSTHORN_CORE_MAIL_MIME_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/mail/fields.h"
#include "core/mail/param.h"
#include "core/mail/part_table.h"

#define MIME_LINE_MAX     512
#define MIME_BOUNDARY_MAX 250 /* RFC 2046 §5.1.1 says 70; longer ones are seen */
#define MIME_DEPTH_MAX    64
/* Of all address fields of a message, messages inside included, at most this many times the limit of one
 * field: what is stored must not outgrow the message by much. */
#define MIME_ADDRESS_LISTS 6

struct mime_part {
    struct part_entry entry;
    uint32_t depth, last_child;
    struct param_list type;        /* value "text/plain" and parameters, defaults filled in */
    struct param_list disposition; /* value empty: none */
    struct fields fields;          /* of its header; values live in the arena */
    struct address_list
        addresses[FIELD_ADDRESSES]; /* of a message's header: of entry 0 and of messages inside */
    bool is_message;                /* its header is a message's header */
    bool type_given;                /* there was a readable Content-Type */
};

struct mime_open {
    uint32_t part;
    slice boundary; /* empty for a message/rfc822 container */
};

struct mime {
    const struct mail_limits *limits;
    struct arena *arena;
    struct mime_part *parts;
    size_t n, room;
    struct mime_open open[MIME_DEPTH_MAX];
    size_t open_n, boundaries; /* containers around the cursor; how many of them are multiparts */
    uint32_t current;          /* the part whose bytes are being read; PART_NONE in preamble and epilogue */
    bool in_header, opaque, line_begun, out_of_memory;
    uint64_t at; /* octets seen */
    uint64_t line_at, line_bytes;
    uint64_t lines;              /* LF seen */
    size_t eol;                  /* octets of the line end of the line before */
    uint8_t last;                /* the octet before */
    uint8_t line[MIME_LINE_MAX]; /* the first octets of a line that came in pieces */
    struct buf header;           /* the header block being gathered */
    size_t header_bytes;         /* gathered in all */
    size_t addresses_left;       /* may still be made */
    size_t gathered;             /* of the line in hand */
    uint64_t steps;              /* lines and boundary comparisons done: tests hold it linear */
    uint32_t defects;
};

/* The arena and the limits outlive the parts. */
void mime_init(struct mime *m, const struct mail_limits *limits, struct arena *arena);
void mime_feed(struct mime *m, slice s);
/* OK, or ERR_LIMIT when the arena's cap was met on the way. */
NODISCARD enum err mime_finish(struct mime *m);
/* Gives back what is not in the arena. */
void mime_done(struct mime *m);
/* The parts as a table (in the arena). */
NODISCARD enum err mime_table(const struct mime *m, struct part_table *out);

#endif
