/* conf: the configuration file, parsed into one typed struct.
 *
 * One file of `name value` lines, some twenty settings, '#' starts a comment; docs/configuration.md and
 * posthorn.conf(5) are its manual. The parser reports every mistake at once, each with its line, what is
 * wrong and what was probably meant. Everything that is not needed to start (domains, accounts, aliases)
 * lives in the directory database instead.
 *
 * conf_parse() is pure: text in, struct out. conf_file.h reads the file and looks at the files it names.
 *
 * Invariants
 *  1. After conf_parse() returned true every field holds a usable value: defaults filled in, paths absolute
 *     or relative to the folder of the file, host names lower case.
 *  2. Strings are NUL-terminated, without control characters.
 *  3. Nothing is allocated; struct conf is large (~100 KB), keep it off small stacks. */
#ifndef POSTHORN_CONF_CONF_H
#define POSTHORN_CONF_CONF_H

#include "base/ip.h"

#define CONF_TEXT_MAX    (256 * 1024) /* bytes of a configuration file */
#define CONF_LISTEN_MAX  32
#define CONF_ROUTE_MAX   64
#define CONF_JUDGE_MAX   120 /* of all kinds below together */
#define CONF_FORWARD_MAX 4
#define CONF_ADDRESS_MAX 8 /* addresses of this server */
#define CONF_DNS_MAX     4 /* addresses the nameserver answers on */
#define CONF_PROBLEM_MAX 64
#define CONF_NAME_MAX    256 /* a domain or host name and its NUL */
#define CONF_ADMIN_MAX   321 /* a mail address and its NUL */
#define CONF_OUTWARD_MAX 8
#define CONF_PATH_MAX    1024 /* a path and its NUL */

enum conf_service {
    CONF_SMTP,        /* mail from other servers, STARTTLS offered, no login */
    CONF_SUBMISSION,  /* mail from users, STARTTLS before login */
    CONF_SUBMISSIONS, /* mail from users, TLS from the first byte */
    CONF_IMAP,        /* reading, STARTTLS before login */
    CONF_IMAPS,       /* reading, TLS from the first byte */
    CONF_SERVICE__COUNT
};

/* "smtp", "submission", ... Static memory. */
const char *conf_service_name(enum conf_service s);
/* Does TLS start with the first byte? */
bool conf_service_tls_at_once(enum conf_service s);

struct conf_address {
    struct ip ip; /* all zero: [::], every IPv6 address; 0.0.0.0 is not all zero */
    uint16_t port;
};

/* "127.0.0.1:25" or "[::1]:25". */
#define CONF_ADDRESS_TEXT (IP_TEXT + 9)
void conf_address_print(const struct conf_address *a, char out[CONF_ADDRESS_TEXT]);

struct conf_listen {
    enum conf_service service;
    struct conf_address address;
    bool plaintext; /* login without TLS is allowed; the address is a loopback one */
    unsigned line;
};

/* What the judge is told: lines that may stand there several times. */
enum conf_judge_kind {
    CONF_FORWARDER,
    CONF_MAILING_LIST,
    CONF_ARC_SEALER,
    CONF_DNSBL,
    CONF_DNSWL,
    CONF_JUDGE__COUNT
};
/* "forwarder", "mailing-list", "arc-sealer", "dnsbl", "dnswl". Static memory. */
const char *conf_judge_name(enum conf_judge_kind k);
struct conf_judge {
    enum conf_judge_kind kind;
    char text[CONF_NAME_MAX]; /* a network or a name; lower case */
};

/* A fixed next hop. */
struct conf_route {
    char domain[CONF_NAME_MAX]; /* "example.org", "*.example.org" (all below it) or "*" (all) */
    char host[CONF_NAME_MAX];   /* a name, an IPv4 address, or an IPv6 address without brackets */
    uint16_t port;
    unsigned line;
};

enum conf_limit {
    CONF_LIMIT_MESSAGE_SIZE,            /* bytes of one message */
    CONF_LIMIT_RECIPIENTS,              /* of one message on smtp */
    CONF_LIMIT_SUBMISSION_RECIPIENTS,   /* of one message of a logged-in user */
    CONF_LIMIT_CONNECTIONS,             /* open at once, whole server */
    CONF_LIMIT_CONNECTIONS_PER_NETWORK, /* open at once from one /24 or /64, nobody logged in; not for
                                           loopback */
    CONF_LIMIT_EDGES,                   /* edge processes; 0 is one per core */
    CONF_LIMIT_BODY_MEMORY,             /* bytes of messages held in memory at once, whole server */
    CONF_LIMIT_ACCOUNT_SIZE,            /* bytes of an account with no quota of its own; 0 is none */
    CONF_LIMIT_QUEUE_DAYS,              /* that the relay tries */
    CONF_LIMIT_EXPUNGED_DAYS,           /* that expunged messages stay restorable */
    CONF_LIMIT_JOURNAL_DAYS,            /* that the journal keeps */
    CONF_LIMIT_JOURNAL_SIZE,            /* bytes of the journal */
    CONF_LIMIT_REPORT_PERIOD,           /* seconds that an aggregate report of ours covers */
    CONF_LIMIT__COUNT
};

/* "message-size", ... Static memory. */
const char *conf_limit_name(enum conf_limit l);

struct conf {
    char hostname[CONF_NAME_MAX];
    char data[CONF_PATH_MAX];
    char user[33]; /* "posthorn" unless given; counts only when started as root */

    struct conf_listen listens[CONF_LISTEN_MAX];
    size_t listen_count;

    char tls_cert[CONF_PATH_MAX], tls_key[CONF_PATH_MAX]; /* both empty: no TLS */

    bool resolver_forward;                          /* false: ask as this machine does, or from the root */
    struct conf_address forwards[CONF_FORWARD_MAX]; /* where to ask instead */
    size_t forward_count;
    char trust_anchor[CONF_PATH_MAX]; /* empty: the root's own, which resolver knows */

    struct conf_route routes[CONF_ROUTE_MAX];
    size_t route_count;

    struct ip addresses[CONF_ADDRESS_MAX]; /* of this server, as seen from outside */
    size_t address_count;

    char zone[CONF_NAME_MAX]; /* delegated to us; empty: none. Set exactly when there are dns listeners */
    struct conf_address dns_listens[CONF_DNS_MAX];
    size_t dns_listen_count;

    struct conf_address dns_update;     /* where to send RFC 2136 updates, with the key in this file */
    char dns_update_key[CONF_PATH_MAX]; /* empty: no updates */

    struct conf_judge judge[CONF_JUDGE_MAX];
    size_t judge_count;

    char admin[CONF_ADMIN_MAX]; /* who gets alerts; empty: postmaster */
    struct conf_doctor {
        bool off;                                      /* no checks by the clock, no probe, no alerts */
        bool rdap_off;                                 /* registries are not asked how old domains are */
        char trust[CONF_PATH_MAX];                     /* CA certificates; empty: the system's */
        char outward[CONF_OUTWARD_MAX][CONF_NAME_MAX]; /* whose MX is tried for port 25 outward */
        size_t outward_count;                          /* 0: doctor's own choice */
        bool test;                                     /* addresses that are not the Internet's are fine */
        uint16_t test_dns_port;                        /* where name servers are asked */
        uint16_t test_probe_s;                         /* after so long a probe counts as lost */
    } doctor;

    char hold_remote[200]; /* when not empty: mail to other domains is held in the queue with this reason */

    uint64_t limits[CONF_LIMIT__COUNT];

    unsigned tls_line, data_line, trust_anchor_line,
        dns_update_line; /* for conf_file_check(); 0: not in the file */
};

struct conf_problem {
    unsigned line;  /* 1..; 0 when it is about the file as a whole */
    char text[256]; /* what is wrong, a sentence */
    char hint[256]; /* what to write instead; may be empty */
};

struct conf_problems {
    struct conf_problem at[CONF_PROBLEM_MAX];
    size_t n;
    size_t more; /* further ones that did not fit */
};

/* Parses a whole file. folder is where the file lies: relative paths start there (empty: left as they are).
 * True when there is no mistake. Both outputs are always written. */
NODISCARD bool conf_parse(slice text, slice folder, struct conf *out, struct conf_problems *out_problems);

/* Adds a mistake to the list; for those who look further than the grammar. hint may be NULL. */
void conf_problem_add(struct conf_problems *problems, unsigned line, const char *hint, const char *format,
                      ...) FORMAT(4, 5);

/* The route for a domain: its own, else that of the longest "*." pattern above it, else "*", else NULL. */
const struct conf_route *conf_route_find(const struct conf_route *routes, size_t n, slice domain);

/* "50M" -> 52428800: digits and an optional K, M, G or T (1024 each). Also the tool's --quota. */
NODISCARD bool conf_size_parse(slice s, uint64_t *out);

/* The entry of names nearest to word, if it is near enough to be what was meant; else NULL. Also for the
 * tool's commands. */
const char *conf_nearest(slice word, const char *const *names, size_t n);

#endif
