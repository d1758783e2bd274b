/* finding: one thing that is wrong, in words: what, why it matters, what mends it.
 *
 * FINDINGS is the one table of all that doctor can find; docs/doctor.md is made of it. A finding's word is
 * stable: scripts and the state file of role doctor go by it. Nothing here looks at anything: who finds is
 * examine.c, out of what was observed (facts.h). */
#ifndef POSTHORN_POLICY_DOCTOR_FINDING_H
#define POSTHORN_POLICY_DOCTOR_FINDING_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/time.h"

enum finding_severity { FINDING_OK, FINDING_NOTE, FINDING_WARNING, FINDING_ERROR };
const char *finding_severity_name(enum finding_severity s); /* "ok" "note" "warning" "error" */

/* X(ID, "word", SEVERITY, "what it is, for the list", "why it matters") */
/* clang-format off */
#define FINDINGS(X) \
    /* the server itself */ \
    X(SERVER_DOWN, "server-down", ERROR, "The server is not running", \
      "No mail is taken in or sent while it does not run. Other servers try again for some days, then give up.") \
    X(ROLE_SILENT, "role-silent", WARNING, "A part of the server could not be asked", \
      "What it knows could not be looked at, so something may be wrong that is not said here.") \
    X(NO_DOMAIN, "no-domain", NOTE, "No domain is set up", \
      "The server takes mail for its own domains only, and has none.") \
    X(UNOBSERVED, "unobserved", WARNING, "Something could not be looked at", \
      "What cannot be seen from here may be wrong all the same, and other servers may have the same trouble.") \
    X(CLOCK, "clock-unsynchronised", WARNING, "The clock is not synchronised", \
      "Signatures, certificates and DNSSEC depend on the time: a few minutes off, and mail is refused.") \
    X(DISK_LOW, "disk-low", ERROR, "The disk is nearly full", \
      "When it is full, mail is put off (452) until there is room.") \
    X(DISK_SMALL, "disk-small", WARNING, "There is little room on the disk", \
      "Mail needs room to grow.") \
    X(MEMORY_SMALL, "memory-small", ERROR, "This machine has too little memory", \
      "The kernel ends processes when memory runs out, and mail waits meanwhile.") \
    X(QUEUE_OLD, "queue-old", WARNING, "Mail has been waiting in the queue for long", \
      "Its senders believe it arrived. After the queue's lifetime it goes back to them.") \
    X(QUEUE_LARGE, "queue-large", WARNING, "Much mail waits in the queue", \
      "Either many receivers refuse us for now, or somebody sends in bulk through an account.") \
    X(STORE_REFUSES, "store-refuses", ERROR, "Mail cannot be stored in accounts", \
      "It waits in the queue and is tried again; people do not see it, and after the queue's lifetime it goes back.") \
    X(DNS_SILENT, "dns-silent", ERROR, "The DNS does not answer at all", \
      "Nothing can be looked up: no mail goes out, nobody's sender can be checked, and nothing here can be compared with what others see.") \
    X(RESOLVER_PUBLIC, "resolver-public", WARNING, "A public resolver is asked", \
      "Blocklists answer public resolvers with nothing or with errors, so their answers are useless, and DNSSEC rests on the way to somebody else's machine.") \
    X(RESOLVER_NO_DNSSEC, "resolver-no-dnssec", WARNING, "Answers of the DNS are not validated", \
      "Forged answers are not noticed, and DANE (TLSA) cannot be used for outgoing mail.") \
    X(PUSH_FAILED, "dns-push-failed", WARNING, "The records of a domain could not be sent to its name server", \
      "What changes meanwhile, such as a new DKIM key, does not reach the DNS, and the key waits for it.") \
    /* our addresses and our name */ \
    X(ADDRESS_UNKNOWN, "address-unknown", WARNING, "It is not known which addresses this server has outside", \
      "Without them neither SPF nor PTR nor blocklists can be checked.") \
    X(ADDRESS_PRIVATE, "address-private", ERROR, "An address of this server is not an address of the Internet", \
      "Nobody outside can reach it, and mail from it is refused.") \
    X(ADDRESS_NOT_HERE, "address-not-here", NOTE, "The address is not one of this machine", \
      "That is right behind a router that translates addresses, and wrong otherwise.") \
    X(HOST_MISSING, "host-missing", ERROR, "The host name has no address", \
      "Who wants to deliver mail finds the name and then nothing behind it; many servers refuse mail from a host whose name does not exist.") \
    X(HOST_ELSEWHERE, "host-elsewhere", ERROR, "The host name leads to another machine", \
      "Mail for the domains goes to whoever has that address.") \
    X(HOST_INCOMPLETE, "host-incomplete", WARNING, "The host name leads to only some of our addresses", \
      "The reverse name of the other address is then not confirmed, and mail from it is refused by many.") \
    X(PTR_MISSING, "ptr-missing", ERROR, "An address has no reverse name", \
      "Most large providers refuse mail from an address without a reverse name (PTR).") \
    X(PTR_SEVERAL, "ptr-several", WARNING, "An address has several reverse names", \
      "Receivers take any one of them; the wrong one fails their check.") \
    X(PTR_OTHER, "ptr-other", WARNING, "The reverse name is not our host name", \
      "Receivers compare it with the name that we say in HELO; names made by providers look like dial-up lines.") \
    X(PTR_UNCONFIRMED, "ptr-unconfirmed", ERROR, "The reverse name does not lead back to the address", \
      "A reverse name that is not confirmed counts as none: mail is refused.") \
    X(DNSBL_LISTED, "dnsbl-listed", ERROR, "An address of ours is on a blocklist", \
      "Servers that use the list refuse our mail or take it for junk.") \
    X(DNSBL_OFF, "dnsbl-off", WARNING, "A list of addresses (DNSBL, DNSWL) is not used because it does not answer rightly", \
      "Its answers cannot be trusted, so nothing is concluded from them. A server in use checks it every hour, and asks it again when it is well.") \
    /* the domain and its name servers */ \
    X(DOMAIN_MISSING, "domain-missing", ERROR, "The domain does not exist in the DNS", \
      "No mail can come in, and mail from a domain that does not exist is refused everywhere.") \
    X(DOMAIN_EXPIRES, "domain-expires", WARNING, "The registration of the domain ends soon", \
      "A domain that runs out takes all mail with it, and after a while anybody may register it and get what was meant for you.") \
    X(DOMAIN_NEW, "domain-new", NOTE, "The domain was registered not long ago", \
      "Large providers distrust young domains, because most spam comes from them: they put off mail from them or take it for junk, whatever else is right.") \
    X(SERVER_LAME, "server-lame", WARNING, "A name server of the domain does not answer for it", \
      "A part of all who ask get no answer, by chance; their mail is late or lost.") \
    X(SERVERS_NONE, "servers-none", ERROR, "No name server of the domain answers", \
      "Nothing of the domain can be looked up: no mail comes in and outgoing mail is refused.") \
    X(SERVERS_DISAGREE, "servers-disagree", ERROR, "The name servers of the domain give different answers", \
      "What receivers see depends on whom they ask: the same check passes and fails by chance.") \
    X(SERIAL_DIFFERS, "serial-differs", WARNING, "The name servers have different versions of the zone", \
      "One of them does not get the changes; records that you mended stay broken for a part of those who ask.") \
    X(DELEGATION_DIFFERS, "delegation-differs", WARNING, "The registry names other name servers than the zone itself", \
      "After a move the old servers go on answering for some, with old records.") \
    X(DELEGATION_MISSING, "delegation-missing", ERROR, "The zone that this server answers for is not delegated to it", \
      "What the CNAMEs lead to cannot be found: DKIM keys and policies behind them do not exist for others.") \
    X(DNSSEC_BOGUS, "dnssec-bogus", ERROR, "The domain's DNSSEC signatures do not validate", \
      "Everybody whose resolver validates cannot see the domain at all: no mail from them, and ours is refused.") \
    /* MX */ \
    X(MX_MISSING, "mx-missing", ERROR, "The domain has no MX record", \
      "Other servers then try the domain's own address, which is mostly a web server: mail does not arrive.") \
    X(MX_ELSEWHERE, "mx-elsewhere", ERROR, "The MX records lead elsewhere", \
      "Mail for the domain goes to another server.") \
    X(MX_ALSO, "mx-also", WARNING, "There are MX records for other servers beside ours", \
      "A part of the mail goes there. If that server does not know the addresses here, mail is lost or bounces.") \
    X(MX_IP, "mx-ip", ERROR, "An MX record holds an address instead of a name", \
      "RFC 5321 wants a name there: most servers do not deliver to it.") \
    X(MX_CNAME, "mx-cname", ERROR, "The name in the MX record is an alias (CNAME)", \
      "RFC 2181 forbids it: some servers do not deliver to it.") \
    X(MX_NO_ADDRESS, "mx-no-address", ERROR, "The name in the MX record has no address", \
      "Servers that try it first find nothing; if it is the only one, no mail arrives.") \
    X(MX_NULL, "mx-null", ERROR, "The domain says that it takes no mail", \
      "A null MX (\".\") makes every sender give up at once, and mail from such a domain is refused by many.") \
    /* SPF */ \
    X(SPF_MISSING, "spf-missing", ERROR, "There is no SPF record", \
      "Receivers cannot see that this server may send for the domain; large providers refuse such mail.") \
    X(SPF_TWO, "spf-two", ERROR, "There are several SPF records", \
      "RFC 7208 allows one: with two, the check fails for good (permerror) as if there were none.") \
    X(SPF_SYNTAX, "spf-syntax", ERROR, "The SPF record is written wrongly", \
      "One wrong term makes the whole record useless (permerror).") \
    X(SPF_NOT_US, "spf-not-us", ERROR, "The SPF record does not allow an address of ours", \
      "Mail from this address fails SPF.") \
    X(SPF_LOOKUPS, "spf-lookups", ERROR, "The SPF record needs more than 10 lookups", \
      "Receivers stop at 10 (RFC 7208 §4.6.4) and count the record as broken.") \
    X(SPF_VOID, "spf-void", ERROR, "The SPF record asks for names that do not exist", \
      "Receivers stop after two such lookups and count the record as broken.") \
    X(SPF_ALL, "spf-all", ERROR, "The SPF record allows the whole world", \
      "With +all anybody may send in the domain's name; receivers take that for a sign of spam.") \
    X(HELO_SPF, "spf-helo", NOTE, "The host name has no SPF record of its own", \
      "Bounces and other notices have no sender; their SPF is that of the host name.") \
    /* DKIM */ \
    X(DKIM_NO_KEY, "dkim-no-key", ERROR, "There is no DKIM key for the domain", \
      "Mail goes out unsigned: DMARC then rests on SPF alone, which breaks when mail is forwarded.") \
    X(DKIM_MISSING, "dkim-missing", ERROR, "The DKIM key is not in the DNS", \
      "Mail is signed with a key that nobody can find: every signature fails.") \
    X(DKIM_WAITING, "dkim-waiting", NOTE, "A DKIM key waits for its record", \
      "The key signs as soon as its record is seen; until then the key before it does, or mail goes out unsigned and DMARC rests on SPF alone.") \
    X(DKIM_DIFFERENT, "dkim-different", ERROR, "The DKIM record is not that of our key", \
      "Every signature made with the key fails.") \
    X(DKIM_SPLIT, "dkim-split", ERROR, "The DKIM record is split wrongly", \
      "A long record is several strings of one record; what stands there cannot be put together.") \
    X(DKIM_REVOKED, "dkim-revoked", ERROR, "The DKIM record says that the key was revoked", \
      "An empty p= means that every signature with it is to fail.") \
    X(DKIM_TYPE, "dkim-type", ERROR, "The DKIM record names another type of key", \
      "Receivers read the key wrongly: every signature fails.") \
    X(DKIM_TWO, "dkim-two", ERROR, "There are several DKIM records for one selector", \
      "Which one a receiver takes is chance (RFC 6376 §3.6.2.2).") \
    X(CNAME_MISSING, "cname-missing", ERROR, "A CNAME to the zone of this server is missing or leads elsewhere", \
      "What this server keeps up to date behind it is not found.") \
    /* DMARC and TLS-RPT */ \
    X(DMARC_MISSING, "dmarc-missing", WARNING, "There is no DMARC record", \
      "Large providers want one from everybody who sends much, and without it anybody may write in the domain's name.") \
    X(DMARC_TWO, "dmarc-two", ERROR, "There are several DMARC records", \
      "With two, receivers act as if there were none (RFC 9989).") \
    X(DMARC_SYNTAX, "dmarc-syntax", ERROR, "The DMARC record is written wrongly", \
      "Receivers act as if there were none.") \
    X(DMARC_WEAKER, "dmarc-weaker", WARNING, "The DMARC policy in the DNS is weaker than the one that was set", \
      "Forged mail is treated more kindly than you decided.") \
    X(DMARC_PERMISSION, "dmarc-permission", WARNING, "Reports go to a domain that did not allow it", \
      "Receivers send reports to another domain only when that one says it wants them.") \
    X(DMARC_NO_REPORTS, "dmarc-no-reports", NOTE, "The DMARC record asks for no reports to this server", \
      "Reports show who sends in the domain's name; posthorn reports makes sentences of them.") \
    X(TLSRPT_MISSING, "tlsrpt-missing", NOTE, "There is no TLS-RPT record", \
      "Nobody tells when encrypted delivery to this server fails.") \
    X(TLSRPT_DIFFERENT, "tlsrpt-different", WARNING, "The TLS-RPT record is written wrongly or sends reports elsewhere", \
      "Reports on failed encrypted delivery do not come here.") \
    /* TLSA and SRV */ \
    X(TLSA_MISSING, "tlsa-missing", NOTE, "There is no TLSA record although the zone is signed", \
      "With it, other servers would insist on encryption with the right key (DANE).") \
    X(TLSA_MISMATCH, "tlsa-mismatch", ERROR, "The TLSA record does not match the certificate in use", \
      "Servers that use DANE do not deliver: their mail waits and bounces.") \
    X(TLSA_UNSIGNED, "tlsa-unsigned", NOTE, "There is a TLSA record in a zone without DNSSEC", \
      "It counts for nothing: DANE needs signed answers.") \
    X(SRV_MISSING, "srv-missing", NOTE, "Mail programs cannot find the server by themselves", \
      "SRV records (RFC 6186) tell them host and port.") \
    X(SRV_DIFFERENT, "srv-different", WARNING, "An SRV record leads mail programs elsewhere", \
      "Programs that set themselves up try the wrong host or port.") \
    /* what a stranger meets at our ports */ \
    X(PORT25_IN, "port25-in", ERROR, "Port 25 cannot be reached", \
      "No mail comes in.") \
    X(PORT_CLOSED, "port-closed", WARNING, "A port for mail programs cannot be reached", \
      "People cannot send or read their mail from outside.") \
    X(GREETING, "greeting-other", WARNING, "Something else answers on our port", \
      "A provider or a router in between takes the connections.") \
    X(STARTTLS_MISSING, "starttls-missing", ERROR, "STARTTLS is not offered", \
      "Mail comes in unencrypted, and servers that insist on encryption do not deliver.") \
    X(TLS_FAILED, "tls-failed", ERROR, "The TLS handshake fails", \
      "Encrypted connections do not come about.") \
    X(CERT_EXPIRED, "certificate-expired", ERROR, "The certificate has expired", \
      "Mail programs warn or refuse, and servers that check certificates do not deliver.") \
    X(CERT_SOON, "certificate-expires-soon", WARNING, "The certificate expires soon", \
      "When it has expired, mail programs warn or refuse.") \
    X(CERT_NOT_YET, "certificate-not-yet", ERROR, "The certificate is not valid yet", \
      "Either it was made for later, or a clock is wrong.") \
    X(CERT_NAME, "certificate-name", ERROR, "The host name is not in the certificate", \
      "Mail programs warn or refuse, and servers that check names do not deliver.") \
    X(CERT_CHAIN, "certificate-chain", ERROR, "The certificate's chain is incomplete", \
      "Programs that do not have the missing issuer cannot verify the certificate.") \
    X(CERT_SELF, "certificate-self-signed", WARNING, "The certificate is self-signed", \
      "Mail programs warn; servers that insist on a verified certificate do not deliver.") \
    X(PORT25_OUT, "port25-out", ERROR, "Port 25 outward is closed", \
      "No mail can be sent to other servers.") \
    X(PORT_TAKEN, "port-taken", ERROR, "A port that the server needs is in use", \
      "Two programs cannot listen on the same port.") \
    /* the probe */ \
    X(PROBE_LOST, "probe-lost", ERROR, "The probe message did not come back", \
      "Every hour this server sends itself a message by way of the public MX. When it does not come back, other people's mail does not arrive either.") \
    X(PROBE_UNSIGNED, "probe-unsigned", ERROR, "The probe message came back unsigned", \
      "Outgoing mail has no DKIM signature: DMARC then rests on SPF alone.") \
    X(PROBE_DKIM, "probe-dkim", ERROR, "The signature of the probe message does not verify", \
      "Every receiver sees a broken signature.") \
    X(PROBE_SPF, "probe-spf", WARNING, "The probe message failed SPF", \
      "Receivers see mail from an address that the domain does not allow.") \
    X(PROBE_DMARC, "probe-dmarc", ERROR, "The probe message failed DMARC", \
      "Receivers that follow the domain's policy refuse our mail.") \
    /* before the server is set up */ \
    X(TODAY, "today", NOTE, "Where mail of the domain goes today", \
      "It changes when you publish the new records.")
/* clang-format on */

enum finding_kind {
#define X(id, word, severity, title, why) FINDING_##id,
    FINDINGS(X)
#undef X
        FINDING__COUNT
};

struct finding_row {
    const char *word;
    enum finding_severity severity;
    const char *title, *why;
};
extern const struct finding_row finding_rows[FINDING__COUNT];
/* The kind with this word, or FINDING__COUNT. */
enum finding_kind finding_of_word(slice word);

struct finding {
    enum finding_kind kind;
    enum finding_severity severity; /* the table's, unless this case is milder or worse */
    slice subject;  /* the domain, host, address or port it is about; with kind it names the finding */
    slice what;     /* a sentence */
    slice mend;     /* a record in zone form, a command, or a sentence; several lines; may be empty */
    slice evidence; /* what was seen, verbatim; may be empty */
    slice domain;   /* which domain of ours it was found with; empty: the server */
    time_ms since;  /* Unix ms; 0: not known */
};

#define FINDINGS_MAX 8192

/* A list in an arena. Texts are made harmless: from outside comes only what was escaped. */
struct findings {
    struct arena *arena;
    struct finding *at;
    size_t n, room;
    bool failed; /* at a limit: some are missing */
};
void findings_init(struct findings *f, struct arena *a);
/* Adds one; texts are copied, control characters replaced. The same kind and subject twice is once. The row
 * just added, to change its severity; never NULL (at a limit it is a row that nobody reads). */
struct finding *findings_add(struct findings *f, enum finding_kind kind, slice subject, slice what,
                             slice mend, slice evidence);
/* Adds one as it stands, whose texts came out of such a list: they are copied, not escaped once more. */
struct finding *findings_copy(struct findings *f, const struct finding *one);
/* Worst first, then in the order of the table, which is the order to mend them in (what others rest on comes
 * first), then by subject. */
void findings_sort(struct findings *f);
/* The worst of all; FINDING_OK when there is none. */
enum finding_severity findings_worst(const struct findings *f);
/* The number of the one with this kind and subject, or n. */
size_t findings_find(const struct findings *f, enum finding_kind kind, slice subject);
/* Appends one as a JSON object: id, severity, subject, what, why, mend, evidence, and domain and since when
 * there are.  * ERR_LIMIT when out is full. */
NODISCARD enum err finding_json(const struct finding *f, struct buf *out);
/* Appends one as paragraphs for people, lines of at most 78 characters where words allow. */
NODISCARD enum err finding_print(const struct finding *f, struct buf *out);

#endif
