/* smtp_client_reply: reads the replies of a server (RFC 5321 §4.2), line by line, bounded.
 *
 * A reply is one or more lines of the same three-digit code; all but the last have a hyphen behind it. The
 * text is kept verbatim, lines joined by LF, for the journal and for DSNs: it is data and never grammar
 * again, whatever it holds (THREATS 1). A line may end in a lone LF: servers that do so exist, and nothing
 * can be smuggled into a reader of replies by it. */
#ifndef POSTHORN_CORE_SMTP_CLIENT_REPLY_H
#define POSTHORN_CORE_SMTP_CLIENT_REPLY_H

#include "base/buf.h"

#define SMTP_CLIENT_LINE_MAX  1000  /* one reply line with its end; RFC 5321 §4.5.3.1.5 says 512 */
#define SMTP_CLIENT_REPLY_MAX 16384 /* all lines of one reply */
#define SMTP_CLIENT_STATUS    12    /* "5.999.999" and its NUL */

struct smtp_client_reply {
    int code;                        /* 200..599; 0 before the first line */
    char status[SMTP_CLIENT_STATUS]; /* enhanced status code of the first line (RFC 3463 §2), or empty */
    struct buf text;                 /* verbatim: "550-no\n550 such user" */
    bool whole;
};

/* Empty, bounded by SMTP_CLIENT_REPLY_MAX; smtp_client_reply_done() gives the memory back. */
void smtp_client_reply_init(struct smtp_client_reply *r);
void smtp_client_reply_done(struct smtp_client_reply *r);
/* Ready for the next reply; keeps the memory. */
void smtp_client_reply_clear(struct smtp_client_reply *r);
/* Takes one line without its end. OK: the reply is whole. ERR_MORE: more lines follow. ERR_PEER: not a reply
 * line, another code than the lines before, or too long. */
NODISCARD enum err smtp_client_reply_line(struct smtp_client_reply *r, slice line);
/* Does a line of an EHLO reply, other than the first, offer this keyword (RFC 5321 §4.1.1.1)? *out_args (may
 * be NULL) gets what follows it. */
bool smtp_client_reply_offers(const struct smtp_client_reply *r, slice keyword, slice *out_args);

#endif
