/* facts: the lists we know, and what each of their codes means, as their keepers documented it. */
#include "core/dnsbl/dnsbl.h"

#define CODE(c, from, to, meaning, words)                                                                    \
    {                                                                                                        \
        {c, c}, {from, to}, meaning, SLICE_INIT(words)                                                       \
    }
#define SBL                                                                                                  \
    CODE(0, 2, 2, DNSBL_SPAM, "SBL: a known source of spam"),                                                \
        CODE(0, 3, 3, DNSBL_SPAM, "CSS: seen sending spam of low reputation"),                               \
        CODE(0, 9, 9, DNSBL_SPAM, "DROP: a network run by criminals")
#define XBL CODE(0, 4, 7, DNSBL_EXPLOITED, "XBL: a machine that is infected or misused")
#define PBL                                                                                                  \
    CODE(0, 10, 10, DNSBL_POLICY, "PBL: its network says that it should not send mail directly"),            \
        CODE(0, 11, 11, DNSBL_POLICY, "PBL: an address of the kind that should not send mail directly")

static const struct dnsbl_code zen[] = {SBL, XBL, PBL};
static const struct dnsbl_code sbl[] = {SBL};
static const struct dnsbl_code xbl[] = {XBL};
static const struct dnsbl_code pbl[] = {PBL};
static const struct dnsbl_code dbl[] = {
    CODE(1, 2, 2, DNSBL_SPAM, "DBL: a domain of spammers"),
    CODE(1, 4, 4, DNSBL_PHISHING, "DBL: a phishing domain"),
    CODE(1, 5, 5, DNSBL_MALWARE, "DBL: a domain that spreads malware"),
    CODE(1, 6, 6, DNSBL_MALWARE, "DBL: a domain that controls a botnet"),
    CODE(1, 102, 102, DNSBL_EXPLOITED, "DBL: a good domain misused for spam"),
    CODE(1, 103, 103, DNSBL_EXPLOITED, "DBL: a good redirector misused for spam"),
    CODE(1, 104, 104, DNSBL_EXPLOITED, "DBL: a good domain misused for phishing"),
    CODE(1, 105, 105, DNSBL_EXPLOITED, "DBL: a good domain misused to spread malware"),
    CODE(1, 106, 106, DNSBL_EXPLOITED, "DBL: a good domain misused to control a botnet"),
    CODE(1, 255, 255, DNSBL_NOTHING, "DBL: an address was asked for, and it lists domains"),
};
static const struct dnsbl_code spamcop[] = {CODE(0, 2, 2, DNSBL_SPAM, "reported as a source of spam")};
static const struct dnsbl_code barracuda[] = {CODE(0, 2, 2, DNSBL_SPAM, "of poor reputation")};
static const struct dnsbl_code psbl[] = {CODE(0, 2, 2, DNSBL_SPAM, "sent mail to spam traps")};
static const struct dnsbl_code uceprotect[] = {CODE(0, 2, 2, DNSBL_SPAM, "sent mail to spam traps")};

/* 127.0.CATEGORY.TRUST */
#define DNSWL(trust, words)                                                                                  \
    {{2, 15}, {trust, trust}, DNSBL_WELCOME, SLICE_INIT(words)},                                             \
    {                                                                                                        \
        {20, 20}, {trust, trust}, DNSBL_WELCOME, SLICE_INIT(words)                                           \
    }
static const struct dnsbl_code dnswl[] = {
    DNSWL(3, "trusted highly"),
    DNSWL(2, "trusted"),
    DNSWL(1, "trusted a little"),
    DNSWL(0, "known, with no judgement"),
    CODE(0, 255, 255, DNSBL_NOTHING, "this resolver asked more often than the list allows"),
};

#define ADDRESSES(zone, codes)                                                                               \
    {                                                                                                        \
        SLICE_INIT(zone), false, {0}, {0}, codes, ARRAY_LEN(codes)                                           \
    }

static const struct dnsbl_facts all[] = {
    ADDRESSES("zen.spamhaus.org", zen),
    ADDRESSES("sbl.spamhaus.org", sbl),
    ADDRESSES("xbl.spamhaus.org", xbl),
    ADDRESSES("pbl.spamhaus.org", pbl),
    {SLICE_INIT("dbl.spamhaus.org"), true, SLICE_INIT("dbltest.com"), SLICE_INIT("invalid"), dbl,
     ARRAY_LEN(dbl)},
    ADDRESSES("bl.spamcop.net", spamcop),
    ADDRESSES("b.barracudacentral.org", barracuda),
    ADDRESSES("psbl.surriel.com", psbl),
    ADDRESSES("dnsbl-1.uceprotect.net", uceprotect),
    ADDRESSES("list.dnswl.org", dnswl),
};

const struct dnsbl_facts *dnsbl_facts_at(size_t i)
{
    return i < ARRAY_LEN(all) ? &all[i] : NULL;
}

/* Spamhaus hands its registered users zones of their own, KEY.zen.dq.spamhaus.net, with the same codes. */
const struct dnsbl_facts *dnsbl_facts(slice zone)
{
    static const slice registered = SLICE_INIT(".dq.spamhaus.net");
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        slice label = slice_sub(all[i].zone, 0, slice_index(all[i].zone, '.'));
        slice rest = slice_sub(zone, 0, zone.n - size_min(registered.n, zone.n));
        if (slice_eq_nocase(zone, all[i].zone))
            return &all[i];
        if (slice_ends_nocase(zone, registered) && slice_ends_nocase(all[i].zone, SLICE(".spamhaus.org")) &&
            rest.n > label.n && rest.p[rest.n - label.n - 1] == '.' && slice_ends_nocase(rest, label))
            return &all[i];
    }
    return NULL;
}
