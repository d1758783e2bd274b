/* smtp_body_scan: finds the end of a message's data, undoes dot-stuffing and watches over line ends.
 *
 * This is the one place where "line" is defined for message data (THREATS 12): a line ends with CRLF and with
 * nothing else, in DATA and in BDAT. A CR or LF on its own makes the whole message refused, so nobody behind
 * us can ever see another line structure than we did. Any split of the input gives the same bytes and the
 * same result. Costs two memchr() passes over the data. */
#ifndef POSTHORN_CORE_SMTP_BODY_SCAN_H
#define POSTHORN_CORE_SMTP_BODY_SCAN_H

#include "base/slice.h"

/* All zero is ready for a new message. */
struct smtp_body_scan {
    uint8_t state;
};

enum smtp_scan {
    SMTP_SCAN_MORE,  /* all was used */
    SMTP_SCAN_BYTES, /* bytes were found, input may be left */
    SMTP_SCAN_END,   /* CRLF.CRLF is complete; no bytes */
    SMTP_SCAN_BARE,  /* a CR or LF stands alone; scan no further */
};

/* DATA (RFC 5321 §4.1.1.4, §4.5.2). *out_used: bytes of in that are done with; *out_bytes: a run of message
 * octets, a view of in, dots removed; may be empty unless BYTES. Both are written with every result. */
enum smtp_scan smtp_scan_data(struct smtp_body_scan *s, slice in, size_t *out_used, slice *out_bytes);
/* BDAT (RFC 3030 §2): a dot means nothing here and there is no END. in is data of chunks only. */
enum smtp_scan smtp_scan_chunk(struct smtp_body_scan *s, slice in, size_t *out_used, slice *out_bytes);
/* At the end of the last chunk: is a CR left alone? */
bool smtp_scan_torn(const struct smtp_body_scan *s);
/* Do the octets so far end with CRLF (or are there none)? */
bool smtp_scan_at_line_start(const struct smtp_body_scan *s);

#endif
