/* cfws: comments and folding white space (RFC 5322 §3.2.2), the one way over them. */
#ifndef POSTHORN_TEXT_CFWS_H
#define POSTHORN_TEXT_CFWS_H

#include "base/slice.h"

/* Steps over blanks, line ends and comments. Comments nest by a counter, so any depth costs nothing; one that
 * is not closed ends with the input, as does one behind a last backslash (THREATS 5, 7). */
void cfws_skip(struct cursor *c);

#endif
