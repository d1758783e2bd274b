/* Checks that are not built in (yet): each says none. */
#include "core/arc/arc.h"
#include "core/auth/auth_results.h"
#include "core/dkim/dkim.h"
#include "core/iprev/iprev.h"

#include <stdlib.h>

#ifdef WITHOUT_dkim
struct dkim_verify {
    int x;
};
struct dkim_verify *dkim_verify_begin(slice header, struct arena *a)
{
    (void)header;
    return ARENA_NEW(a, struct dkim_verify);
}
void dkim_verify_body(struct dkim_verify *v, slice piece)
{
    (void)v, (void)piece;
}
void dkim_verify_body_end(struct dkim_verify *v)
{
    (void)v;
}
void dkim_verify_want(struct dkim_verify *v, struct dns_table *dns)
{
    (void)v, (void)dns;
}
enum auth_step dkim_verify_finish(struct dkim_verify *v, struct dns_table *dns, time_ms now,
                                  struct dkim_keys_cache *cache, const struct dkim_result **out,
                                  size_t *out_n)
{
    (void)v, (void)dns, (void)now, (void)cache;
    *out = NULL;
    *out_n = 0;
    return AUTH_DONE;
}
struct dkim_keys_cache *dkim_keys_cache_new(size_t keys_max)
{
    (void)keys_max;
    return calloc(1, 1);
}
void dkim_keys_cache_free(struct dkim_keys_cache **c)
{
    free(*c);
    *c = NULL;
}
#endif
#ifdef WITHOUT_arc
struct arc_verify {
    int x;
};
struct arc_verify *arc_verify_begin(slice header, struct arena *a)
{
    (void)header;
    return ARENA_NEW(a, struct arc_verify);
}
void arc_verify_body(struct arc_verify *v, slice piece)
{
    (void)v, (void)piece;
}
void arc_verify_body_end(struct arc_verify *v)
{
    (void)v;
}
void arc_verify_want(struct arc_verify *v, struct dns_table *dns)
{
    (void)v, (void)dns;
}
enum auth_step arc_verify_finish(struct arc_verify *v, struct dns_table *dns, time_ms now,
                                 struct dkim_keys_cache *cache, struct arc_result *out)
{
    (void)v, (void)dns, (void)now, (void)cache;
    *out = (struct arc_result){.result = AUTH_NONE};
    return AUTH_DONE;
}
#endif
#ifdef WITHOUT_iprev
enum auth_step iprev_check(const struct ip *client, struct dns_table *dns, struct arena *a,
                           struct iprev_result *out)
{
    (void)client, (void)dns, (void)a;
    *out = (struct iprev_result){.result = AUTH_NONE};
    return AUTH_DONE;
}
#endif
#ifdef WITHOUT_auth_results
enum err auth_results_print(const struct auth_results *r, slice authserv_id, struct buf *out)
{
    (void)r;
    if (buf_append(out, authserv_id))
        return ERR_LIMIT;
    return buf_str(out, "; none");
}
bool auth_results_is_ours(slice value, slice authserv_id)
{
    return slice_starts_nocase(slice_trim(value), authserv_id);
}
#endif
