/* lookup: answers the questions of a dns_table for a command that runs without the house: from a file of
 * records, or from the network through libunbound, all open questions at once.
 *
 * Limits: LOOKUP_MS for each round of questions; what has no answer then is DNS_ANSWER_TIMEOUT. */
#ifndef POSTHORN_TOOL_LOOKUP_H
#define POSTHORN_TOOL_LOOKUP_H

#include "base/arena.h"
#include "core/dns/dns_zone_text.h"

#define LOOKUP_MS 10000

struct ub_ctx;

struct lookup {
    bool from_file;
    struct dns_zone zone; /* from_file */
    struct ub_ctx *ub;    /* made with the first question to the network */
    struct arena arena;   /* of the file */
};

/* file NULL: the network, as /etc/resolv.conf says, else from the root. False with a sentence in detail. */
NODISCARD bool lookup_begin(struct lookup *l, const char *file, struct err_detail *detail);
/* Answers everything that was noted and not sent yet. */
void lookup_answer(struct lookup *l, struct dns_table *t);
void lookup_done(struct lookup *l);

#endif
