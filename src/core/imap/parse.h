/* imap/parse: one command, as the reader collected it, into a typed struct.
 *
 * The commands of RFC 9051 §6 and RFC 3501 §6 with ID (2971), NAMESPACE, UNSELECT, MOVE, UIDPLUS,
 * LIST-EXTENDED (5258), LIST-STATUS (5819), SPECIAL-USE (6154), ESEARCH (4731), SEARCHRES (5182), BINARY
 * (3516), WITHIN (5032), CONDSTORE (the FETCH, STORE and SEARCH parts of 7162), OBJECTID (8474). A table
 * names each command, the states it is allowed in and the function that reads its arguments; a command that
 * is not in the table does not exist.
 *
 * No recursion: nested search keys become a flat program (search.h) with an explicit stack. Everything lives
 * in the arena given or views the command's text: both must outlive the struct. Mailbox names are decoded
 * (name.h).
 *
 * One-shot: OK, or an error with a clause for the client in *why (static text): ERR_SYNTAX -> BAD,
 * ERR_UNSUPPORTED (unknown charset) -> NO [BADCHARSET], ERR_LIMIT -> NO [LIMIT], ERR_NOT_FOUND (unknown
 * command) -> BAD. The tag is set whenever it could be read, also on failure. */
#ifndef POSTHORN_CORE_IMAP_PARSE_H
#define POSTHORN_CORE_IMAP_PARSE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"
#include "core/imap/search.h"
#include "core/imap/set.h"
#include "core/imap/write.h"

enum imap_verb {
    IMAP_CAPABILITY,
    IMAP_NOOP,
    IMAP_LOGOUT,
    IMAP_ID,
    IMAP_STARTTLS,
    IMAP_AUTHENTICATE,
    IMAP_LOGIN,
    IMAP_ENABLE,
    IMAP_SELECT,
    IMAP_EXAMINE,
    IMAP_CREATE,
    IMAP_DELETE,
    IMAP_RENAME,
    IMAP_SUBSCRIBE,
    IMAP_UNSUBSCRIBE,
    IMAP_LIST,
    IMAP_LSUB,
    IMAP_NAMESPACE,
    IMAP_STATUS,
    IMAP_APPEND,
    IMAP_IDLE,
    IMAP_CHECK,
    IMAP_CLOSE,
    IMAP_UNSELECT,
    IMAP_EXPUNGE,
    IMAP_SEARCH,
    IMAP_FETCH,
    IMAP_STORE,
    IMAP_COPY,
    IMAP_MOVE,
    IMAP_VERB_COUNT
};

/* RFC 9051 §3 */
enum imap_state {
    IMAP_STATE_NOT_AUTHENTICATED = 1,
    IMAP_STATE_AUTHENTICATED = 2,
    IMAP_STATE_SELECTED = 4,
};

#define IMAP_CAPS_REV2      1u /* ENABLE IMAP4rev2 */
#define IMAP_CAPS_CONDSTORE 2u
#define IMAP_CAPS_UTF8      4u /* UTF8=ACCEPT */

#define IMAP_STATUS_MESSAGES      (1u << 0)
#define IMAP_STATUS_RECENT        (1u << 1)
#define IMAP_STATUS_UIDNEXT       (1u << 2)
#define IMAP_STATUS_UIDVALIDITY   (1u << 3)
#define IMAP_STATUS_UNSEEN        (1u << 4)
#define IMAP_STATUS_DELETED       (1u << 5)
#define IMAP_STATUS_SIZE          (1u << 6)
#define IMAP_STATUS_HIGHESTMODSEQ (1u << 7)
#define IMAP_STATUS_MAILBOXID     (1u << 8)
#define IMAP_STATUS_APPENDLIMIT   (1u << 9)

#define IMAP_LIST_SUBSCRIBED     1u /* selection options */
#define IMAP_LIST_REMOTE         2u
#define IMAP_LIST_RECURSIVEMATCH 4u
#define IMAP_LIST_SPECIAL        8u
#define IMAP_LIST_RET_SUBSCRIBED 16u /* return options */
#define IMAP_LIST_RET_CHILDREN   32u
#define IMAP_LIST_RET_SPECIAL    64u
#define IMAP_LIST_RET_STATUS     128u

struct imap_flag_list {
    uint32_t system; /* bits of write.h */
    slice *keywords; /* as written */
    size_t keywords_n;
};

struct imap_list_args {
    uint32_t options;
    bool extended; /* LIST-EXTENDED syntax was used */
    slice reference;
    slice *patterns; /* decoded */
    size_t patterns_n;
    uint32_t status; /* IMAP_STATUS_ bits of RETURN (STATUS (..)) */
};

#define IMAP_FETCH_FLAGS         (1u << 0)
#define IMAP_FETCH_UID           (1u << 1)
#define IMAP_FETCH_INTERNALDATE  (1u << 2)
#define IMAP_FETCH_SIZE          (1u << 3)
#define IMAP_FETCH_ENVELOPE      (1u << 4)
#define IMAP_FETCH_BODY          (1u << 5) /* BODY without section */
#define IMAP_FETCH_BODYSTRUCTURE (1u << 6)
#define IMAP_FETCH_MODSEQ        (1u << 7)
#define IMAP_FETCH_EMAILID       (1u << 8)
#define IMAP_FETCH_THREADID      (1u << 9)

enum imap_section_kind { IMAP_SECTION_BODY, IMAP_SECTION_BINARY, IMAP_SECTION_BINARY_SIZE };
enum imap_section_what {
    IMAP_WHAT_ALL, /* BODY[], or BODY[1.2]: the body of a part */
    IMAP_WHAT_HEADER,
    IMAP_WHAT_FIELDS,
    IMAP_WHAT_FIELDS_NOT,
    IMAP_WHAT_TEXT,
    IMAP_WHAT_MIME
};

#define IMAP_PART_DEPTH 32

struct imap_section {
    enum imap_section_kind kind;
    enum imap_section_what what;
    bool peek;          /* does not set \Seen */
    const char *rfc822; /* "RFC822.HEADER" and so on: the name to answer with; NULL for BODY[...] */
    uint32_t *part;     /* "1.2" */
    size_t part_n;
    slice *fields; /* HEADER.FIELDS */
    size_t fields_n;
    bool partial;
    uint32_t offset, count; /* <offset.count> */
};
/* "BODY[1.HEADER.FIELDS (From)]<0>" as the answer names it (RFC 9051 §7.5.2). */
void imap_section_write(struct buf *b, const struct imap_section *s);

struct imap_fetch_args {
    uint32_t items; /* IMAP_FETCH_ bits */
    struct imap_section *sections;
    size_t sections_n;
    bool changed_since;
    uint64_t since;
};

enum imap_store_how { IMAP_STORE_REPLACE, IMAP_STORE_ADD, IMAP_STORE_REMOVE };
struct imap_store_args {
    enum imap_store_how how;
    bool silent;
    struct imap_flag_list flags;
    bool unchanged_since;
    uint64_t since;
};

struct imap_command {
    slice tag;
    enum imap_verb verb;
    bool uid;            /* UID FETCH, UID EXPUNGE, ... */
    slice mailbox, to;   /* decoded; to: RENAME's new name */
    struct imap_set set; /* FETCH STORE COPY MOVE, UID EXPUNGE; not yet resolved */
    union {
        struct {
            slice user, password;
        } login;
        struct {
            slice mechanism, initial; /* base64 as it came; "=" is an empty response */
            bool has_initial;
        } authenticate;
        slice id;             /* the parameter list as it stands, "NIL" or "(...)" */
        uint32_t enable;      /* IMAP_CAPS_ bits; unknown names are passed over */
        uint32_t special_use; /* CREATE ... (USE (\Sent)): IMAP_ATTR_ bits */
        bool condstore;       /* SELECT / EXAMINE ... (CONDSTORE) */
        struct imap_list_args list;
        uint32_t status;
        struct imap_fetch_args fetch;
        struct imap_store_args store;
        struct imap_search search;
    };
};

struct imap_parse_limits {
    size_t list_depth;   /* parentheses inside each other: 32 */
    size_t search_terms; /* keys and operators in one SEARCH: 256 */
    size_t ranges;       /* in one sequence set: 32768 */
    size_t items;        /* sections, header fields, patterns, keywords in one list: 256 */
};
extern const struct imap_parse_limits imap_parse_limits_default;

/* text is what IMAP_READ_COMMAND gave, CRLF at its end. state: an enum imap_state; a command not allowed in
 * it is ERR_STATE (-> BAD). utf8: mailbox names are UTF-8. */
NODISCARD enum err imap_parse(slice text, enum imap_state state, bool utf8,
                              const struct imap_parse_limits *limits, struct arena *arena,
                              struct imap_command *out, const char **why);
/* "FETCH": for logs and answers. Static memory. */
const char *imap_verb_name(enum imap_verb verb);
/* In which states it is allowed: IMAP_STATE_ bits. */
unsigned imap_verb_states(enum imap_verb verb);

/* The head of an APPEND message, as IMAP_READ_APPEND gave it (RFC 9051 §6.3.12, RFC 3502 §6.3.11). */
struct imap_append_head {
    slice mailbox; /* of the first message of a command */
    struct imap_flag_list flags;
    bool has_date;
    time_ms date;
    int zone_minutes;
    bool wrapped; /* UTF8 (~{n}): a ")" follows the literal (RFC 6855 §4) */
};
/* ERR_MORE: the literal at the end is not the message but the mailbox's name. The arena may be NULL: then the
 * head is only checked, names are left as they are and nothing is stored (the reader does that). */
NODISCARD enum err imap_append_head_parse(slice text, bool first, bool utf8,
                                          const struct imap_parse_limits *limits, struct arena *arena,
                                          struct imap_append_head *out, const char **why);

#endif
