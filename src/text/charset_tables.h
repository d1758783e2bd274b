/* charset_tables: private to charset.c. */
#ifndef POSTHORN_TEXT_CHARSET_TABLES_H
#define POSTHORN_TEXT_CHARSET_TABLES_H

#include "base/slice.h"

#define CHARSET_TABLES 28

struct charset_table {
    slice name; /* the preferred MIME name, lower case */
    uint16_t high[128];
};

extern const struct charset_table charset_tables[CHARSET_TABLES];

#endif
