/* control: supervisor (A) and every role (B): how a role is set up, watched and ended.
 *
 * Before START: settings, listeners, folders, key material (role keys only) and channels, in any order. After
 * it the role locks itself in, says READY and works. CHANNEL may come again at any time: the peer was started
 * anew, the old channel of the same peer and number is dead. DRAIN: finish what runs, take nothing new, exit
 * before the deadline. */
#ifndef POSTHORN_IPC_CONTROL_H
#define POSTHORN_IPC_CONTROL_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum control_type {
    CONTROL_SETTING = 1,
    CONTROL_LISTENER = 2,
    CONTROL_FOLDER = 3,
    CONTROL_FILE = 4,
    CONTROL_CHANNEL = 5,
    CONTROL_START = 6,
    CONTROL_READY = 7,
    CONTROL_FAILED = 8,
    CONTROL_DRAIN = 9,
    CONTROL_STATUS = 10,
    CONTROL_FACTS = 11,
    CONTROL_PROBE = 12,
    CONTROL_PROBED = 13,
    CONTROL_HOUSE_ASK = 14, /* only directory asks, for posthorn status */
    CONTROL_HOUSE = 15,
};

/* A setting in text form, as the supervisor read it from the configuration. A name may come several times. */
struct control_setting {
    slice name;
    slice value;
};

struct control_listener {
    uint8_t service; /* enum service */
    bool plaintext;  /* login without TLS is allowed */
    slice address;   /* "127.0.0.1:25" */
};

struct control_folder {
    slice name; /* what it is for: "data" is the folder the role works in */
};

/* An open file, by purpose: "tls-cert", "tls-key", "trust-anchor", "resolv.conf". */
struct control_file {
    slice name;
};

struct control_channel_end {
    uint8_t peer;  /* enum role at the other end */
    uint8_t index; /* which of them (edges) */
    slice channel; /* name in the ipc table */
    bool asks;     /* this end is A */
};

struct control_start {
    uint8_t index; /* which of this role, from 0 */
};

struct control_failed {
    slice text; /* a sentence for the operator */
};

struct control_drain {
    uint32_t ms; /* time left */
};

struct control_fact {
    slice name;
    slice value;
};

struct control_facts {
    const struct control_fact *facts;
    size_t n_facts;
};

/* Only in test builds: try what the jail must stop. */
struct control_probe {
    uint32_t what;
};

struct control_probed {
    int64_t result; /* what the call returned, or minus its errno */
};

struct control_role {
    uint8_t role;
    uint8_t index;
    uint32_t pid;
    uint32_t restarts;
    int64_t since; /* Unix ms */
    bool ready;
    const struct control_fact *facts; /* what the role says of itself */
    size_t n_facts;
};

struct control_house {
    const struct control_role *roles;
    size_t n_roles;
    int64_t since; /* Unix ms */
    slice version;
    slice hostname;
};

/* Also used by accounts_account. */
extern const struct ipc_shape control_probe_shape, control_probed_shape;

extern const struct ipc_channel control_channel;

#endif
