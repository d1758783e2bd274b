/* fields: the fields we know of one header block, found in one walk. */
#ifndef POSTHORN_CORE_MAIL_FIELDS_H
#define POSTHORN_CORE_MAIL_FIELDS_H

#include "core/mail/address.h"
#include "core/mail/header.h"

enum field {
    FIELD_FROM, /* the address fields first: FIELD_ADDRESSES of them */
    FIELD_SENDER,
    FIELD_REPLY_TO,
    FIELD_TO,
    FIELD_CC,
    FIELD_BCC,
    FIELD_DATE,
    FIELD_SUBJECT,
    FIELD_MESSAGE_ID,
    FIELD_IN_REPLY_TO,
    FIELD_REFERENCES,
    FIELD_RECEIVED,
    FIELD_CONTENT_TYPE,
    FIELD_CONTENT_ENCODING,
    FIELD_CONTENT_DISPOSITION,
    FIELD_CONTENT_ID,
    FIELD_CONTENT_DESCRIPTION,
    FIELD_CONTENT_MD5,
    FIELD_CONTENT_LANGUAGE,
    FIELD_CONTENT_LOCATION,
    FIELD__COUNT
};
#define FIELD_ADDRESSES (FIELD_BCC + 1)

struct fields {
    slice value[FIELD__COUNT];    /* of the first field of that name; a view into the block */
    uint32_t count[FIELD__COUNT]; /* how many there are */
    uint32_t defects;             /* enum mail_defect */
};

/* Never fails. A value longer than limits->header_field_bytes is cut. */
void fields_read(slice block, const struct mail_limits *limits, struct fields *out);

#endif
