/* imap/reader: cuts the byte stream from a client into commands.
 *
 * RFC 9051 §2.2.1: a command is a line, or several lines joined by literals `{n}` CRLF n-octets. The reader
 * collects one command as it came (lines and literals one after the other) and gives it out whole: parse.h
 * reads it. The message of an APPEND is the exception: it is never collected but passed on in pieces.
 *
 * It is not a parser (but for the head of an APPEND, which it must know to stream the message) and writes
 * nothing: when the client waits for a `+` it says so.
 *
 * Line ends are decided here and nowhere else: only CRLF ends a line. A bare LF or CR, or a NUL, makes the
 * line bad (THREATS 3); the reader then goes on behind it.
 *
 * Bounds: a command holds at most line_max bytes of lines plus literals_max of literals; a literal that would
 * pass the cap is refused before its `+` (THREATS 8). What is refused but was sent anyway ({n+}) is skipped
 * without being kept; the connection is given up (event FATAL) when more than skip_max is announced.
 *
 * Any split of the input gives the same events, but for where the pieces of APPEND data are cut. */
#ifndef POSTHORN_CORE_IMAP_READER_H
#define POSTHORN_CORE_IMAP_READER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct imap_read_limits {
    size_t line_max; /* bytes of lines in one command, CRLF included: 64 KiB (8 KiB before login) */
    size_t
        literals_max;  /* bytes of literals in one command, APPEND data apart: 16 MiB (8 KiB before login) */
    uint64_t skip_max; /* bytes of a refused non-synchronising literal that are read past: 256 MiB */
    bool wipe;         /* commands hold passwords: wipe them when forgotten */
};
extern const struct imap_read_limits imap_read_limits_default, imap_read_limits_login;

enum imap_read_type {
    IMAP_READ_MORE,       /* all input was used; come back with more */
    IMAP_READ_CONTINUE,   /* the client waits for `+` CRLF behind a literal; send it, then go on */
    IMAP_READ_COMMAND,    /* text: one whole command, CRLF at its end included */
    IMAP_READ_LINE,       /* text: one line without its CRLF, in line mode */
    IMAP_READ_APPEND,     /* the head of an APPEND message is here: answer with imap_reader_append() */
    IMAP_READ_DATA,       /* data: the next bytes of the message */
    IMAP_READ_DATA_END,   /* the message is complete (another, or APPEND_END, follows) */
    IMAP_READ_APPEND_END, /* the APPEND command is complete */
    IMAP_READ_BAD, /* this command is refused: answer `tag BAD why` ("*" when tag is empty). An APPEND is over
                    */
    IMAP_READ_FATAL /* say BYE why and close */
};

struct imap_read {
    enum imap_read_type type;
    slice text; /* COMMAND, LINE; APPEND: `tag APPEND mailbox .. {n}` CRLF, or ` (flags) {n}` CRLF of a later
                   one */
    slice tag;  /* BAD, APPEND, APPEND_END: of the command, perhaps empty */
    slice data; /* DATA: a view of the input */
    uint64_t size;   /* APPEND: octets announced */
    bool binary;     /* APPEND: a literal8 (RFC 3516 §4.4) */
    bool first;      /* APPEND: the first message of the command */
    bool sync;       /* APPEND: the client waits for `+`; a refusal ends the command at once */
    bool too_big;    /* BAD: because of a cap, not of the grammar: [TOOBIG] fits */
    const char *why; /* BAD, FATAL: a clause for people; static memory */
};

/* Private. */
struct imap_reader {
    const struct imap_read_limits *limits;
    struct buf text;      /* the command so far */
    size_t literal_bytes; /* of them in literals */
    uint64_t left;        /* octets of the literal still to come */
    uint8_t state;
    bool line_mode, clear_next, cr, sync, wrapped, dropping;
    uint8_t tag_n;
    uint8_t tail_n;
    uint8_t tag[128];
    uint8_t tail[24]; /* end of a line that is skipped, to see its literal */
};

void imap_reader_init(struct imap_reader *r, const struct imap_read_limits *limits);
void imap_reader_done(struct imap_reader *r);
/* Reads from the front of *in and steps over what was used. Views in out live until the next call (data: as
 * long as the input). */
void imap_reader_next(struct imap_reader *r, slice *in, struct imap_read *out);
/* The answer to IMAP_READ_APPEND. accept: the data follows (the caller sends `+` first when .sync). Otherwise
 * the caller has said NO, and what the client sends anyway is skipped; no further event of this command
 * comes. */
void imap_reader_append(struct imap_reader *r, bool accept);
/* Tells that the rest of the running APPEND is unwanted (the store failed): it is skipped, APPEND_END still
 * comes. */
void imap_reader_append_drop(struct imap_reader *r);
/* While on, each line is given out raw as IMAP_READ_LINE (IDLE's DONE, SASL frames); line_max holds. */
void imap_reader_line_mode(struct imap_reader *r, bool on);
/* Is it between two commands, nothing collected? */
bool imap_reader_idle(const struct imap_reader *r);

#endif
