/* house: what the judge knows of our own domains: how they are set (directory) and which keys sign for them
 * (keys). Asked for when a message wants it, kept for HOUSE_KEEP_MS.
 *
 * While the other role is away the question waits for it, HOUSE_PATIENCE_MS at most; then the domain counts
 * as unknown for a moment: mail goes out unsigned rather than not at all.
 *
 * Limits: HOUSE_DOMAINS_MAX domains; the one used longest ago goes first. */
#ifndef POSTHORN_PROC_JUDGE_HOUSE_H
#define POSTHORN_PROC_JUDGE_HOUSE_H

#include "core/dns/dns_name.h"
#include "ipc/role.h"

#define HOUSE_KEEP_MS     (10 * MS_SECOND)
#define HOUSE_PATIENCE_MS (4 * MS_SECOND)
#define HOUSE_ASK_MS      (10 * MS_SECOND)
#define HOUSE_DOMAINS_MAX 512
#define HOUSE_VALUE_MAX   2048
#define HOUSE_KEYS_MAX    8

enum house_state {
    HOUSE_WAIT,  /* asked; came() will be called */
    HOUSE_KNOWN, /* the fields below hold */
    HOUSE_NOT_OURS,
    HOUSE_NO_ANSWER,
};

struct house_key {
    struct dns_name selector;
    bool ed25519; /* else RSA */
};

struct house_domain {
    struct list age;
    struct judge_house *house;
    struct dns_name name;
    uint64_t key;
    enum house_state state;
    bool asking_keys; /* which of the two questions is open */
    bool open;
    time_ms until, patient_until;
    bool sign;
    slice sign_headers, trust_sealers; /* in text */
    struct buf text;
    struct house_key keys[HOUSE_KEYS_MAX];
    size_t n_keys;
    bool no_keys; /* keys gave no answer */
};

struct judge_house;

/* came(arg): something that was waited for is known. */
struct judge_house *judge_house_new(struct role_self *role, void (*came)(void *arg), void *arg);
void judge_house_free(struct judge_house **h);
/* What is known of a domain. Lives until the loop's turn ends. NULL: this is no domain name. */
const struct house_domain *judge_house_domain(struct judge_house *h, slice domain);

/* The role keys signs a digest; fn as of chan_call(), with a struct signature of x_keys.h. */
typedef void (*house_signed_fn)(void *arg, enum err e, slice signature);
struct house_signing {
    house_signed_fn fn;
    void *arg;
};
/* Asks; s stays the caller's and lives until fn was called, exactly once, perhaps before this returns.
 * role_forget() of s lets go of it. */
void judge_house_sign(struct judge_house *h, slice domain, slice selector, slice digest,
                      struct house_signing *s);

#endif
