/* account_schema: the format of the account database; docs/store.md tells it in full. A migration that has
 * been released is never changed: a new one is added. */
#include "store/account__.h"

const char *const account__migrations[] = {
    /* one row of counters: the last value given of each */
    "CREATE TABLE account (id INTEGER PRIMARY KEY CHECK (id = 1), salt INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " modseq INTEGER NOT NULL, mailbox INTEGER NOT NULL, message INTEGER NOT NULL,"
    " uidvalidity INTEGER NOT NULL,"
    " scanned_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE mailbox (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, special INTEGER NOT NULL,"
    " uidvalidity INTEGER NOT NULL UNIQUE, uidnext INTEGER NOT NULL, recent_from INTEGER NOT NULL,"
    " modseq INTEGER NOT NULL, messages INTEGER NOT NULL, unseen INTEGER NOT NULL, deleted INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL) STRICT;"
    /* deleted ones, for undelete and to show that a UIDVALIDITY was used */
    "CREATE TABLE mailbox_gone (id INTEGER PRIMARY KEY, name TEXT NOT NULL, uidvalidity INTEGER NOT NULL,"
    " gone_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE subscription (name TEXT PRIMARY KEY) WITHOUT ROWID, STRICT;"
    "CREATE TABLE keyword (bit INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    /* membership: id = mailbox << 32 | key; see run.h and docs/decisions/0001-membership.md */
    "CREATE TABLE run (id INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;"
    "CREATE TABLE expunged (id INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL,"
    " gone_at INTEGER NOT NULL, moved INTEGER NOT NULL, record BLOB NOT NULL) STRICT;"
    "CREATE INDEX expunged_mailbox ON expunged (mailbox, modseq);"
    /* content: never changed once written */
    "CREATE TABLE message (id INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;"
    "CREATE TABLE chunk (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;" /* id = message << 12 | number
                                                                                */
    "CREATE TABLE doomed (message INTEGER PRIMARY KEY, scans INTEGER NOT NULL) STRICT;"
    "CREATE TABLE thread (hash INTEGER PRIMARY KEY, thread INTEGER NOT NULL) STRICT;"
    "CREATE TABLE handover (mail_id INTEGER NOT NULL, recipient INTEGER NOT NULL, mailbox INTEGER NOT NULL,"
    " uid INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (mail_id, recipient)) WITHOUT ROWID,"
    " STRICT;",
};
const size_t account__migrations_n = ARRAY_LEN(account__migrations);
