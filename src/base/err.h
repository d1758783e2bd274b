/* err: the one error type. Every code has a name, a text, a kind and the SMTP reply it suggests.
 *
 * Mail lives on the kind: a temporary error is worth another try, a permanent one is not, and a bug is ours
 * and is answered like a temporary error so that no mail is refused for it. */
#ifndef POSTHORN_BASE_ERR_H
#define POSTHORN_BASE_ERR_H

#include "base/check.h"

enum err {
    OK = 0,
    ERR_MORE,        /* a parser needs more input */
    ERR_LIMIT,       /* a stated bound was reached */
    ERR_SYNTAX,      /* the bytes do not follow their grammar */
    ERR_STATE,       /* right message, wrong moment */
    ERR_NOT_FOUND,   /* no such thing */
    ERR_EXISTS,      /* there already */
    ERR_DENIED,      /* known, but not allowed */
    ERR_AUTH,        /* credentials do not match */
    ERR_EXPIRED,     /* too late */
    ERR_REPLAYED,    /* used before */
    ERR_SUSPENDED,   /* the account is closed for now */
    ERR_QUOTA,       /* the account is full */
    ERR_TOO_LARGE,   /* this one thing is too large */
    ERR_LOOP,        /* mail that goes in circles */
    ERR_DISK_FULL,   /* no space left on the disk */
    ERR_IO,          /* the system refused a read, write or sync */
    ERR_CORRUPT,     /* stored bytes fail their checksum or grammar */
    ERR_BUSY,        /* too much going on; try again */
    ERR_TIMEOUT,     /* nobody answered in time */
    ERR_CLOSED,      /* the other end is gone */
    ERR_AGAIN,       /* nothing to do right now */
    ERR_UNSUPPORTED, /* understood, not offered */
    ERR_DNS,         /* the DNS gave no usable answer, for now */
    ERR_DNS_BOGUS,   /* DNSSEC validation failed */
    ERR_TLS,         /* the TLS handshake or record layer failed */
    ERR_CONNECT,     /* no connection to the peer */
    ERR_PEER,        /* the peer answered against its protocol */
    ERR_REFUSED,     /* the peer said no for good */
    ERR_CONFIG,      /* the configuration is wrong */
    ERR_USAGE,       /* the command line is wrong */
    ERR_MEMORY,      /* the allocator failed; only fault tests see it */
    ERR_BUG,         /* we broke our own rule */
    ERR__COUNT
};

enum err_kind { ERR_KIND_NONE, ERR_KIND_TEMPORARY, ERR_KIND_PERMANENT, ERR_KIND_BUG };

/* Short stable name ("disk_full"), for logs and JSON. Static memory. */
const char *err_name(enum err e);
/* A clause for people ("the disk is full"). Static memory, no full stop. */
const char *err_text(enum err e);
enum err_kind err_kind(enum err e);
/* Three-digit SMTP reply (250 for OK) and enhanced status code ("4.3.1"), RFC 5321 §4.2, RFC 3463. */
int err_smtp_code(enum err e);
const char *err_smtp_status(enum err e);
/* The code for an errno value: ENOSPC and EDQUOT are ERR_DISK_FULL, ENOENT is ERR_NOT_FOUND, and so on. */
enum err err_from_errno(int errno_value);
/* An integer from another process back to a code; anything out of range becomes ERR_BUG. */
enum err err_from_wire(uint32_t value);

/* Detail text a caller provides and layers may prefix. Always NUL-terminated; too long a text is cut. */
struct err_detail {
    char text[256];
};
void err_detail_set(struct err_detail *d, const char *format, ...) FORMAT(2, 3);
/* Puts "prefix: " before what is there. d may be NULL in both. */
void err_detail_prefix(struct err_detail *d, const char *prefix);

#endif
