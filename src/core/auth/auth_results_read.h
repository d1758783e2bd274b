/* auth_results_read: Authentication-Results fields that others wrote (RFC 8601 §2.2), and the same in
 * ARC-Authentication-Results (RFC 8617 §4.1.1).
 *
 * Read leniently, since senders write values that are no tokens without quoting them; what stands in a
 * comment is never read as a result. What such a field says is worth as much as the one who vouches for it:
 * the house uses it only of a trusted ARC sealer.
 *
 * Limits: time in proportion to the length; AUTH_RESULTS_PROPERTIES properties of one result, further ones
 * are dropped. */
#ifndef POSTHORN_CORE_AUTH_AUTH_RESULTS_READ_H
#define POSTHORN_CORE_AUTH_AUTH_RESULTS_READ_H

#include "base/arena.h"
#include "base/err.h"

#define AUTH_RESULTS_PROPERTIES 16

struct auth_results_property {
    slice type, name; /* "header" and "from"; type is empty where there was no dot */
    slice value;      /* quoting removed */
};

struct auth_results_method {
    slice method, result; /* "dkim", "pass": as written, compare with slice_eq_nocase() */
    slice reason;         /* or empty */
    struct auth_results_property at[AUTH_RESULTS_PROPERTIES];
    size_t n;
};

struct auth_results_reader {
    struct cursor rest;
    struct arena *arena;
};

/* Reads the authserv-id and stands before the first result. Folds may still be in value. ERR_SYNTAX: there is
 * no authserv-id, or a control character is inside; ERR_LIMIT: the arena's cap. Everything views value or the
 * arena. */
NODISCARD enum err auth_results_read(slice value, struct arena *a, struct auth_results_reader *out,
                                     slice *out_authserv_id);
/* The next result. ERR_NOT_FOUND: there is no more. What between two ";" is no result is stepped over. */
NODISCARD enum err auth_results_next(struct auth_results_reader *r, struct auth_results_method *out);
/* The value of a property, or NULL. Names ASCII case folded. */
const slice *auth_results_property(const struct auth_results_method *m, slice type, slice name);

/* Does this Authentication-Results value (unfolded or not) claim to be ours? Its authserv-id is read as RFC
 * 8601 §2.2 says, with comments, quoting, version and as a U-label; and as a careless reader would: any word
 * before the first ";" that is our name counts, also in a comment, with a final dot, or behind other words.
 * ASCII case folded. Such fields are removed on the way in (RFC 8601 §5), which costs a stranger's field that
 * only mentions us nothing that anybody needs. */
bool auth_results_is_ours(slice value, slice authserv_id);

#endif
