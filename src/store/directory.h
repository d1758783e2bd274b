/* directory: the database of domains, accounts, addresses and credentials (directory.db).
 *
 * What it is: who exists, where mail for an address goes, what a login is checked against. What it is not:
 * mail, or anything of one account's inside. One process (directory) has it open.
 *
 * Invariants
 *  1. Addresses are kept and compared as mailbox_key() makes them: local part with ASCII letters lower case,
 *     domain as lower-case A-label (THREATS 25). Local parts of accounts are plain ASCII.
 *  2. An account's id is never used again, also after the account was removed: folders are named by it.
 *  3. An address is an account or an alias, never both; "*@domain" is the alias for all else in a domain.
 *  4. No password is kept, only SCRAM-SHA-256 verifiers (docs/decisions/0003-credentials.md).
 *  5. Changes happen between directory_begin() and directory_commit() and count from then on: the memory of
 *     earlier lookups is dropped with the commit.
 * Limits: DIRECTORY_DEPTH_MAX aliases one behind the other, DIRECTORY_TARGETS_MAX targets of one address;
 * alias circles are harmless.
 *
 * How an address is resolved: the account of that name; else its alias; else both again without "+detail";
 * else the robot of that name; else the domain's "*"; else, for postmaster, the domain's oldest account
 * (RFC 5321 §4.5.1); else it is unknown. Robots are names that each domain of ours has without anybody having
 * made them: dmarc-reports and tls-reports, which give way to an account or alias of that name, and
 * posthorn-probe, which does not and cannot be made. */
#ifndef POSTHORN_STORE_DIRECTORY_H
#define POSTHORN_STORE_DIRECTORY_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/time.h"
#include "core/sasl/scram.h"
#include "store/db.h"

#define DIRECTORY_DEPTH_MAX   10
#define DIRECTORY_TARGETS_MAX 100
#define DIRECTORY_ADDRESS_MAX 320 /* as the channels carry it */
#define DIRECTORY_DOMAIN_MAX  253
#define DIRECTORY_NAME_MAX    128 /* bytes of a person's name */
#define DIRECTORY_SECRET_SIZE 32

struct directory;

struct directory_options {
    const char *path;
    const char *vfs;        /* NULL: the system's */
    struct hash_key key;    /* random, for the memory of lookups */
    uint64_t quota_default; /* bytes, for accounts without a quota of their own; 0: none */
    uint8_t
        secret[DIRECTORY_SECRET_SIZE]; /* random; kept in the file when it is new: see directory_secret() */
};

/* Opens or creates the file. Errors as db_open(). */
NODISCARD enum err directory_open(const struct directory_options *o, struct directory **out,
                                  struct err_detail *detail);
/* NULLs the pointer; NULL is fine; fits CLEANUP(). */
void directory_close(struct directory **d);
/* A secret of this installation, the same for its whole life: for the salts of names that do not exist. */
slice directory_secret(const struct directory *d);
/* True after a failed write or sync (db.h, invariant 3): close and open again. */
bool directory_broken(const struct directory *d);

/* ---- looking up */

struct directory_account {
    uint64_t id;
    char address[DIRECTORY_ADDRESS_MAX + 1];
    char name[DIRECTORY_NAME_MAX + 1];
    bool suspended;
    bool quota_own;                     /* the quota is its own, not the default */
    uint64_t quota_bytes;               /* 0: none */
    uint64_t used_bytes, used_messages; /* as last told; 0 when never */
    time_ms created_unix;
};

/* Who reads an address that belongs to no account. */
enum directory_robot { DIRECTORY_NO_ROBOT, DIRECTORY_ROBOT_REPORTS, DIRECTORY_ROBOT_PROBE };

struct directory_target {
    bool remote;
    uint64_t account;           /* local */
    slice address;              /* of the account, or the remote one; in the arena */
    slice detail;               /* behind the "+", or empty; in the arena */
    enum directory_robot robot; /* then no account; not remote */
};

/* Where mail for an address goes. may_relay: somebody who logged in asks, so that addresses elsewhere are
 * fine. bytes counts against quotas; 0 when not known. The arrays live in the arena (give it 256 KB).
 * ERR_SYNTAX: no address; ERR_DENIED: elsewhere, and may_relay is false; ERR_NOT_FOUND: the domain is ours,
 * the name is unknown; ERR_SUSPENDED, ERR_QUOTA: of the only target; ERR_LIMIT: more targets or deeper
 * aliases than allowed. Of several targets, suspended ones are left out and full ones stay: the queue waits
 * for them. */
NODISCARD enum err directory_resolve(struct directory *d, slice address, bool may_relay, uint64_t bytes,
                                     struct arena *a, struct directory_target **out, size_t *out_n);
/* Which robot answers to this local part (as in a key: lower case), if any. */
enum directory_robot directory_robot_of(slice local);
/* May the account send as this address? Its own, with any "+detail", or one that leads to it. OK, ERR_DENIED,
 * or an error of the database. */
NODISCARD enum err directory_owns(struct directory *d, uint64_t account, slice address, struct arena *a);
/* By exact address (any case), or by id. ERR_NOT_FOUND. */
NODISCARD enum err directory_account_find(struct directory *d, slice address, struct directory_account *out);
NODISCARD enum err directory_account_get(struct directory *d, uint64_t id, struct directory_account *out);
/* ERR_NOT_FOUND: it has no password, nobody can log in. */
NODISCARD enum err directory_verifier(struct directory *d, uint64_t account, struct scram_verifier *out);
/* The key under which an address is kept. ERR_SYNTAX, ERR_LIMIT. */
NODISCARD enum err directory_key(slice address, char out[DIRECTORY_ADDRESS_MAX + 1]);

/* How full an account is, as its process tells. Kept in memory; directory_usage_save() writes what changed.
 */
void directory_usage(struct directory *d, uint64_t account, uint64_t bytes, uint64_t messages);
/* Writes them: in quiet moments, and before closing. */
NODISCARD enum err directory_usage_save(struct directory *d);

/* ---- changing: all between begin and commit; on an error detail holds a sentence for people */

/* As db_begin(), db_commit() and db_rollback(), which does nothing when nothing is begun. */
NODISCARD enum err directory_begin(struct directory *d);
NODISCARD enum err directory_commit(struct directory *d);
void directory_rollback(struct directory *d);

/* name: in Unicode or in A-labels; kept as A-labels. ERR_EXISTS, ERR_SYNTAX. */
NODISCARD enum err directory_domain_add(struct directory *d, slice name, time_ms now_unix,
                                        struct err_detail *detail);
/* ERR_STATE while it has accounts or aliases. */
NODISCARD enum err directory_domain_remove(struct directory *d, slice name, struct err_detail *detail);

struct directory_account_new {
    slice address, name;
    const struct scram_verifier *verifier; /* NULL: no password yet */
    bool quota_own;
    uint64_t quota_bytes;
    time_ms now_unix;
};
/* ERR_NOT_FOUND: its domain is not ours. ERR_EXISTS: the address is an account or an alias. ERR_SYNTAX,
 * ERR_DENIED: it cannot be an account's. *out_id: of the account, and its folder's name, for ever. */
NODISCARD enum err directory_account_add(struct directory *d, const struct directory_account_new *n,
                                         uint64_t *out_id, struct err_detail *detail);
/* These three: ERR_NOT_FOUND; *out_id tells who has it open. A new password takes the place of the old one.
 */
NODISCARD enum err directory_account_password(struct directory *d, slice address,
                                              const struct scram_verifier *v, time_ms now_unix,
                                              uint64_t *out_id, struct err_detail *detail);
NODISCARD enum err directory_account_suspend(struct directory *d, slice address, bool suspended,
                                             uint64_t *out_id, struct err_detail *detail);
/* The folder with its mail is not touched. */
NODISCARD enum err directory_account_remove(struct directory *d, slice address, uint64_t *out_id,
                                            struct err_detail *detail);
/* Adds a target to an alias, which may be new. ERR_EXISTS: it has it already, or the address is an account.
 */
NODISCARD enum err directory_alias_add(struct directory *d, slice address, slice target,
                                       struct err_detail *detail);
/* Takes a target away, or all when target is empty. */
NODISCARD enum err directory_alias_remove(struct directory *d, slice address, slice target,
                                          struct err_detail *detail);

/* Sets something for a domain (policy/domain_setting.h says what); an error leaves what was. The value as it
 * is kept now is appended to kept (may be NULL). */
NODISCARD enum err directory_setting_set(struct directory *d, slice domain, slice name, slice value,
                                         struct buf *kept, struct err_detail *detail);
/* Back to the default; fine when it was not set. */
NODISCARD enum err directory_setting_unset(struct directory *d, slice domain, slice name,
                                           struct err_detail *detail);

/* ---- listing: fn is called for each in order of name; it must not change anything */

struct directory_domain {
    slice name;
    time_ms created_unix;
    uint64_t accounts, aliases;
};
typedef void (*directory_domain_fn)(void *arg, const struct directory_domain *domain);
typedef void (*directory_account_fn)(void *arg, const struct directory_account *account);
typedef void (*directory_alias_fn)(void *arg, slice address, slice target);
/* All of them. */
NODISCARD enum err directory_domains(struct directory *d, directory_domain_fn fn, void *arg);
/* One domain; detail (may be NULL) says why not. ERR_NOT_FOUND: not ours, ERR_SYNTAX: no name. */
NODISCARD enum err directory_domain_get(struct directory *d, slice name, directory_domain_fn fn, void *arg,
                                        struct err_detail *detail);
typedef void (*directory_name_fn)(void *arg, slice name);
/* At most max names behind after (empty: from the first). *out_more: there are further ones. */
NODISCARD enum err directory_domain_names(struct directory *d, slice after, size_t max, directory_name_fn fn,
                                          void *arg, bool *out_more);
typedef void (*directory_setting_fn)(void *arg, slice name, slice value);
/* What was set for a domain and is not its default. ERR_NOT_FOUND: not ours. */
NODISCARD enum err directory_settings(struct directory *d, slice domain, directory_setting_fn fn, void *arg);
/* domain: only that one; empty: all. */
NODISCARD enum err directory_accounts(struct directory *d, slice domain, directory_account_fn fn, void *arg);
/* address: only that alias; empty: all. */
NODISCARD enum err directory_aliases(struct directory *d, slice address, directory_alias_fn fn, void *arg);

#endif
