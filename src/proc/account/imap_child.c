/* imap_child: ties IMAP sessions to the process of the account. */
#include "proc/account/child.h"

#include "proc/account/imap_session.h"
#include "sys/clock.h"

static struct imap_host imap_child_host; /* one account, one process */

static void imap_child_tell(void *arg, const struct journal_event *e)
{
    account_child_tell(arg, *e);
}

static void imap_child_changed(void *arg)
{
    struct account_child *c = arg;
    c->sessions = imap_child_host.count;
    account_child_touch(c);
}

enum err imap_session_open(struct account_child *c, const struct session_open *m, int fd)
{
    struct imap_host *h = &imap_child_host;
    struct imap_start start = {.fd = fd,
                               .tag = m->tag,
                               .capability = m->capability,
                               .leftover = m->leftover,
                               .client_ip = m->client_ip,
                               .connection = m->connection};
    enum err e;
    if (!h->loop) {
        *h = (struct imap_host){.loop = c->loop,
                                .db = c->db,
                                .address = c->setting.address,
                                .hostname = c->setting.hostname,
                                .message_bytes = c->setting.message_bytes,
                                .now = clock_unix,
                                .tell = imap_child_tell,
                                .changed = imap_child_changed,
                                .arg = c};
        list_init(&h->sessions);
    }
    e = imap_session_start(h, &start);
    c->sessions = h->count;
    return e;
}

void imap_sessions_retire(struct account_child *c)
{
    if (imap_child_host.loop)
        imap_sessions_end(&imap_child_host);
    c->sessions = imap_child_host.count;
}

void imap_sessions_abandon(struct account_child *c)
{
    if (imap_child_host.loop)
        imap_sessions_drop(&imap_child_host);
    c->sessions = 0;
}
