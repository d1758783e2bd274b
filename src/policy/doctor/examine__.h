/* What the files of examine share. */
#ifndef POSTHORN_POLICY_DOCTOR_EXAMINE__H
#define POSTHORN_POLICY_DOCTOR_EXAMINE__H

#include "policy/doctor/examine.h"

struct examine {
    const struct setup *setup;
    const struct facts *facts;
    struct dns_table *dns;
    struct arena *arena;
    struct findings *out;
    slice domain; /* of ours, which is examined; empty: the server */
    bool waiting, failed;
    bool before; /* nothing is set up yet */
};

/* The answer, or NULL: not there yet. */
const struct dns_answer *examine_ask(struct examine *x, slice name, uint16_t type);
/* The same; an answer that did not come is a finding, and gives NULL. */
const struct dns_answer *examine_known(struct examine *x, slice name, uint16_t type);
/* Adds a finding; what is made as printf does. Arguments with %.*s come from names and text that findings_add
 * makes harmless. */
struct finding *examine_found(struct examine *x, enum finding_kind kind, slice subject, slice mend,
                              slice evidence, const char *format, ...) FORMAT(6, 7);
/* Text in the arena. */
slice examine_text(struct examine *x, const char *format, ...) FORMAT(2, 3);
slice examine_keep(struct examine *x, slice s);
/* Text from outside, for evidence: on one line, line ends as a sign. So that nobody's record, greeting or
 * certificate adds lines to what we say. */
slice examine_quote(struct examine *x, slice s);
/* "prefix.name" */
slice examine_name(struct examine *x, const char *prefix, slice name);
/* A line of a zone file, for a mend. */
slice examine_record(struct examine *x, const struct dns_plan_record *r);
/* A record that must stand alone, for a mend: with the word to take the others out. */
slice examine_alone(struct examine *x, slice record);
/* The records of an answer as text, one a line. */
slice examine_answer(struct examine *x, uint16_t type, const struct dns_answer *a);
/* The joined text of a TXT record; empty when it is none. */
slice examine_txt(struct examine *x, slice rdata);
/* The records of a plan that are of this kind; NULL when there are no more. Begin with NULL. */
const struct dns_plan_record *examine_plan(const struct setup_domain *d, enum dns_plan_kind kind,
                                           const struct dns_plan_record *after);
bool examine_is_ours(const struct examine *x, const struct ip *ip);
slice examine_ip(struct examine *x, const struct ip *ip);
/* Addresses of a name: NULL while they are not known. *out_failed: could not be seen, said already. */
struct examine_addresses {
    struct ip *at;
    size_t n;
};
bool examine_addresses(struct examine *x, slice name, struct examine_addresses *out);

/* The checks. */
void examine_host(struct examine *x); /* examine_host.c */
void examine_reverse(struct examine *x);
void examine_lists(struct examine *x);
void examine_name_lists(struct examine *x, const struct setup_domain *d);
void examine_resolvers(struct examine *x);
void examine_zone(struct examine *x, const struct setup_domain *d); /* examine_dns.c */
void examine_age(struct examine *x, const struct setup_domain *d);  /* examine_age.c */
void examine_mx(struct examine *x, const struct setup_domain *d);
void examine_srv(struct examine *x, const struct setup_domain *d);
void examine_delegated(struct examine *x, const struct setup_domain *d);
void examine_spf(struct examine *x, const struct setup_domain *d); /* examine_auth.c */
void examine_helo(struct examine *x, const struct setup_domain *d);
void examine_dkim(struct examine *x, const struct setup_domain *d);
void examine_dmarc(struct examine *x, const struct setup_domain *d);
void examine_tlsrpt(struct examine *x, const struct setup_domain *d);
void examine_ports(struct examine *x); /* examine_house.c */
void examine_tlsa(struct examine *x, const struct setup_domain *d);
void examine_house(struct examine *x);
void examine_probes(struct examine *x);

#endif
