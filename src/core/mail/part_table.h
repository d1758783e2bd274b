/* part_table: where the parts of a message lie, in a compact stored form, so that FETCH BODY[1.2.MIME],
 * BODY[TEXT], BINARY[1] and the like cut bytes without parsing the message again.
 *
 * A message is a tree kept as an array. Entry 0 is the message itself. A multipart's children are its parts;
 * a message/rfc822 part has one child, the message inside. A parent's index is below its children's, and a
 * child's bytes lie inside its parent's body: part_table_decode() checks both, so cycles and ranges outside
 * the message cannot exist (THREATS 7). Offsets are octets from the start of the message. */
#ifndef POSTHORN_CORE_MAIL_PART_TABLE_H
#define POSTHORN_CORE_MAIL_PART_TABLE_H

#include "base/arena.h"
#include "base/buf.h"

#define PART_NONE UINT32_MAX

enum part_kind { PART_LEAF, PART_MULTIPART, PART_MESSAGE };
enum part_cte {
    PART_CTE_7BIT,
    PART_CTE_8BIT,
    PART_CTE_BINARY,
    PART_CTE_QP,
    PART_CTE_BASE64,
    PART_CTE_UNKNOWN
};

struct part_entry {
    uint32_t parent;      /* PART_NONE for entry 0 */
    uint32_t first_child; /* PART_NONE when it has none */
    uint32_t next;        /* the next part of the same parent, or PART_NONE */
    enum part_kind kind;
    enum part_cte cte;
    bool attachment;    /* Content-Disposition says so, or a leaf with a file name that is no text */
    uint64_t header_at; /* its header (of the MIME part, or of the message), empty line included */
    uint64_t header_bytes;
    uint64_t body_at;
    uint64_t body_bytes;
    uint64_t lines;      /* of the body */
    slice type, subtype; /* lower case */
    slice charset;       /* of a text part, as written, may be empty */
};

struct part_table {
    struct part_entry *at;
    size_t n; /* at least 1 */
};

/* Appends the stored form. OK or ERR_LIMIT. */
enum err part_table_encode(const struct part_table *t, struct buf *out);
/* Reads it back; message_bytes bounds every range. ERR_CORRUPT when anything is out of order, ERR_LIMIT at
 * the arena's cap. Slices view the bytes given. */
NODISCARD enum err part_table_decode(slice bytes, uint64_t message_bytes, struct arena *a,
                                     struct part_table *out);

/* What of a message a section names. */
enum part_what {
    PART_WHOLE,  /* "": header and body */
    PART_BODY,   /* "1.2": the body of a part */
    PART_HEADER, /* "HEADER", "1.2.HEADER" (of a message/rfc822 part) and HEADER.FIELDS[.NOT]: the caller
                    selects */
    PART_TEXT,   /* "TEXT", "1.2.TEXT" */
    PART_MIME,   /* "1.2.MIME" */
};
struct part_range {
    uint64_t at, bytes;
    const struct part_entry *part; /* whose bytes these are: its cte, type and charset hold for PART_BODY */
};
/* Finds a section: numbers[0..n) as in "1.2" (each from 1; n == 0 is the whole message) and what of it.
 * Without numbers only PART_WHOLE, PART_HEADER and PART_TEXT make sense; with numbers PART_BODY, PART_HEADER,
 * PART_TEXT (the last two for message/rfc822 only) and PART_MIME. ERR_NOT_FOUND when the message has no such
 * thing: IMAP then sends NIL or an empty string. RFC 9051 §6.4.5.1. */
NODISCARD enum err part_table_find(const struct part_table *t, const uint32_t *numbers, size_t n,
                                   enum part_what what, struct part_range *out);

/* Appends the body with its transfer encoding undone, for BINARY (RFC 3516) and for search. OK, ERR_LIMIT, or
 * ERR_UNSUPPORTED for an unknown encoding: IMAP then answers UNKNOWN-CTE. */
enum err part_decode(enum part_cte cte, slice body, struct buf *out);

#endif
