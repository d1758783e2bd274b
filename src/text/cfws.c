#include "text/cfws.h"

void cfws_skip(struct cursor *c)
{
    size_t depth = 0;
    for (;;) {
        int b = cursor_peek(c);
        if (b == '(')
            depth++;
        else if (b == ')' && depth)
            depth--;
        else if (b == '\\' && depth)
            cursor_skip(c, 1);
        else if (b < 0 || (depth == 0 && b != ' ' && b != '\t' && b != '\r' && b != '\n'))
            return;
        cursor_skip(c, 1);
    }
}
