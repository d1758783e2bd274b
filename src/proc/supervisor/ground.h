/* ground: what the supervisor prepares before any role runs, while it may still be root: folders, listening
 * sockets, key files, the roles' executables; then it gives root up for ever. */
#ifndef POSTHORN_PROC_SUPERVISOR_GROUND_H
#define POSTHORN_PROC_SUPERVISOR_GROUND_H

#include "conf/conf.h"
#include "core/dns/dns_tsig_key.h"
#include "ipc/house.h"

struct ground {
    const struct conf *conf;
    int executables[ROLE__COUNT]; /* O_PATH descriptors: a restart needs no path and uses the same build */
    int folders[ROLE__COUNT];     /* -1: the role has none */
    int listeners[CONF_LISTEN_MAX];
    int dns_udp[CONF_DNS_MAX], dns_tcp[CONF_DNS_MAX];
    int control_socket;
    int tls_cert, tls_key, trust_anchor, resolv_conf, doctor_trust; /* -1: none */
    int lock;                                                       /* held as long as the server runs */
    char ticket_key[65];                                            /* hex */
    char dns_update_key[DNS_TSIG_KEY_TEXT];                         /* NAME ALGORITHM BASE64, or empty */
};

/* Does all of it. detail says what is wrong and what to do. */
NODISCARD enum err ground_prepare(struct ground *g, const struct conf *conf, struct err_detail *detail);
/* Becomes the configured user when root. The folders were given to that user before. */
NODISCARD enum err ground_drop_root(const struct conf *conf, struct err_detail *detail);

#endif
