/* base64: RFC 4648 §4, as a stream and in one go, strict (protocols) and lenient (mail bodies).
 *
 * Strict: only alphabet and correct '=' padding, nothing else, padding bits zero. Lenient (RFC 2045 §6.8):
 * everything outside the alphabet is skipped, padding may be missing, data after padding is read on. */
#ifndef POSTHORN_TEXT_BASE64_H
#define POSTHORN_TEXT_BASE64_H

#include "base/buf.h"

/* A lenient decoder that keeps its state between pieces. All zero is ready. */
struct base64_decoder {
    uint32_t bits;
    uint8_t have; /* sextets held, 0..3 */
    bool defects; /* foreign characters other than white space, or a torn end */
};

/* Decodes one more piece into out. OK or ERR_LIMIT. */
enum err base64_feed(struct base64_decoder *d, slice in, struct buf *out);
/* The end: gives what an unpadded tail holds. */
enum err base64_finish(struct base64_decoder *d, struct buf *out);

/* Strict. ERR_SYNTAX or ERR_LIMIT leave out as it was. */
NODISCARD enum err base64_decode(slice in, struct buf *out);
/* Without line breaks, padded. */
enum err base64_encode(slice in, struct buf *out);
/* In lines of 76 characters, each ended by CRLF (RFC 2045 §6.8). */
enum err base64_encode_lines(slice in, struct buf *out);

#endif
