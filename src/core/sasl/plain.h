/* plain: the message of SASL PLAIN, RFC 4616. Without the base64 of the protocol around it. */
#ifndef POSTHORN_CORE_SASL_PLAIN_H
#define POSTHORN_CORE_SASL_PLAIN_H

#include "base/err.h"
#include "base/slice.h"

#define PLAIN_NAME_MAX     320
#define PLAIN_PASSWORD_MAX 512

struct plain {
    slice name, password; /* views into the message */
};

/* ERR_SYNTAX: not of the form, or not UTF-8; ERR_LIMIT: a part is too long; ERR_DENIED: it asks to act as
 * somebody else (an authorization id that is not the name). */
NODISCARD enum err plain_parse(slice message, struct plain *out);

#endif
