#include "ipc/x_settings.h"

#include "policy/domain_setting.h"

static const struct ipc_field settings_domains_ask_fields[] = {
    IPC_TEXT(struct settings_domains_ask, after, 255),
};
static const struct ipc_shape settings_domains_ask_shape =
    IPC_SHAPE(struct settings_domains_ask, settings_domains_ask_fields);

static const struct ipc_field settings_name_fields[] = {
    IPC_TEXT(struct settings_name, name, 255),
};
static const struct ipc_shape settings_name_shape = IPC_SHAPE(struct settings_name, settings_name_fields);

static const struct ipc_field settings_domains_fields[] = {
    IPC_NUM(struct settings_domains, U32, err),
    IPC_ITEMS(struct settings_domains, domains, n_domains, X_SETTINGS_PAGE, &settings_name_shape),
    IPC_NUM(struct settings_domains, BOOL, more),
};
static const struct ipc_shape settings_domains_shape =
    IPC_SHAPE(struct settings_domains, settings_domains_fields);

static const struct ipc_field settings_domain_ask_fields[] = {
    IPC_TEXT(struct settings_domain_ask, domain, 255),
};
static const struct ipc_shape settings_domain_ask_shape =
    IPC_SHAPE(struct settings_domain_ask, settings_domain_ask_fields);

static const struct ipc_field settings_value_fields[] = {
    IPC_TEXT(struct settings_value, name, 64),
    IPC_TEXT(struct settings_value, value, 2048),
};
static const struct ipc_shape settings_value_shape = IPC_SHAPE(struct settings_value, settings_value_fields);

static const struct ipc_field settings_domain_fields[] = {
    IPC_NUM(struct settings_domain, U32, err),
    IPC_ITEMS(struct settings_domain, values, n_values, 48, &settings_value_shape),
};
static const struct ipc_shape settings_domain_shape =
    IPC_SHAPE(struct settings_domain, settings_domain_fields);

static const struct ipc_message x_settings_messages[] = {
    {X_SETTINGS_DOMAINS_ASK, "domains_ask", IPC_A, IPC_REQUEST, X_SETTINGS_DOMAINS,
     &settings_domains_ask_shape, 0, 0},
    {X_SETTINGS_DOMAINS, "domains", IPC_B, IPC_REPLY, 0, &settings_domains_shape, 0, 0},
    {X_SETTINGS_DOMAIN_ASK, "domain_ask", IPC_A, IPC_REQUEST, X_SETTINGS_DOMAIN, &settings_domain_ask_shape,
     0, 0},
    {X_SETTINGS_DOMAIN, "domain", IPC_B, IPC_REPLY, 0, &settings_domain_shape, 0, 0},
};

const struct ipc_channel x_settings_channel = {"x_settings", 1, x_settings_messages,
                                               ARRAY_LEN(x_settings_messages), 1024};

slice x_settings_value(const struct settings_domain *m, unsigned setting)
{
    must(setting < DOMAIN_SETTING__COUNT);
    for (size_t i = 0; i < m->n_values; i++)
        if (slice_eq(m->values[i].name, slice_str(domain_settings[setting].name)))
            return m->values[i].value;
    return slice_str(domain_settings[setting].initial);
}
