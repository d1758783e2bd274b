/* limits: the bounds of the mail parser (THREATS, default limits). Passed as a const struct; tests pass their
 * own. */
#ifndef POSTHORN_CORE_MAIL_LIMITS_H
#define POSTHORN_CORE_MAIL_LIMITS_H

#include "base/check.h"

struct mail_limits {
    size_t header_bytes;       /* of all headers of a message together, nested ones included */
    size_t header_field_bytes; /* of one field; a longer one is cut for our reading of it */
    size_t header_fields;      /* of one header block; later ones are not read */
    size_t addresses;          /* of one field */
    size_t params;             /* of one Content-Type or Content-Disposition */
    size_t depth;              /* of nested multiparts and messages */
    size_t parts;              /* of a message; what comes after is one opaque part with its parent */
};

/* 10 MB, 256 KB, 1,000 fields, 4,096 addresses, 64 parameters, depth 32, 1,000 parts. */
extern const struct mail_limits mail_limits_default;

/* What was wrong with a message: bits. Nothing of this makes parsing fail. */
enum mail_defect {
    MAIL_DEFECT_HEADER_LONG = 1 << 0,     /* header_bytes or header_field_bytes passed */
    MAIL_DEFECT_HEADER_MANY = 1 << 1,     /* header_fields passed */
    MAIL_DEFECT_HEADER_JUNK = 1 << 2,     /* a line in a header block that is no field */
    MAIL_DEFECT_HEADER_NUL = 1 << 3,      /* NUL in a header block */
    MAIL_DEFECT_HEADER_NO_END = 1 << 4,   /* the input ended inside a header block */
    MAIL_DEFECT_BARE_LF = 1 << 5,         /* a line ended by LF alone in a header block */
    MAIL_DEFECT_BARE_CR = 1 << 6,         /* CR inside a line of a header block */
    MAIL_DEFECT_ADDRESS = 1 << 7,         /* an address field that does not parse cleanly */
    MAIL_DEFECT_ADDRESS_MANY = 1 << 8,    /* more than the limit of addresses in a field */
    MAIL_DEFECT_DATE = 1 << 9,            /* Date missing or unreadable */
    MAIL_DEFECT_DUPLICATE = 1 << 10,      /* a field that may occur once occurs more often (RFC 5322 §3.6) */
    MAIL_DEFECT_MIME_TYPE = 1 << 11,      /* Content-Type unreadable */
    MAIL_DEFECT_MIME_PARAMS = 1 << 12,    /* too many or doubled parameters */
    MAIL_DEFECT_MIME_BOUNDARY = 1 << 13,  /* multipart without a usable boundary */
    MAIL_DEFECT_MIME_UNCLOSED = 1 << 14,  /* a multipart without its closing delimiter */
    MAIL_DEFECT_MIME_DEPTH = 1 << 15,     /* nested too deep: the rest is opaque */
    MAIL_DEFECT_MIME_PARTS = 1 << 16,     /* too many parts: the rest is opaque */
    MAIL_DEFECT_MIME_AMBIGUOUS = 1 << 17, /* two readings are possible: doubled boundary, CTE or type
                                             (THREATS 48) */
    MAIL_DEFECT_MIME_CTE = 1 << 18,       /* unknown transfer encoding, or one on a composite part */
    MAIL_DEFECT_EIGHT_BIT_HEADER = 1 << 19 /* bytes above 127 in a header block that are no UTF-8 */
};

#endif
