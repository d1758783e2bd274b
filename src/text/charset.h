/* charset: text of a named character set to UTF-8.
 *
 * UTF-8, US-ASCII, ISO-8859-x, Windows-125x and KOI8 are tables of our own, so that they work in a process
 * that may open no files. The rest (Chinese, Japanese, Korean, UTF-16, UTF-7) goes through the C library's
 * iconv; a set that it does not know, or whose tables it may not load, keeps its ASCII and gets U+FFFD for
 * the rest. The result is always valid UTF-8 without NUL. Output is bounded by the buffer given. */
#ifndef POSTHORN_TEXT_CHARSET_H
#define POSTHORN_TEXT_CHARSET_H

#include "base/buf.h"

/* Appends in, converted. OK; ERR_NOT_FOUND when the set is unknown (the ASCII of it was appended all the
 * same); ERR_LIMIT when out is full (what fitted stays). An empty name means US-ASCII, and bytes above 127
 * are then taken as UTF-8 where valid, else as Windows-1252. */
enum err charset_to_utf8(slice name, slice in, struct buf *out);
/* May a process without files convert this set, i.e. is it one of our tables? */
bool charset_is_built_in(slice name);
/* Loads the C library's common East Asian tables, for a process that will lock itself in afterwards. Keeps
 * them open for its life. */
void charset_preload(void);

#endif
