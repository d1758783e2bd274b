/* utf8: UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef POSTHORN_TEXT_UTF8_H
#define POSTHORN_TEXT_UTF8_H

#include "base/buf.h"

/* Longest encoding of one code point. */
#define UTF8_MAX         4
#define UTF8_REPLACEMENT 0xFFFDu

/* Length of the code point at the front of s (1..4) and its value; 0 when s is empty or its first bytes are
 * no complete, valid sequence (*out_code is then untouched). */
NODISCARD size_t utf8_next(slice s, uint32_t *out_code);
/* Length of the longest prefix of s that is valid. Equal to s.n when all is. */
NODISCARD size_t utf8_valid_prefix(slice s);
static inline bool utf8_valid(slice s)
{
    return utf8_valid_prefix(s) == s.n;
}
/* Is every byte below 128? */
bool utf8_is_ascii(slice s);
/* Does valid s hold one of the control characters U+0080..U+009F? */
bool utf8_has_c1(slice s);
/* How many bytes at the end of s are the beginning of a sequence that may still become complete (0..3). */
size_t utf8_incomplete_tail(slice s);
/* Writes one code point; surrogates and values above U+10FFFF become U+FFFD. Returns its length. */
size_t utf8_put(uint8_t out[UTF8_MAX], uint32_t code);
/* Appends s with each maximal invalid run of bytes replaced by one U+FFFD per ill-formed sequence, and NUL
 * replaced too. OK or ERR_LIMIT (buffer full; what fitted stays). */
enum err utf8_sanitise(slice s, struct buf *out);
/* Cuts s to at most max code points (and never inside one); s must be valid. */
slice utf8_cut(slice s, size_t max);

#endif
