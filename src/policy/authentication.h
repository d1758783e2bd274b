/* authentication: what follows from what was found out about a message's origin: DMARC's policy applied, with
 * the local overrides, and every finding in words.
 *
 *     DMARC fail, policy reject       550 5.7.1, with words that say which domain and what to do
 *     DMARC fail, policy quarantine   junk
 *     DMARC temperror                 accepted; but 451 when the policy is known to be reject or quarantine,
 *                                     and when it could not be had, nothing speaks for the author, and it is
 *                                     their DNS that is silent and not ours (dmarc.h, try_again): then all
 *                                     that is missing is an answer of the DNS, which the sender's next
 *                                     attempt gets, and to let it in meanwhile would let anybody in who
 *                                     finds a name whose name servers are slow, in that domain or below it.
 *                                     With no answer to anybody mail goes on (RFC 9989 §4.10.1 leaves it to
 *                                     the receiver): our own DNS being dead is no reason to stop all mail
 *     an address in From that cannot
 *     be looked at                    junk: somebody's program may show just that one as the author
 *     everything else                 accepted with its reasons. SPF alone, a list of addresses alone or a
 *                                     repeated signature alone never decides
 *
 * Overrides, each named in the reasons: a known forwarder (by its network, or by its name when iprev
 * confirmed it); a known mailing list server (likewise), for mail with a List-Id alone; an intact ARC chain
 * all of whose sealers are trusted, by the server or by the domains of all recipients, and whose first set
 * says dmarc=pass (THREATS 24). A List-Id or a passing signature of a list from anywhere else is none:
 * anybody can have those. */
#ifndef POSTHORN_POLICY_AUTHENTICATION_H
#define POSTHORN_POLICY_AUTHENTICATION_H

#include "core/auth/auth_results.h"
#include "core/mail/limits.h"
#include "policy/verdict.h"

/* A known forwarder or mailing list server: a network, or the name of a machine or of the domain above it. */
struct authentication_forwarder {
    bool lists; /* only for mail of lists (authentication_policy.of_list); false: for all it sends */
    struct ip ip;
    unsigned bits; /* of the 32 or 128 */
    slice name;    /* not empty: this counts and not the network */
    slice text;    /* as the administrator wrote it */
};
/* "192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "lists.example.org". ERR_SYNTAX. Views into text;
 * lists is false. */
NODISCARD enum err authentication_forwarder_parse(slice text, struct authentication_forwarder *out);

struct authentication_policy {
    const struct authentication_forwarder *forwarders;
    size_t n_forwarders;
    const slice *sealers; /* trusted by the server */
    size_t n_sealers;
    /* What the domain of each recipient trusts, as its "trust-sealers" setting says (names divided by commas
     * or blanks). */
    const slice *rcpt_sealers;
    size_t n_rcpts;
    bool of_list;       /* examination_of_list() */
    bool rcpts_known;   /* false: rcpt_sealers was not looked up yet */
    bool sends_nothing; /* examination_sends_nothing() */
    bool odd_author;    /* examination_odd_author() */
    bool dns_works;     /* our DNS answered something, to whomever, since the message came; or is only busy */
};

/* The numbers travel on channels. */
enum authentication_override {
    AUTHENTICATION_NO_OVERRIDE = 0,
    AUTHENTICATION_FORWARDER = 1,
    AUTHENTICATION_ARC = 2,
    AUTHENTICATION_MAILING_LIST = 3,
};

struct authentication_applied {
    enum dmarc_policy applied; /* what is done with the message, on DMARC's account */
    enum authentication_override override;
    slice comment; /* of an override, in words */
};

/* Would it make a difference to know what the recipients' domains trust? Ask before deciding. */
bool authentication_wants_rcpts(const struct auth_results *r, const struct authentication_policy *p);
/* Adds reasons to the verdict and may make it junk, defer or reject. Texts live in the arena. False at its
 * cap.
 */
NODISCARD bool authentication_decide(const struct auth_results *r, const struct authentication_policy *p,
                                     struct arena *a, struct verdict *v, struct authentication_applied *out);
/* Takes Authentication-Results fields that claim to be ours out of the message, as pieces of it in v->keep,
 * with a reason (RFC 8601 §5, THREATS 21). Nothing happens when there is none. False at the arena's cap. */
NODISCARD bool authentication_remove_forged(slice message, const struct mail_limits *limits, slice hostname,
                                            struct arena *a, struct verdict *v);
/* Without a message: only the words for SPF and iprev. False at the arena's cap. */
NODISCARD bool authentication_envelope(const struct auth_results *r, struct arena *a, struct verdict *v);

#endif
