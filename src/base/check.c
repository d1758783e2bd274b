#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void must_failed(const char *file, int line, const char *expression)
{
    fprintf(stderr, "posthorn: broken promise at %s:%d: %s\n", file, line, expression);
    abort();
}
