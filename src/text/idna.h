/* idna: domain names to the one form in which we compare and store them: lower-case A-labels (RFC 5890), by
 * way of libidn2 (IDNA 2008 with UTS 46 mapping) for what is not plain ASCII. */
#ifndef POSTHORN_TEXT_IDNA_H
#define POSTHORN_TEXT_IDNA_H

#include "base/buf.h"

#define IDNA_DOMAIN_MAX 253

/* Writes the lower-case A-label form of a domain (ASCII or UTF-8; one trailing dot is dropped) and its
 * length. ERR_SYNTAX when it is no host name: labels of 1..63 letters, digits and inner hyphens (underscores
 * are refused, RFC 5321 §2.3.5), 253 octets in all, valid as IDNA where not ASCII, no NUL. */
NODISCARD enum err idna_to_ascii(slice domain, uint8_t out[IDNA_DOMAIN_MAX], size_t *out_n);
/* A-labels to U-labels for people to read. Labels that mix scripts or do not convert back stay A-labels
 * (THREATS 25). OK or ERR_LIMIT. */
enum err idna_to_unicode(slice ascii, struct buf *out);

#endif
