/* imap/write: what we say to a client, written so that nothing we quote can end a string or a line (THREATS
 * 15).
 *
 * All writers append to a buf and leave its failed mark when it is full; the caller looks once with
 * buf_failed(). */
#ifndef POSTHORN_CORE_IMAP_WRITE_H
#define POSTHORN_CORE_IMAP_WRITE_H

#include "base/buf.h"
#include "base/time.h"

/* quoted when it can be (printable ASCII; with utf8 also valid UTF-8), else a literal. A NUL, which a literal
 * may not hold (RFC 9051 §4.3), becomes 0x80 as other servers do. */
void imap_write_string(struct buf *b, slice s, bool utf8);
/* The same, NIL for a slice without a pointer. */
void imap_write_nstring(struct buf *b, slice s, bool utf8);
/* An atom if it is one, else as imap_write_string(). */
void imap_write_astring(struct buf *b, slice s);
/* "17-Jul-1996 02:44:25 -0700" in quotes. */
void imap_write_date_time(struct buf *b, time_ms unix_time, int zone_minutes);
/* Human text of a response: printable ASCII and UTF-8 as they are, anything else as '?'. Never empty. */
void imap_write_text(struct buf *b, slice s);

/* System flags (RFC 9051 §2.3.2) as bits. The store uses the same. */
#define IMAP_SEEN     1u
#define IMAP_ANSWERED 2u
#define IMAP_FLAGGED  4u
#define IMAP_DELETED  8u
#define IMAP_DRAFT    16u
#define IMAP_SYSTEM   31u /* all that can be stored */
#define IMAP_RECENT   32u /* RFC 3501 only; ours to set */
/* The bit of a system flag's name ("\Seen", any case), 0 for any other. */
uint32_t imap_flag_bit(slice name);
/* System flags, space-separated, without parentheses. True if anything was written. */
bool imap_write_flags(struct buf *b, uint32_t bits);

/* Mailbox attributes of LIST (RFC 9051 §7.3.1, RFC 6154 §2) as bits. */
#define IMAP_ATTR_NOSELECT      (1u << 0)
#define IMAP_ATTR_NONEXISTENT   (1u << 1)
#define IMAP_ATTR_HASCHILDREN   (1u << 2)
#define IMAP_ATTR_HASNOCHILDREN (1u << 3)
#define IMAP_ATTR_MARKED        (1u << 4)
#define IMAP_ATTR_UNMARKED      (1u << 5)
#define IMAP_ATTR_SUBSCRIBED    (1u << 6)
#define IMAP_ATTR_REMOTE        (1u << 7)
#define IMAP_ATTR_ALL           (1u << 8)
#define IMAP_ATTR_ARCHIVE       (1u << 9)
#define IMAP_ATTR_DRAFTS        (1u << 10)
#define IMAP_ATTR_FLAGGED       (1u << 11)
#define IMAP_ATTR_JUNK          (1u << 12)
#define IMAP_ATTR_SENT          (1u << 13)
#define IMAP_ATTR_TRASH         (1u << 14)
#define IMAP_ATTR_IMPORTANT     (1u << 15)
#define IMAP_ATTR_NOINFERIORS   (1u << 16)
#define IMAP_ATTR_SPECIAL       0xff00u
/* "(\HasNoChildren \Sent)" */
void imap_write_attributes(struct buf *b, uint32_t bits);
/* The bit of a special use ("\Sent", any case), 0 for any other. */
uint32_t imap_attr_special(slice name);

/* `* LIST (attributes) "/" name` CRLF (or LSUB); child_info adds ("CHILDINFO" ("SUBSCRIBED")) (RFC 5258 §4).
 */
void imap_write_list(struct buf *b, const char *verb, uint32_t attributes, slice name, bool utf8,
                     bool child_info);

/* The tagged (or, with an empty tag, untagged) end of a command: `tag OK [code] text` CRLF. condition: "OK",
 * "NO", "BAD", "BYE"; code is static text without brackets, or NULL; text is static. */
void imap_write_done(struct buf *b, slice tag, const char *condition, const char *code, const char *text);

#endif
