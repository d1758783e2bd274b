/* edge: small things that all sessions use. The process around them is edge_role.c. */
#include "proc/edge/edge.h"

#include "proc/edge/conn.h"
#include "sys/clock.h"

void edge_tell(struct edge *e, const struct conn *c, struct journal_event event)
{
    char peer[CONN_PEER_TEXT];
    if (!e->role)
        return; /* a test without a house */
    if (c && !event.connection)
        event.connection = c->id;
    if (c && !event.peer.n) {
        conn_peer(c, peer);
        event.peer = slice_str(peer);
    }
    role_tell(e->role, event);
}

uint64_t edge_mail_id(struct edge *e)
{
    return mail_id_next(&e->mail_ids, clock_unix());
}
