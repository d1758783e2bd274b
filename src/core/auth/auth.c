#include "core/auth/auth.h"

slice auth_result_word(enum auth_result r)
{
    static const slice words[] = {SLICE_INIT("none"),      SLICE_INIT("pass"),     SLICE_INIT("fail"),
                                  SLICE_INIT("softfail"),  SLICE_INIT("neutral"),  SLICE_INIT("policy"),
                                  SLICE_INIT("temperror"), SLICE_INIT("permerror")};
    static_assert(ARRAY_LEN(words) == AUTH__LAST + 1, "every result has a word");
    return words[(unsigned)r <= AUTH__LAST ? r : AUTH_NONE];
}
