/* x_intake: edge or relay (A) hands a message for a robot's address to the role that reads it (B): reporter
 * takes dmarc-reports@ and tls-reports@, doctor takes posthorn-probe@. What directory said (RCPT_REPORT,
 * RCPT_PROBE) decides which role. TAKEN with OK means that nothing of it can be lost any more: 250. */
#ifndef POSTHORN_IPC_X_INTAKE_H
#define POSTHORN_IPC_X_INTAKE_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_intake_type {
    X_INTAKE_GIVE = 1, /* descriptor: the sealed body, as it came; without the fields we add */
    X_INTAKE_TAKEN = 2,
};

#define X_INTAKE_DKIM_MAX 10

/* Results are numbers of enum auth_result (core/auth/auth.h); domains are lower-case A-labels or empty. */
struct intake_dkim {
    slice domain, selector;
    uint8_t result;
};

struct intake {
    uint64_t mail_id;
    uint64_t connection; /* for the journal */
    slice recipient;     /* the robot's address, without "+detail" */
    slice client_ip;     /* 16 bytes; empty: it came out of the queue */
    slice reverse_path;  /* empty: null sender */
    int64_t received_at; /* Unix ms */
    bool judged;         /* the results below are there: not from the queue, not of submitted mail */
    uint8_t spf, dmarc;
    slice spf_domain;
    slice author; /* the domain of From that dmarc is about */
    const struct intake_dkim *dkim;
    size_t n_dkim;
};

struct intake_taken {
    uint32_t err; /* OK; a permanent kind is a 5xx, anything else a 4xx */
    slice text;   /* in words, when not OK; without line ends */
};

extern const struct ipc_channel x_intake_channel;

#endif
