#include "core/mail/limits.h"

const struct mail_limits mail_limits_default = {
    .header_bytes = (size_t)10 << 20,
    .header_field_bytes = (size_t)256 << 10,
    .header_fields = 1000,
    .addresses = 4096,
    .params = 64,
    .depth = 32,
    .parts = 1000,
};
