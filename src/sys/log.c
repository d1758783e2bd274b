#include "sys/log.h"

#include "base/slice.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static char log_who[32] = "posthorn";

void log_name(const char *name)
{
    (void)snprintf(log_who, sizeof log_who, "%s", name); /* cutting is what the contract says */
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const words[] = {"", "warning: ", "error: "};
    char text[1024], line[2 * sizeof text + 64];
    size_t n;
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap); /* a long line is cut */
    va_end(ap);
    n = (size_t)snprintf(line, sizeof line - sizeof text, "%s: %s", log_who, words[level]);
    for (const char *p = text; *p && n + 5 < sizeof line; p++) {
        unsigned char c = (unsigned char)*p;
        if (c >= 32 && c != 127)
            line[n++] = (char)c;
        else
            n += (size_t)snprintf(line + n, 5, "\\x%02x", c);
    }
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0) {
        /* nowhere left to say it */
    }
}
