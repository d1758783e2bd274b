/* own_file: the small files that doctor keeps in its folder, which is its working directory: read whole,
 * replaced whole. */
#ifndef POSTHORN_PROC_DOCTOR_OWN_FILE_H
#define POSTHORN_PROC_DOCTOR_OWN_FILE_H

#include "base/buf.h"

#define OWN_FILE_NAME_MAX 32

/* Appends what stands in the file, up to out's bound; what was read before an error stays in out.
 * ERR_NOT_FOUND: it cannot be opened; ERR_LIMIT; ERR_IO. */
NODISCARD enum err own_file_read(const char *name, struct buf *out);
/* Its content from now on: a power cut leaves the old or the new one. name: at most OWN_FILE_NAME_MAX octets.
 * An error leaves the old one. */
NODISCARD enum err own_file_write(const char *name, slice content);

#endif
