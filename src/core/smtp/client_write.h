/* smtp_client_write: what the SMTP client puts on the wire: MAIL and RCPT with their parameters, and the body
 * as DATA wants it. Private to the client; appends only, the caller looks at buf_failed().
 *
 * This is the one place where a body's line ends are made on the way out (RFC 5321 §2.3.8, §4.5.2; THREATS
 * 12): a lone CR and a lone LF each become CRLF, so neither ever leaves, and each leading dot is doubled
 * after that. */
#ifndef POSTHORN_CORE_SMTP_CLIENT_WRITE_H
#define POSTHORN_CORE_SMTP_CLIENT_WRITE_H

#include "core/smtp/client.h"

/* MAIL and RCPT with their CRLF. offers: bits of enum smtp_client_offer; parameters go out only where
 * offered. Whether out had room is asked of it. */
void smtp_client_put_mail(struct buf *out, unsigned offers, const struct smtp_client_mail *m);
void smtp_client_put_rcpt(struct buf *out, unsigned offers, const struct smtp_client_rcpt *r);

/* A body on its way: bare CR and LF become CRLF, and dots are doubled (RFC 5321 §4.5.2). */
struct smtp_client_lines {
    bool line_start, cr_held;
};
void smtp_client_lines_init(struct smtp_client_lines *l);
/* Any split of the body gives the same bytes; at most two octets come out for each that goes in. */
void smtp_client_lines_put(struct smtp_client_lines *l, slice piece, struct buf *out);
/* Ends the last line and the data: at most 5 octets. */
void smtp_client_lines_end(struct smtp_client_lines *l, struct buf *out);

#endif
