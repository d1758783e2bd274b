/* imap/search: SEARCH as a flat program (RFC 9051 §6.4.4).
 *
 * Keys and the operators AND, OR, NOT in postfix order, so that nothing recurses: neither reading nor
 * evaluating. A message is asked in rounds, cheap keys first: round by round the caller answers the keys of
 * that cost, and the program is evaluated with three values (yes, no, not known yet); as soon as it is
 * decided the dearer keys are never asked. So `UNSEEN TEXT foo` reads no body of a seen message.
 *
 * Limits: terms and depth from struct imap_parse_limits; a set of 32768 ranges. */
#ifndef POSTHORN_CORE_IMAP_SEARCH_H
#define POSTHORN_CORE_IMAP_SEARCH_H

#include "base/arena.h"
#include "base/err.h"
#include "core/imap/set.h"

#define IMAP_SEARCH_TERMS_MAX 256

enum imap_search_op {
    IMAP_KEY_AND, /* of the two before it */
    IMAP_KEY_OR,
    IMAP_KEY_NOT,
    IMAP_KEY_ALL,
    IMAP_KEY_FLAG,    /* system flag bit in number (IMAP_RECENT for RECENT) */
    IMAP_KEY_NEW,     /* RECENT UNSEEN */
    IMAP_KEY_KEYWORD, /* text */
    IMAP_KEY_SEQ,     /* set */
    IMAP_KEY_UID,     /* set */
    IMAP_KEY_LARGER,  /* number */
    IMAP_KEY_SMALLER,
    IMAP_KEY_BEFORE, /* number: days since 1970 */
    IMAP_KEY_ON,
    IMAP_KEY_SINCE,
    IMAP_KEY_OLDER, /* number: seconds (RFC 5032) */
    IMAP_KEY_YOUNGER,
    IMAP_KEY_MODSEQ,   /* number */
    IMAP_KEY_EMAILID,  /* text */
    IMAP_KEY_THREADID, /* text */
    IMAP_KEY_SENTBEFORE,
    IMAP_KEY_SENTON,
    IMAP_KEY_SENTSINCE,
    IMAP_KEY_SUBJECT,
    IMAP_KEY_FROM,
    IMAP_KEY_TO,
    IMAP_KEY_CC,
    IMAP_KEY_BCC,
    IMAP_KEY_HEADER, /* field, text */
    IMAP_KEY_BODY,
    IMAP_KEY_TEXT,
    IMAP_KEY_COUNT
};

enum imap_search_cost {
    IMAP_COST_INDEX,  /* flags, numbers, sizes, dates: in memory */
    IMAP_COST_STORED, /* what the store keeps parsed: envelope, sent date */
    IMAP_COST_HEADER, /* the header must be read */
    IMAP_COST_BODY,   /* all of it must be read */
    IMAP_COST_COUNT
};

struct imap_search_key {
    enum imap_search_op op;
    bool negate; /* UNSEEN and the like */
    uint64_t number;
    slice text, field;
    struct imap_set set;
};

#define IMAP_RETURN_MIN   1u
#define IMAP_RETURN_MAX   2u
#define IMAP_RETURN_ALL   4u
#define IMAP_RETURN_COUNT 8u
#define IMAP_RETURN_SAVE  16u

struct imap_search {
    struct imap_search_key *keys; /* postfix */
    size_t n;
    bool extended;     /* RETURN was there: answer with ESEARCH */
    uint32_t returns;  /* IMAP_RETURN_ bits */
    bool uses_modseq;  /* answer with MODSEQ (RFC 7162 §3.1.5) */
    bool uses_saved;   /* `$` stands in it */
    unsigned cost_max; /* enum imap_search_cost of the dearest key */
};

enum imap_tri { IMAP_NO, IMAP_YES, IMAP_UNKNOWN };

/* Is it a key (not an operator), and what does asking cost? */
bool imap_search_is_key(enum imap_search_op op);
enum imap_search_cost imap_search_cost(enum imap_search_op op);

/* answers[i] belongs to keys[i], IMAP_UNKNOWN for those not asked yet (operators' places are not read; negate
 * is applied here, not by the caller). */
enum imap_tri imap_search_eval(const struct imap_search *s, const uint8_t *answers);
/* Could key i still change the result, the others being as in answers? Lets a caller skip dear keys one by
 * one. */
bool imap_search_needs(const struct imap_search *s, uint8_t *answers, size_t i);

/* Puts the largest sequence number and UID in for `*` in every set. Call once before evaluating. */
void imap_search_resolve(struct imap_search *s, uint32_t seq_max, uint32_t uid_max);

/* RFC 9051 §7.3.4: `* ESEARCH (TAG "a") UID ...` without its values and CRLF. */
struct buf;
void imap_search_write_head(struct buf *b, slice tag, bool uid);

#endif
