#include "base/secret.h"

void secret_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}

void secret_done(struct secret *s)
{
    if (s)
        secret_wipe(s, sizeof *s);
}

enum err secret_set(struct secret *out, slice s)
{
    if (s.n > sizeof out->bytes)
        return ERR_LIMIT;
    must(out);
    secret_done(out);
    if (s.p)
        memcpy(out->bytes, s.p, s.n);
    out->n = s.n;
    return OK;
}
