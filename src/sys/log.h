/* log: one line per event on standard error, for the operator of the machine. What happened to mail goes to
 * the journal instead. Control characters in values are escaped; no content, no secrets. */
#ifndef POSTHORN_SYS_LOG_H
#define POSTHORN_SYS_LOG_H

#include "base/check.h"

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* The name every line starts with ("edge.0"). Copied, cut at 31 bytes. */
void log_name(const char *name);
void log_line(enum log_level level, const char *format, ...) FORMAT(2, 3);
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
