/* test: what every cmocka unit test includes. */
#ifndef POSTHORN_TEST_LIB_TEST_H
#define POSTHORN_TEST_LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"

/* The bytes copied so that the last one lies against an unreadable page: reading past the end crashes. Freed
 * with guard_free(). n may be 0. */
slice guard_copy(slice s);
void guard_free(slice s);

#define assert_slice(s, text) assert_slice_at((s), slice_str(text), __FILE__, __LINE__)
#define assert_slices(a, b)   assert_slice_at((a), (b), __FILE__, __LINE__)
void assert_slice_at(slice got, slice want, const char *file, int line);

#endif
