/* json_small: a first look at a stranger's JSON, before a parser allocates for it (THREATS 26).
 *
 * It counts what makes a parser allocate and what makes it recurse; what is no JSON at all may pass: the
 * parser tells. */
#ifndef POSTHORN_TEXT_JSON_SMALL_H
#define POSTHORN_TEXT_JSON_SMALL_H

#include "base/slice.h"

/* Is s at most bytes_max long, nested at most depth_max deep, with at most values_max commas, colons and
 * brackets, of which a document has at least as many as values? */
bool json_is_small(slice s, size_t bytes_max, size_t values_max, size_t depth_max);

#endif
