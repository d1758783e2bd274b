/* x_settings: judge, doctor or reporter (A) asks directory (B) which domains are ours and how each is set.
 * Public knowledge only: nothing here opens an account, so whoever reads strangers' bytes may have it. */
#ifndef POSTHORN_IPC_X_SETTINGS_H
#define POSTHORN_IPC_X_SETTINGS_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_settings_type {
    X_SETTINGS_DOMAINS_ASK = 1,
    X_SETTINGS_DOMAINS = 2,
    X_SETTINGS_DOMAIN_ASK = 3,
    X_SETTINGS_DOMAIN = 4,
};

#define X_SETTINGS_PAGE 256

/* Domains in order of their names, X_SETTINGS_PAGE at a time. */
struct settings_domains_ask {
    slice after; /* the last name of the page before; empty: from the beginning */
};
struct settings_name {
    slice name;
};
struct settings_domains {
    uint32_t err;
    const struct settings_name *domains;
    size_t n_domains;
    bool more;
};

struct settings_domain_ask {
    slice domain;
};
struct settings_value {
    slice name, value; /* names and meanings: docs/configuration.md, "Settings of a domain" */
};
struct settings_domain {
    uint32_t err;                        /* ERR_NOT_FOUND: not ours */
    const struct settings_value *values; /* only what differs from the defaults */
    size_t n_values;
};

/* The value of a setting (enum domain_setting_id of policy/domain_setting.h): what came, else its default. */
slice x_settings_value(const struct settings_domain *m, unsigned setting);

extern const struct ipc_channel x_settings_channel;

#endif
