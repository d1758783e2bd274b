/* qp: quoted-printable, RFC 2045 §6.7. Decoding is lenient: an '=' that begins nothing known stays as it is.
 * White space at line ends is removed, as the standard asks. */
#ifndef POSTHORN_TEXT_QP_H
#define POSTHORN_TEXT_QP_H

#include "base/buf.h"

/* Keeps its state between pieces. All zero is ready. */
struct qp_decoder {
    uint8_t held[2]; /* an '=' and what follows it so far */
    uint8_t held_n;
    uint32_t blanks_n; /* spaces and tabs whose line end or successor is not known yet */
    uint8_t blanks[64];
    bool defects;
    bool soft; /* after "=" and blanks: waiting for the line end of a soft break */
};

/* Decodes one more piece into out. OK or ERR_LIMIT. */
enum err qp_feed(struct qp_decoder *d, slice in, struct buf *out);
/* The end: gives what was held back. */
enum err qp_finish(struct qp_decoder *d, struct buf *out);

/* Encodes text: lines end in CRLF in the result, at most 76 characters a line, CRLF and bare LF of the input
 * are line breaks, a bare CR is encoded. */
enum err qp_encode(slice in, struct buf *out);

#endif
