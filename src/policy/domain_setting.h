/* domain_setting: the one table of what can be set for a domain: names, kinds of values, defaults, and the
 * check that turns what the administrator typed into the form that is kept and compared.
 *
 * What it is not: where settings lie (store/directory_setting.c) or what they do (whoever reads them, through
 * ipc/x_settings.h).
 *
 * Invariants
 *  1. Names are on disk and in scripts: never rename one, never give an old name a new meaning.
 *  2. A checked value checks again to itself.
 *  3. Lists are kept lower case, without duplicates, joined by ",". */
#ifndef POSTHORN_POLICY_DOMAIN_SETTING_H
#define POSTHORN_POLICY_DOMAIN_SETTING_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define DOMAIN_SETTING_NAME_MAX  64
#define DOMAIN_SETTING_VALUE_MAX 2048 /* bytes, as x_settings carries it */

enum domain_setting_id {
    DOMAIN_SIGN,
    DOMAIN_SIGN_HEADERS,
    DOMAIN_DMARC,
    DOMAIN_REPORTS,
    DOMAIN_FAILURE_REPORTS,
    DOMAIN_SPF_INCLUDE,
    DOMAIN_TRUST_SEALERS,
    DOMAIN_DNS_PUSH,
    DOMAIN_SETTING__COUNT
};

enum domain_setting_kind {
    DOMAIN_SETTING_SWITCH, /* on, off */
    DOMAIN_SETTING_CHOICE, /* one of words */
    DOMAIN_SETTING_FIELDS, /* names of header fields */
    DOMAIN_SETTING_NAMES,  /* names of the DNS */
};

struct domain_setting {
    const char *name;
    enum domain_setting_kind kind;
    const char *words;   /* what may be written, for people: "on|off" */
    const char *initial; /* the value of a domain that says nothing */
    size_t items_max;    /* of lists */
    const char *help;    /* one line */
};

extern const struct domain_setting domain_settings[DOMAIN_SETTING__COUNT];

/* NULL: there is no such setting. */
const struct domain_setting *domain_setting_find(slice name);
/* The setting that was meant, by name or nearly so, for "did you mean"; NULL when none is near. */
const struct domain_setting *domain_setting_near(slice name);
/* Appends the value in the form it is kept. Items of lists may be parted by commas, blanks or both; an empty
 * list is fine. ERR_SYNTAX or ERR_LIMIT with a sentence in detail; out is then as before. */
NODISCARD enum err domain_setting_check(const struct domain_setting *s, slice value, struct buf *out,
                                        struct err_detail *detail);
/* Takes the next item off a kept list. False at its end. */
bool domain_setting_item(slice *list, slice *out);
static inline bool domain_setting_on(slice value)
{
    return slice_eq(value, SLICE("on"));
}

#endif
