/* percent: %XX decoding as in RFC 2231 §4 and URLs, and encoding of all but letters, digits and "-._". */
#ifndef POSTHORN_TEXT_PERCENT_H
#define POSTHORN_TEXT_PERCENT_H

#include "base/buf.h"

/* Lenient: a '%' without two hex digits stays. OK or ERR_LIMIT. */
enum err percent_decode(slice in, struct buf *out);
enum err percent_encode(slice in, struct buf *out);
/* Value of a hex digit, or -1. */
int hex_digit(uint8_t c);

#endif
