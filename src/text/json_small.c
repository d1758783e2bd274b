#include "text/json_small.h"

bool json_is_small(slice s, size_t bytes_max, size_t values_max, size_t depth_max)
{
    size_t values = 0, depth = 0;
    bool string = false;
    if (s.n > bytes_max)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (string) {
            if (c == '\\')
                i++;
            string = c != '"';
            continue;
        }
        string = c == '"';
        values += c == ',' || c == ':' || c == '[' || c == '{';
        if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
        if (values > values_max || depth > depth_max)
            return false;
    }
    return true;
}
