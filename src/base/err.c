#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_row {
    const char *name, *text;
    enum err_kind kind;
    int smtp;
    const char *status;
};

#define T ERR_KIND_TEMPORARY
#define P ERR_KIND_PERMANENT

static const struct err_row err_rows[] = {
    [OK] = {"ok", "done", ERR_KIND_NONE, 250, "2.0.0"},
    [ERR_MORE] = {"more", "more input is needed", T, 451, "4.3.0"},
    [ERR_LIMIT] = {"limit", "a limit was reached", P, 552, "5.3.4"},
    [ERR_SYNTAX] = {"syntax", "the input does not follow its grammar", P, 501, "5.5.2"},
    [ERR_STATE] = {"state", "not allowed at this point", P, 503, "5.5.1"},
    [ERR_NOT_FOUND] = {"not_found", "there is no such thing", P, 550, "5.1.1"},
    [ERR_EXISTS] = {"exists", "it exists already", P, 550, "5.3.0"},
    [ERR_DENIED] = {"denied", "that is not allowed", P, 550, "5.7.1"},
    [ERR_AUTH] = {"auth", "the name or the password is wrong", P, 535, "5.7.8"},
    [ERR_EXPIRED] = {"expired", "it is too late for that", T, 451, "4.3.0"},
    [ERR_REPLAYED] = {"replayed", "it was used before", T, 451, "4.3.0"},
    [ERR_SUSPENDED] = {"suspended", "the account is suspended", P, 550, "5.2.1"},
    [ERR_QUOTA] = {"quota", "the mailbox is full", T, 452, "4.2.2"},
    [ERR_TOO_LARGE] = {"too_large", "the message is too large", P, 552, "5.3.4"},
    [ERR_LOOP] = {"loop", "the message is going in circles", P, 554, "5.4.6"},
    [ERR_DISK_FULL] = {"disk_full", "the disk is full", T, 452, "4.3.1"},
    [ERR_IO] = {"io", "the disk refused to work", T, 451, "4.3.0"},
    [ERR_CORRUPT] = {"corrupt", "the stored data is damaged", T, 451, "4.3.0"},
    [ERR_BUSY] = {"busy", "the server is busy", T, 451, "4.3.2"},
    [ERR_TIMEOUT] = {"timeout", "no answer came in time", T, 451, "4.4.1"},
    [ERR_CLOSED] = {"closed", "the other end is gone", T, 451, "4.4.2"},
    [ERR_AGAIN] = {"again", "nothing to do yet", T, 451, "4.3.0"},
    [ERR_UNSUPPORTED] = {"unsupported", "that is not offered here", P, 504, "5.5.4"},
    [ERR_DNS] = {"dns", "the DNS gave no answer", T, 451, "4.4.3"},
    [ERR_DNS_BOGUS] = {"dns_bogus", "the DNS answer failed its DNSSEC check", T, 451, "4.7.0"},
    [ERR_TLS] = {"tls", "TLS failed", T, 451, "4.7.5"},
    [ERR_CONNECT] = {"connect", "no connection could be made", T, 451, "4.4.1"},
    [ERR_PEER] = {"peer", "the other server did not keep to its protocol", T, 451, "4.5.0"},
    [ERR_REFUSED] = {"refused", "the other server refused for good", P, 554, "5.0.0"},
    [ERR_CONFIG] = {"config", "the configuration is wrong", T, 451, "4.3.5"},
    [ERR_USAGE] = {"usage", "the command line is wrong", P, 501, "5.5.4"},
    [ERR_MEMORY] = {"memory", "there is not enough memory", T, 451, "4.3.0"},
    [ERR_BUG] = {"bug", "something went wrong inside Posthorn", ERR_KIND_BUG, 451, "4.3.0"},
};
static_assert(ARRAY_LEN(err_rows) == ERR__COUNT, "every code has a row");

static const struct err_row *err_row(enum err e)
{
    return &err_rows[(unsigned)e < ERR__COUNT ? e : ERR_BUG];
}

const char *err_name(enum err e)
{
    return err_row(e)->name;
}

const char *err_text(enum err e)
{
    return err_row(e)->text;
}

enum err_kind err_kind(enum err e)
{
    return err_row(e)->kind;
}

int err_smtp_code(enum err e)
{
    return err_row(e)->smtp;
}

const char *err_smtp_status(enum err e)
{
    return err_row(e)->status;
}

enum err err_from_errno(int errno_value)
{
    switch (errno_value) {
    case 0:
        return OK;
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case EAGAIN:
        return ERR_AGAIN;
    case ENOMEM:
        return ERR_MEMORY;
    case EMFILE:
    case ENFILE:
        return ERR_BUSY;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
        return ERR_CONNECT;
    case EPIPE:
    case ECONNRESET:
        return ERR_CLOSED;
    default:
        return ERR_IO;
    }
}

enum err err_from_wire(uint32_t value)
{
    return value < ERR__COUNT ? (enum err)value : ERR_BUG;
}

void err_detail_set(struct err_detail *d, const char *format, ...)
{
    va_list ap;
    if (!d)
        return;
    va_start(ap, format);
    (void)vsnprintf(d->text, sizeof d->text, format, ap); /* cutting is what the contract says */
    va_end(ap);
}

void err_detail_prefix(struct err_detail *d, const char *prefix)
{
    size_t n, keep;
    if (!d)
        return;
    n = size_min(strlen(prefix) + 2, sizeof d->text - 1);
    keep = size_min(strlen(d->text), sizeof d->text - 1 - n);
    memmove(d->text + n, d->text, keep);
    memcpy(d->text, prefix, n - 2);
    memcpy(d->text + n - 2, ": ", 2);
    d->text[n + keep] = 0;
}
