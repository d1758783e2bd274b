/* report_sources: who sent mail in our name, out of the rows of aggregate reports.
 *
 * Rows are gathered by source (the address that sent). Each source is put into one of a few classes:
 *
 *     OK ........ everything passed
 *     FORWARDED . SPF fails, our DKIM signature passes: somebody forwards our mail, and it is believed
 *     OWN ....... one of our own addresses fails: something of ours is broken
 *     CHANGED ... our signature is there, but broken on the way, or the receiver says so: a mailing list or a
 *                 forwarder
 *     SERVICE ... it proves another domain than ours (SPF or DKIM pass, not aligned): probably a service of
 *                 ours that does not use our name yet, or nobody of ours who is honest about his own
 *     NEAR ...... it proves nothing, but it is the address of a name of ours ("www"), or in the network of
 * one or of this server: probably a machine of ours FORGED .... it proves nothing
 *
 * Sources that an administrator would treat alike become one group: those that prove the same other domain,
 * those in one network (/24, /48), and those whose reverse names end alike.
 *
 * Counted once: rows that are alike in all but their count, from one organisation, in different reports whose
 * periods overlap (by more than a tenth of the shorter one). The larger count stands. So a report that comes
 * again under another id, and one of half a day before one of the whole, count once; two reports of one day
 * on different recipients' domains, or on a domain and one below it, differ in their rows and count both.
 *
 * Pure: rows in, numbers out. Linear in the rows; memory is bounded by SOURCES_MAX and ALIKE_MAX. */
#ifndef POSTHORN_POLICY_REPORT_SOURCES_H
#define POSTHORN_POLICY_REPORT_SOURCES_H

#include "base/buf.h"
#include "base/hash.h"
#include "core/reports/aggregate.h"

#define REPORT_SOURCES_MAX 4000  /* rows of further sources count in the totals only */
#define REPORT_ALIKE_MAX   40000 /* different rows; further ones are not looked up, so may count twice */

enum report_class {
    REPORT_OK,
    REPORT_FORWARDED,
    REPORT_OWN,
    REPORT_CHANGED,
    REPORT_SERVICE,
    REPORT_NEAR,
    REPORT_FORGED,
    REPORT_CLASS__COUNT
};
const char *report_class_word(enum report_class c); /* "ok", "forwarded" ... */

struct report_source {
    struct ip ip;
    bool ours;                        /* one of this server's addresses */
    slice name;                       /* reverse name, or empty; the caller's */
    uint64_t messages, believed;      /* believed: DKIM or SPF passed aligned */
    uint64_t dkim_passed, spf_passed; /* aligned */
    uint64_t refused, quarantined;
    uint64_t own_broken; /* failed with a signature of ours that did not verify, or by a list or forwarder */
    uint64_t bad_dkim;   /* of all: a signature of ours did not verify */
    uint64_t others;     /* failed, but SPF or DKIM passed for another domain */
    slice other;         /* such a domain, the first seen */
    bool other_is_dkim;  /* it signs with that domain; else SPF only */
    slice as;            /* the domain in From of what failed, when it is one, below ours; else empty */
    bool as_several;
    slice org; /* who reported what failed */
    bool org_several;
    enum { REPORT_FAR, REPORT_IN_NETWORK, REPORT_AT_NAME } near; /* report_sources_near() */
    slice near_name;                                             /* of ours; empty: this server */
    time_ms first, last; /* periods in which it failed: when the first began, when the last ended */
    time_ms good;        /* when the last period ended in which it passed; 0: never */
};

/* Which report a row is of. Rows of one report come one behind the other, newer periods first. */
struct report_origin {
    uint64_t report; /* any number of its own, not 0 */
    slice org;
    time_ms begin, end;
};

/* Sources in the making. */
struct report_sources {
    slice domain; /* ours */
    struct hash_key key;
    struct arena *arena;
    struct report_source *at;
    size_t n;
    struct map by_ip, alike;     /* freed with the arena */
    uint64_t messages, believed; /* of all rows */
    uint64_t left_out;           /* messages that were not believed, of sources beyond the bound */
    uint64_t twice;              /* messages left out because another report counts them */
};

/* key: secret, for tables (base/hash.h). False at the arena's cap. */
NODISCARD bool report_sources_init(struct report_sources *s, slice domain, const struct hash_key *key,
                                   struct arena *a);
/* Adds a row. Domains are copied where kept. False at the arena's cap. */
NODISCARD bool report_sources_add(struct report_sources *s, const struct aggregate_record *row,
                                  const struct report_origin *from, const struct ip *ours, size_t n_ours);
/* A name in our domain has that address, or (no name) this server: sources there and in its network (/24,
 * /48) are near. The name lives as long as s. Before report_sources_group(). */
void report_sources_near(struct report_sources *s, const struct ip *address, slice name);
/* Our own first, then the largest failing ones. Nothing may be added afterwards. */
void report_sources_sort(struct report_sources *s);
enum report_class report_class_of(const struct report_source *s);
uint64_t report_source_failed(const struct report_source *s);

/* Sources that failed, of one class, that are told as one. */
struct report_group {
    enum report_class class;
    const struct report_source *top; /* that which failed most */
    size_t n;                        /* how many */
    struct report_source sum;        /* of all; ip, name and other are top's */
};
/* All that failed, in the order of report_sources_sort(), which was called before. Names count when they are
 * set. False at the arena's cap. */
NODISCARD bool report_sources_group(const struct report_sources *s, const struct report_group **out,
                                    size_t *out_n);

/* Who reported, as it is told. author: the domain of From that passed DMARC, which is what is proven; org:
 * the name the report gives itself, which anybody can write. "google.com" when they agree, else
 * "microsoft.com (Enterprise Outlook)", or "evil.example (calls itself google.com)" when org is another
 * domain; org alone when nothing is proven. At most REPORT_WHO_MAX bytes are appended; out holds as many. */
#define REPORT_WHO_MAX 255
void report_who(slice author, slice org, struct buf *out);

#endif
