/* check: assertions, result marking, checked arithmetic and scope clean-up.
 *
 * must() states what *we* guarantee and stays on in release builds. Bytes from a peer, a disk, a message or
 * another process never meet must(); they meet a parser. */
#ifndef POSTHORN_BASE_CHECK_H
#define POSTHORN_BASE_CHECK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ends this process with a line on standard error: file, line, expression. Never returns. */
_Noreturn void must_failed(const char *file, int line, const char *expression);

#define must(x) ((x) ? (void)0 : must_failed(__FILE__, __LINE__, #x))

/* The caller has to look at the result. */
#define NODISCARD __attribute__((warn_unused_result))
/* Checks a printf-like format against its arguments; formats are always literals. */
#define FORMAT(fmt, first) __attribute__((format(printf, fmt, first)))
/* Runs fn(&variable) when the variable's scope ends. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Drops a result on purpose; why is for the reader. */
#define IGNORE_RESULT(expression, why)                                                                       \
    do {                                                                                                     \
        static_assert(sizeof(why) > 1, "say why");                                                           \
        if (expression) {                                                                                    \
        }                                                                                                    \
    } while (0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* *out = a + b, a * b or a - b. False when that overflows; *out is then untouched. */
NODISCARD static inline bool size_add(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

NODISCARD static inline bool size_mul(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
