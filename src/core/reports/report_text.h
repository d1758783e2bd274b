/* report_text: how texts out of strangers' reports become ours: cut, valid, without control characters.
 * Shared by the readers of this folder. */
#ifndef POSTHORN_CORE_REPORTS_REPORT_TEXT_H
#define POSTHORN_CORE_REPORTS_REPORT_TEXT_H

#include "base/arena.h"
#include "base/err.h"

/* A cleaned copy: blanks trimmed, control characters and line separators as blanks, broken UTF-8 as U+FFFD,
 * at most max bytes (and at most 255). Empty at the arena's cap. */
slice report_text(slice in, size_t max, struct arena *a);
/* A copy of a domain name in lower case, or empty when dns_name_parse() does not take it. */
slice report_domain(slice in, struct arena *a);
/* Of a domain name the end that somebody registers: its last two labels, three when the second is short
 * ("co.uk"). A guess, for counting and for reading, not for trust. A view. */
slice report_domain_end(slice name);
/* The number of an SPF or DKIM result word (enum auth_result), "hardfail" and "error" included; none when
 * unknown. */
uint8_t report_result(slice word);

#endif
