/* dkim_file: the file of one DKIM key: what is in it, and how it gets onto the disk.
 *
 * Text, one line a fact, then the private key in PEM, then a check over all before it:
 *
 *     posthorn-dkim-key 1
 *     domain example.org
 *     selector ph202611r
 *     algorithm rsa
 *     state waiting
 *     made 1795312800000
 *     since 1795312800000
 *     public MIIBIjANBgkq...
 *     -----BEGIN PRIVATE KEY-----
 *     ...
 *     -----END PRIVATE KEY-----
 *     check 6f1d...
 *
 * The check (SHA-256) is there to notice a damaged file, not to stop whoever may write it.
 *
 * Writing: a temporary file is written and synced, then renamed, then the folder is synced. Whatever moment
 * the machine stops at, there is the file as before or the file as after, and maybe a temporary one, whose
 * name begins with "." and which the next start removes.
 *
 * Invariant: room that held a private key is wiped before it is given back. */
#ifndef POSTHORN_PROC_KEYS_DKIM_FILE_H
#define POSTHORN_PROC_KEYS_DKIM_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/time.h"
#include "ipc/doctor_keys.h"

#define DKIM_FILE_MAX     ((size_t)16 * 1024)
#define DKIM_ID_MAX       240 /* of "DOMAIN,SELECTOR": it is a file's name */
#define DKIM_SELECTOR_MAX 63

/* Slices view the file's text. */
struct dkim_file {
    slice domain, selector;
    enum dkim_key_algorithm algorithm;
    enum dkim_key_state state;
    int64_t made_at, state_at; /* Unix ms */
    slice public;              /* the p= of the record */
    slice pem;
};

/* The bytes of one file, wiped by dkim_text_done(). */
struct dkim_text {
    uint8_t *p;
    size_t n;
};
void dkim_text_done(struct dkim_text *t);

/* Reads text in the form above. ERR_CORRUPT: it is not; detail says why. */
NODISCARD enum err dkim_file_parse(slice text, struct dkim_file *out, struct err_detail *detail);
/* Makes the text. ERR_LIMIT: longer than DKIM_FILE_MAX. */
NODISCARD enum err dkim_file_print(const struct dkim_file *f, struct dkim_text *out);

/* Reads the file of this name in the folder; rights that others have in it are taken away. ERR_NOT_FOUND,
 * ERR_CORRUPT (too long), ERR_IO (also of what is no plain file, links too), or what the disk says. */
NODISCARD enum err dkim_file_load(int folder, const char *name, struct dkim_text *out);
/* Writes it: afterwards it is on the disk. On an error the file is as before, or, when the folder could not
 * be synced, as after: read it again. fresh: there must be none of this name (ERR_EXISTS). */
NODISCARD enum err dkim_file_save(int folder, const char *name, slice text, bool fresh);
/* Takes it away, for good. ERR_NOT_FOUND. */
NODISCARD enum err dkim_file_remove(int folder, const char *name);

/* "rsa", "ed25519"; "waiting", "signing", "resting". Static memory; NULL for numbers that are none. */
const char *dkim_algorithm_name(unsigned algorithm);
const char *dkim_state_name(unsigned state);

#endif
