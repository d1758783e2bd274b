/* account_testing: what the tests of the account database share: a message made from a number, an account on
 * the failing disk, and the oracle of THREATS 55: (mailbox, UIDVALIDITY, UID) never names two contents. */
#ifndef POSTHORN_TEST_ACCOUNT_TESTING_H
#define POSTHORN_TEST_ACCOUNT_TESTING_H

#include "lib/test.h"

#include "store/account.h"
#include "store/shim.h"

#define T0 ((time_ms)1790000000000)

/* A message of about `bytes` octets whose content is different for every number. Free it with free(). */
slice message_new(unsigned number, size_t bytes);
void message_free(slice m);

/* The database file "account.db" on the shim's disk. Fails the test when it cannot be opened. */
struct account_db *open_account(void);
struct account_db *open_account_with(const struct account_options *o);

/* One message in one batch. */
enum err put(struct account_store *s, uint64_t mailbox, slice message, flag_set flags,
             struct account_added *out);
enum err put_once(struct account_store *s, uint64_t mailbox, slice message, uint64_t mail_id, slice recipient,
                  struct account_added *out);

struct oracle;
struct oracle *oracle_new(void);
void oracle_free(struct oracle *o);
/* Reads every mailbox whole: bodies readable, counters equal to what is there, quota the sum, UIDs ascending
 * below UIDNEXT, and every (mailbox, UIDVALIDITY, UID) as it was when last seen. */
void oracle_check(struct oracle *o, struct account_store *s);
/* Whether damaged messages are to be expected: they are then counted, not failed on. */
size_t read_all(struct account_store *s, size_t *out_damaged);

#endif
