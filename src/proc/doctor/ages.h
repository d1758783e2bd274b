/* ages: what registries said of names, kept in the files of doctor's folder: "ages", a line each: name,
 * state, asked, registered, expires (Unix ms), divided by tabs; and "rdap-servers", IANA's list as it came.
 *
 * A line that cannot be read is left out, and that name asked about again. At most AGES_MAX names. */
#ifndef POSTHORN_PROC_DOCTOR_AGES_H
#define POSTHORN_PROC_DOCTOR_AGES_H

#include "base/buf.h"
#include "base/err.h"
#include "policy/doctor/domain_age.h"

#define AGES_MAX 32768

struct ages;
/* Reads the file; without one it is empty. */
struct ages *ages_open(void);
void ages_free(struct ages **a); /* writes nothing */
/* For domain_age_walk(); arg is the struct ages. */
const struct domain_age *ages_find(void *arg, slice name);
/* What was learned of a name, at now. With DOMAIN_AGE_FAILED what was known before stays known.
 * False: there is no room. */
NODISCARD bool ages_put(struct ages *a, slice name, const struct domain_age *learned);
/* Forgets every name that none of the n domains needs (domain_age_names()). */
void ages_prune(struct ages *a, const slice *domains, size_t n);
size_t ages_count(const struct ages *a);
/* When the list of servers was asked for; 0: never. */
time_ms ages_servers_at(const struct ages *a);
void ages_servers_asked(struct ages *a, time_ms now);
/* Writes the file when something changed. ERR_IO, ERR_LIMIT: it is as it was. */
NODISCARD enum err ages_save(struct ages *a);
/* The list of servers, as it came. */
NODISCARD enum err ages_servers_save(slice json);
NODISCARD enum err ages_servers_load(struct buf *out);

#endif
