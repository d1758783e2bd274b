/* house: the roles, their names, and what binds them: the numbers that more than one channel uses. */
#ifndef POSTHORN_IPC_HOUSE_H
#define POSTHORN_IPC_HOUSE_H

#include "base/err.h"
#include "base/slice.h"

/* Kept in step with JOURNAL_ROLES in policy/journal_event.h, which are on disk. */
enum role {
    ROLE_NONE,
    ROLE_SUPERVISOR,
    ROLE_EDGE,
    ROLE_DIRECTORY,
    ROLE_ACCOUNTS,
    ROLE_ACCOUNT,
    ROLE_JUDGE,
    ROLE_RELAY,
    ROLE_RESOLVER,
    ROLE_FETCHER,
    ROLE_KEYS,
    ROLE_JOURNAL,
    ROLE_DOCTOR,
    ROLE_REPORTER,
    ROLE_NAMESERVER,
    ROLE__COUNT
};

/* "edge", "directory", ... Static memory. "none" for numbers outside. */
const char *role_name(enum role r);

/* The protocols somebody can speak to us, and what a ticket may open. */
enum service {
    SERVICE_SMTP,
    SERVICE_SUBMISSION,
    SERVICE_SUBMISSIONS,
    SERVICE_IMAP,
    SERVICE_IMAPS,
    SERVICE__COUNT
};
const char *service_name(enum service s); /* "smtp", "imaps", ... */

#define ADDRESS_MAX 320   /* local part 64, @, domain 255 (RFC 5321 §4.5.3.1) */
#define TICKET_MAX  96    /* bytes of an encoded ticket */
#define PREFIX_MAX  16384 /* bytes of header fields that we add to one message */
#define TEXT_MAX    1024  /* a reply or reason in words */

#endif
