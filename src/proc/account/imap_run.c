/* imap_run: which function runs which command, and the commands that need no store. */
#include "proc/account/imap__.h"

/* Only what works is named here. */
static const char run_capabilities[] = "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE IDLE NAMESPACE "
                                       "UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE "
                                       "CREATE-SPECIAL-USE ESEARCH SEARCHRES LIST-EXTENDED LIST-STATUS "
                                       "STATUS=SIZE MULTIAPPEND BINARY CONDSTORE WITHIN "
                                       "OBJECTID";

void imap__capabilities(struct imap_session *s)
{
    (void)buf_str(&s->out, run_capabilities); /* out_max is far */
    if (s->host->message_bytes)
        (void)buf_print(&s->out, " APPENDLIMIT=%llu", (unsigned long long)s->host->message_bytes);
}

static enum imap_step run_capability(struct imap_session *s)
{
    (void)buf_str(&s->out, "* "); /* out_max is far, here and below */
    imap__capabilities(s);
    (void)buf_str(&s->out, "\r\n");
    return imap__ok(s);
}

static enum imap_step run_logout(struct imap_session *s)
{
    imap_write_done(&s->out, (slice){0}, "BYE", NULL, "logging out");
    imap__deselect(s);
    return imap__ok(s);
}

static enum imap_step run_id(struct imap_session *s)
{
    (void)buf_str(&s->out, "* ID (\"name\" \"Posthorn\")\r\n");
    return imap__ok(s);
}

/* RFC 5161 §3.1: names those that are enabled now. */
static enum imap_step run_enable(struct imap_session *s)
{
    uint32_t fresh = s->cmd.enable & (IMAP_CAPS_REV2 | IMAP_CAPS_CONDSTORE);
    (void)buf_str(&s->out, "* ENABLED");
    if (fresh & IMAP_CAPS_REV2)
        (void)buf_str(&s->out, " IMAP4rev2");
    if (fresh & IMAP_CAPS_CONDSTORE)
        (void)buf_str(&s->out, " CONDSTORE");
    (void)buf_str(&s->out, "\r\n");
    s->caps |= fresh;
    return imap__ok(s);
}

static enum imap_step run_namespace(struct imap_session *s)
{
    (void)buf_str(&s->out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    return imap__ok(s);
}

/* RFC 9051 §6.3.13: the reply is written now and sent after DONE. */
static enum imap_step run_idle(struct imap_session *s)
{
    (void)buf_str(&s->out, "+ idling\r\n");
    imap_reader_line_mode(&s->reader, true);
    s->idling = true;
    return imap__ok(s);
}

imap__command *imap__command_of(enum imap_verb verb)
{
    static imap__command *const table[IMAP_VERB_COUNT] = {
        [IMAP_CAPABILITY] = run_capability,
        [IMAP_NOOP] = imap__ok,
        [IMAP_LOGOUT] = run_logout,
        [IMAP_ID] = run_id,
        [IMAP_ENABLE] = run_enable,
        [IMAP_SELECT] = imap__select,
        [IMAP_EXAMINE] = imap__select,
        [IMAP_CREATE] = imap__create,
        [IMAP_DELETE] = imap__delete,
        [IMAP_RENAME] = imap__rename,
        [IMAP_SUBSCRIBE] = imap__subscribe,
        [IMAP_UNSUBSCRIBE] = imap__subscribe,
        [IMAP_LIST] = imap__list,
        [IMAP_LSUB] = imap__lsub,
        [IMAP_NAMESPACE] = run_namespace,
        [IMAP_STATUS] = imap__status,
        [IMAP_IDLE] = run_idle,
        [IMAP_CHECK] = imap__ok,
        [IMAP_CLOSE] = imap__close,
        [IMAP_UNSELECT] = imap__unselect,
        [IMAP_EXPUNGE] = imap__expunge,
        [IMAP_SEARCH] = imap__search,
        [IMAP_FETCH] = imap__fetch,
        [IMAP_STORE] = imap__store,
        [IMAP_COPY] = imap__copy,
        [IMAP_MOVE] = imap__copy,
    };
    return (unsigned)verb < IMAP_VERB_COUNT ? table[verb] : NULL;
}
