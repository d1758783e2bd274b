#include "core/sasl/plain.h"

#include "text/utf8.h"

/* message = [authzid] UTF8NUL authcid UTF8NUL passwd: RFC 4616 §2 */
enum err plain_parse(slice message, struct plain *out)
{
    slice authzid, name, password, rest;
    if (!slice_split(message, 0, &authzid, &rest) || !slice_split(rest, 0, &name, &password) ||
        slice_has(password, 0))
        return ERR_SYNTAX;
    if (name.n == 0 || password.n == 0 || !utf8_valid(message))
        return ERR_SYNTAX;
    if (authzid.n > PLAIN_NAME_MAX || name.n > PLAIN_NAME_MAX || password.n > PLAIN_PASSWORD_MAX)
        return ERR_LIMIT;
    if (authzid.n && !slice_eq(authzid, name))
        return ERR_DENIED;
    out->name = name;
    out->password = password;
    return OK;
}
