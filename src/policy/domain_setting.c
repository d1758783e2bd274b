#include "policy/domain_setting.h"

const struct domain_setting domain_settings[DOMAIN_SETTING__COUNT] = {
    [DOMAIN_SIGN] = {"sign", DOMAIN_SETTING_SWITCH, "on|off", "on", 0,
                     "sign outgoing mail of this domain with DKIM"},
    [DOMAIN_SIGN_HEADERS] = {"sign-headers", DOMAIN_SETTING_FIELDS, "FIELD,...", "", 32,
                             "header fields that are signed besides the usual ones"},
    [DOMAIN_DMARC] = {"dmarc", DOMAIN_SETTING_CHOICE, "none|quarantine|reject", "none", 0,
                      "what others are asked to do with mail in this name that fails its checks"},
    [DOMAIN_REPORTS] = {"reports", DOMAIN_SETTING_SWITCH, "on|off", "on", 0,
                        "send daily DMARC reports on mail that came to this domain"},
    [DOMAIN_FAILURE_REPORTS] = {"failure-reports", DOMAIN_SETTING_SWITCH, "on|off", "off", 0,
                                "send DMARC reports on single messages that failed"},
    [DOMAIN_SPF_INCLUDE] = {"spf-include", DOMAIN_SETTING_NAMES, "NAME,...", "", 8,
                            "SPF names of others who send for this domain"},
    [DOMAIN_TRUST_SEALERS] = {"trust-sealers", DOMAIN_SETTING_NAMES, "NAME,...", "", 64,
                              "ARC sealers (lists, forwarders) that this domain believes"},
    [DOMAIN_DNS_PUSH] = {"dns-push", DOMAIN_SETTING_SWITCH, "on|off", "off", 0,
                         "keep this domain's DNS records up to date by RFC 2136"},
};

const struct domain_setting *domain_setting_find(slice name)
{
    for (size_t i = 0; i < DOMAIN_SETTING__COUNT; i++)
        if (slice_eq(name, slice_str(domain_settings[i].name)))
            return &domain_settings[i];
    return NULL;
}

/* Letters and digits only, so that "Sign_Headers" is near "sign-headers". */
static bool setting_same_letters(slice a, slice b)
{
    struct cursor x = cursor_of(a), y = cursor_of(b);
    for (;;) {
        while (cursor_peek(&x) == '-' || cursor_peek(&x) == '_')
            cursor_skip(&x, 1);
        while (cursor_peek(&y) == '-' || cursor_peek(&y) == '_')
            cursor_skip(&y, 1);
        if (cursor_end(&x) || cursor_end(&y))
            return cursor_end(&x) && cursor_end(&y);
        if (ascii_lower((uint8_t)cursor_next(&x)) != ascii_lower((uint8_t)cursor_next(&y)))
            return false;
    }
}

const struct domain_setting *domain_setting_near(slice name)
{
    for (size_t i = 0; i < DOMAIN_SETTING__COUNT; i++) {
        slice own = slice_str(domain_settings[i].name);
        if (setting_same_letters(name, own) || (name.n >= 3 && slice_starts_nocase(own, name)) ||
            (name.n > own.n && name.n <= own.n + 2 && slice_starts_nocase(name, own)))
            return &domain_settings[i];
    }
    return NULL;
}

bool domain_setting_item(slice *list, slice *out)
{
    while (list->n) {
        slice item;
        (void)slice_split(*list, ',', &item, list);
        if (item.n) {
            *out = item;
            return true;
        }
    }
    return false;
}
