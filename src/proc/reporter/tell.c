#include "proc/reporter/reporter.h"

void tell_call(struct reporter *r, struct role_peer *peer, uint64_t id, const void *call)
{
    (void)r, (void)peer, (void)id, (void)call;
}
void tell_more(struct reporter *r, struct role_peer *peer, uint64_t id, const void *more)
{
    (void)r, (void)peer, (void)id, (void)more;
}
void tell_forget(struct reporter *r, const struct role_peer *peer)
{
    (void)r, (void)peer;
}
