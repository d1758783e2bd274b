/* conf_file: the part of the configuration that touches the disk. */
#ifndef POSTHORN_CONF_CONF_FILE_H
#define POSTHORN_CONF_CONF_FILE_H

#include "conf/conf.h"

/* Reads and parses the file. OK when there is no mistake; ERR_CONFIG when problems holds some; another code
 * when the file could not be read (problems then holds one that says why). */
NODISCARD enum err conf_file_load(const char *path, struct conf *out, struct conf_problems *out_problems);
/* Looks at what the configuration names: certificate and key readable, the data folder or its parent there,
 * the trust anchor readable. Adds what is wrong. */
void conf_file_check(const struct conf *c, struct conf_problems *problems);

#endif
