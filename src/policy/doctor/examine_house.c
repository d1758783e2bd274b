/* What a stranger meets at our ports; TLSA; the machine; the probe. */
#include "core/auth/auth.h"
#include "policy/doctor/examine__.h"
#include "text/date.h"

#define CERTIFICATE_SOON MS_DAY * 14
#define DISK_LOW_BYTES   ((uint64_t)256 << 20)
#define QUEUE_OLD_MS     (4 * MS_HOUR)
#define QUEUE_MANY       1000
#define MEMORY_MIN       ((uint64_t)240 << 20) /* of 256 MB the kernel keeps some */

static slice port_subject(struct examine *x, const struct facts_port *p)
{
    return examine_text(x, "%s %.*s port %u", facts_service_name(p->service),
                        SLICE_FMT(examine_ip(x, &p->ip)), p->port);
}

static slice port_time(struct examine *x, time_ms at)
{
    struct buf b CLEANUP(buf_done) = {.max = 64};
    if (date_print_iso(at, &b))
        return (slice){0};
    return examine_keep(x, buf_view(&b));
}

/* ---- certificates: one that several ports show is one thing to mend */

static bool certificate_of(const struct facts_port *p)
{
    return !p->err && p->starttls && p->tls && p->certificate.seen;
}

static bool certificate_same(const struct facts_certificate *a, const struct facts_certificate *b)
{
    return memcmp(a->spki_sha256, b->spki_sha256, sizeof a->spki_sha256) == 0 &&
           a->not_before == b->not_before && a->not_after == b->not_after && a->names_host == b->names_host &&
           a->self_signed == b->self_signed && a->chain_complete == b->chain_complete &&
           slice_eq(a->names, b->names);
}

/* "smtp 192.0.2.1 port 25 and imaps 192.0.2.1 port 993": where the certificate of port number at is shown. */
static slice certificate_ports(struct examine *x, size_t at)
{
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    size_t left = 0;
    for (size_t i = at; i < x->facts->n_ports; i++)
        left += certificate_of(&x->facts->ports[i]) &&
                certificate_same(&x->facts->ports[at].certificate, &x->facts->ports[i].certificate);
    for (size_t i = at; i < x->facts->n_ports; i++) {
        const struct facts_port *p = &x->facts->ports[i];
        if (!certificate_of(p) || !certificate_same(&x->facts->ports[at].certificate, &p->certificate))
            continue;
        left--;
        buf_print(&b, "%s%.*s", !b.n ? "" : left ? ", " : " and ", SLICE_FMT(port_subject(x, p)));
    }
    return examine_keep(x, buf_view(&b));
}

/* Names the certificate whatever ports show it at the moment, so that a port that comes or goes is no news of
 * the certificate: the beginning of its key's SHA-256 and its end. */
static slice certificate_subject(struct examine *x, const struct facts_certificate *c)
{
    return examine_text(x, "certificate %02x%02x%02x%02x until %.*s", c->spki_sha256[0], c->spki_sha256[1],
                        c->spki_sha256[2], c->spki_sha256[3], SLICE_FMT(port_time(x, c->not_after)));
}

static void port_certificate(struct examine *x, size_t at)
{
    const struct facts_certificate *c = &x->facts->ports[at].certificate;
    slice subject = certificate_subject(x, c), ports = certificate_ports(x, at);
    slice renew =
        SLICE("Get a certificate for the host name with its whole chain and write both files into the "
              "configuration (tls CERTIFICATE KEY), then start the server anew.");
    slice names =
        c->names.n ? examine_text(x, "names: %.*s", SLICE_FMT(examine_quote(x, slice_sub(c->names, 0, 1000))))
                   : (slice){0};
    if (c->not_after < x->facts->now)
        examine_found(x, FINDING_CERT_EXPIRED, subject, renew, (slice){0},
                      "The certificate at %.*s expired on %.*s.", SLICE_FMT(ports),
                      SLICE_FMT(port_time(x, c->not_after)));
    else if (c->not_after < x->facts->now + CERTIFICATE_SOON)
        examine_found(x, FINDING_CERT_SOON, subject, renew, (slice){0},
                      "The certificate at %.*s expires on %.*s.", SLICE_FMT(ports),
                      SLICE_FMT(port_time(x, c->not_after)));
    if (c->not_before > x->facts->now)
        examine_found(x, FINDING_CERT_NOT_YET, subject,
                      SLICE("See whether the clock of this machine is right."), (slice){0},
                      "The certificate at %.*s is valid only from %.*s.", SLICE_FMT(ports),
                      SLICE_FMT(port_time(x, c->not_before)));
    if (!c->names_host)
        examine_found(x, FINDING_CERT_NAME, subject, renew, names, "The certificate at %.*s is not for %.*s.",
                      SLICE_FMT(ports), SLICE_FMT(x->setup->hostname));
    if (c->self_signed)
        examine_found(x, FINDING_CERT_SELF, subject, renew, (slice){0},
                      "The certificate at %.*s is signed by itself.", SLICE_FMT(ports));
    else if (!c->chain_complete && c->not_after >= x->facts->now && c->not_before <= x->facts->now)
        examine_found(
            x, FINDING_CERT_CHAIN, subject,
            SLICE("Put the issuers' certificates behind ours into the certificate file (often called "
                  "fullchain.pem)."),
            c->chain_error, "The certificate at %.*s cannot be verified with what the server sends.",
            SLICE_FMT(ports));
}

static void examine_certificates(struct examine *x)
{
    for (size_t i = 0; i < x->facts->n_ports; i++) {
        size_t first = 0;
        if (!certificate_of(&x->facts->ports[i]))
            continue;
        while (first < i &&
               !(certificate_of(&x->facts->ports[first]) &&
                 certificate_same(&x->facts->ports[first].certificate, &x->facts->ports[i].certificate)))
            first++;
        if (first == i)
            port_certificate(x, i);
    }
}

/* ---- ports */

static void port_unreachable(struct examine *x, const struct facts_port *p, slice subject)
{
    slice mend = examine_text(x,
                              "Let port %u in at every firewall on the way: of this machine (nft, ufw, "
                              "firewalld), of the provider, of the router. See also: posthorn status",
                              p->port);
    examine_found(x, p->service == FACTS_SMTP ? FINDING_PORT25_IN : FINDING_PORT_CLOSED, subject, mend,
                  slice_str(err_text(p->err)), "%.*s cannot be reached: %s.", SLICE_FMT(subject),
                  err_text(p->err));
}

static void port_one(struct examine *x, const struct facts_port *p)
{
    slice subject = port_subject(x, p);
    if (p->err) {
        port_unreachable(x, p, subject);
        return;
    }
    if (p->service != FACTS_IMAPS && p->greeting.n &&
        slice_find_nocase(p->greeting, x->setup->hostname) == p->greeting.n)
        examine_found(x, FINDING_GREETING, subject,
                      SLICE("See what listens there and what stands before it (a provider's filter, port "
                            "forwarding)."),
                      examine_quote(x, p->greeting), "What answers at %.*s does not call itself %.*s.",
                      SLICE_FMT(subject), SLICE_FMT(x->setup->hostname));
    if (!p->starttls)
        examine_found(
            x, FINDING_STARTTLS_MISSING, subject,
            SLICE("Give the server a certificate: tls CERTIFICATE KEY in the configuration. "
                  "If it has one, a firewall takes the offer out (\"SMTP inspection\"): switch that "
                  "off."),
            (slice){0}, "STARTTLS is not offered at %.*s.", SLICE_FMT(subject));
    else if (!p->tls)
        examine_found(x, FINDING_TLS_FAILED, subject,
                      SLICE("posthorn status\n(are edge and keys ready? the log of the server says more)"),
                      examine_quote(x, p->tls_error), "TLS at %.*s fails.", SLICE_FMT(subject));
}

void examine_ports(struct examine *x)
{
    for (size_t i = 0; i < x->facts->n_ports; i++)
        port_one(x, &x->facts->ports[i]);
    examine_certificates(x);
}

/* ---- TLSA */

/* Records that name a CA (2), a whole certificate (selector 0) or another digest may match as well: what they
 * say cannot be seen from here, so with one of them nothing is concluded (RFC 7672 §3.1). */
static bool tlsa_may_match(const struct dns_answer *a, const uint8_t spki[32])
{
    for (size_t i = 0; i < a->n; i++) {
        struct dns_tlsa t;
        if (dns_rr_tlsa(a->rdata[i], &t) == OK &&
            (t.usage == 2 || (t.usage == 3 && (t.selector != 1 || t.matching != 1)) ||
             (t.usage == 3 && t.data.n == 32 && memcmp(t.data.p, spki, 32) == 0)))
            return true;
    }
    return false;
}

void examine_tlsa(struct examine *x, const struct setup_domain *d)
{
    slice name = examine_name(x, "_25._tcp", x->setup->hostname), mend;
    const struct dns_answer *a = examine_known(x, name, DNS_TLSA);
    const struct dns_plan_record *r = NULL;
    struct buf b CLEANUP(buf_done) = {.max = 8192};
    while ((r = examine_plan(d, DNS_PLAN_TLSA, r))) /* one a certificate */
        if (slice_eq(dns_name_view(&r->name), name))
            buf_print(&b, "%s%.*s", b.n ? "\n" : "", SLICE_FMT(examine_record(x, r)));
    mend = examine_keep(x, buf_view(&b));
    if (!a)
        return;
    if (a->n == 0) {
        if (a->secure && mend.n)
            examine_found(x, FINDING_TLSA_MISSING, name, mend, (slice){0},
                          "%.*s lies in a signed zone but has no TLSA record.",
                          SLICE_FMT(x->setup->hostname));
        return;
    }
    if (!a->secure)
        examine_found(
            x, FINDING_TLSA_UNSIGNED, name,
            SLICE("Have the zone signed (DNSSEC) and its DS record entered at the registry, or take the "
                  "TLSA record out."),
            examine_answer(x, DNS_TLSA, a), "%.*s is not protected by DNSSEC.", SLICE_FMT(name));
    for (size_t i = 0; i < x->facts->n_ports; i++) {
        const struct facts_port *p = &x->facts->ports[i];
        if (p->service == FACTS_SMTP && p->certificate.seen &&
            !tlsa_may_match(a, p->certificate.spki_sha256)) {
            examine_found(x, FINDING_TLSA_MISMATCH, name,
                          mend.n ? mend : SLICE("Take the TLSA record out until the right one is known."),
                          examine_answer(x, DNS_TLSA, a),
                          "No TLSA record at %.*s matches the key of the certificate in use.",
                          SLICE_FMT(name));
            return;
        }
    }
}

/* ---- the machine */

static void house_outward(struct examine *x)
{
    struct buf b CLEANUP(buf_done) = {.max = 2048};
    for (size_t i = 0; i < x->facts->n_outward; i++) {
        const struct facts_outward *o = &x->facts->outward[i];
        if (o->err == OK)
            return;
        buf_print(&b, "%s%.*s: %s", i ? "\n" : "", SLICE_FMT(o->host), err_text(o->err));
    }
    if (x->facts->n_outward)
        examine_found(
            x, FINDING_PORT25_OUT, SLICE("port 25"),
            SLICE("Ask the provider of this machine to open port 25 outward; many close it until they "
                  "are asked. Meanwhile send through another server: route * HOST:587 in the "
                  "configuration."),
            buf_view(&b), "No other mail server can be reached on port 25.");
}

static void house_before(struct examine *x)
{
    const struct facts *f = x->facts;
    for (size_t i = 0; i < f->n_binds; i++) {
        const struct facts_bind *b = &f->binds[i];
        slice subject = examine_text(x, "port %u", b->port);
        if (b->err == ERR_DENIED)
            examine_found(x, FINDING_UNOBSERVED, subject, SLICE("Run this as root."), (slice){0},
                          "Whether port %u is free cannot be seen without root.", b->port);
        else if (b->err)
            examine_found(
                x, FINDING_PORT_TAKEN, subject,
                examine_text(x,
                             "ss -ltnp 'sport = :%u'\n(names the program; stop it: a mail server that "
                             "came with the system, mostly)",
                             b->port),
                examine_quote(x, b->why), "Port %u is in use by another program.", b->port);
    }
    if (f->memory_bytes && f->memory_bytes < MEMORY_MIN)
        examine_found(x, FINDING_MEMORY_SMALL, SLICE("memory"),
                      SLICE("Take a machine with at least 256 MB of memory."), (slice){0},
                      "This machine has %llu MB of memory.", (unsigned long long)(f->memory_bytes >> 20));
    for (size_t i = 0; f->address_here == FACTS_NO && i < x->setup->n_addresses && i < 1; i++)
        examine_found(x, FINDING_ADDRESS_NOT_HERE, examine_ip(x, &x->setup->addresses[i]),
                      SLICE("If a router stands before this machine, have it pass on ports 25, 465 and 993."),
                      (slice){0}, "No interface of this machine has the address %.*s.",
                      SLICE_FMT(examine_ip(x, &x->setup->addresses[i])));
}

void examine_house(struct examine *x)
{
    const struct facts *f = x->facts;
    for (size_t i = 0; i < f->n_silent; i++)
        examine_found(x, FINDING_ROLE_SILENT, f->silent[i], SLICE("See: posthorn status"), (slice){0},
                      "A part of the server could not be asked: %.*s.", SLICE_FMT(f->silent[i]));
    if (!x->setup->n_domains)
        examine_found(x, FINDING_NO_DOMAIN, x->setup->hostname, SLICE("posthorn domain add example.org"),
                      (slice){0}, "This server has no domain yet.");
    if (f->clock_synchronised == FACTS_NO)
        examine_found(x, FINDING_CLOCK, SLICE("clock"),
                      SLICE("timedatectl set-ntp true\n(or install chrony, and see: chronyc tracking)"),
                      (slice){0}, "The kernel says that nobody keeps this machine's clock right.");
    if (f->disk_known && (f->disk_free < DISK_LOW_BYTES || f->disk_free < f->disk_total / 50))
        examine_found(
            x, FINDING_DISK_LOW, SLICE("disk"),
            SLICE("Make room on the file system of the data folder, or move the folder to a larger one."),
            (slice){0}, "%llu MB of %llu MB are free where mail is kept.",
            (unsigned long long)(f->disk_free >> 20), (unsigned long long)(f->disk_total >> 20));
    else if (f->disk_known && x->before && f->disk_free < (uint64_t)2 << 30)
        examine_found(x, FINDING_DISK_SMALL, SLICE("disk"),
                      SLICE("A few people's mail wants some gigabytes."), (slice){0},
                      "%llu MB are free where mail would be kept.", (unsigned long long)(f->disk_free >> 20));
    if (f->queue_known && f->queue_oldest && f->now - f->queue_oldest > QUEUE_OLD_MS)
        examine_found(x, FINDING_QUEUE_OLD, SLICE("queue"), SLICE("posthorn queue list"), (slice){0},
                      "The oldest of %llu messages in the queue has been waiting since %.*s.",
                      (unsigned long long)f->queue_messages, SLICE_FMT(port_time(x, f->queue_oldest)));
    if (f->queue_known && f->queue_messages > QUEUE_MANY)
        examine_found(x, FINDING_QUEUE_LARGE, SLICE("queue"), SLICE("posthorn queue list"), (slice){0},
                      "%llu messages wait in the queue.", (unsigned long long)f->queue_messages);
    if (f->unstored)
        examine_found(
            x, FINDING_STORE_REFUSES, SLICE("store"),
            SLICE(
                "posthorn queue list\nposthorn status (are accounts and account ready?)\n(is the disk full? "
                "is an account over its quota?)"),
            examine_quote(x, f->unstored_why),
            "Mail for %u recipient(s) here waits, because their accounts could not take it.",
            (unsigned)f->unstored);
    if (f->dns_silent)
        examine_found(
            x, FINDING_DNS_SILENT, SLICE("dns"),
            SLICE("See which name servers are asked: the lines `resolver` of posthorn.conf(5), else "
                  "/etc/resolv.conf.\nAsk one of them: dig @ADDRESS example.org MX\nA firewall has to let "
                  "UDP and TCP to port 53 out, and the answers in."),
            (slice){0}, "None of the questions to the resolver was answered.");
    for (size_t i = 0; i < f->n_pushes_failed; i++)
        examine_found(
            x, FINDING_PUSH_FAILED, f->pushes_failed[i].domain,
            examine_text(x,
                         "posthorn dns %.*s --push --dry-run\n(says what is wrong; see dns-update in "
                         "posthorn.conf(5))",
                         SLICE_FMT(f->pushes_failed[i].domain)),
            (slice){0}, "The DNS records of %.*s were not pushed: %.*s",
            SLICE_FMT(f->pushes_failed[i].domain), SLICE_FMT(f->pushes_failed[i].why));
    house_outward(x);
    if (x->before)
        house_before(x);
}

/* Which way of port 25 is it? */
static slice probe_part(const struct examine *x, slice part)
{
    bool out = false;
    for (size_t i = 0; i < x->facts->n_outward; i++)
        out |= x->facts->outward[i].err == OK;
    if (!slice_eq(part, SLICE("port 25")))
        return part;
    return x->facts->n_outward && !out ? SLICE("port 25 out") : SLICE("port 25 in");
}

/* ---- the probe */

static void probe_came_back(struct examine *x, const struct facts_probe *p)
{
    slice lookup = examine_text(x, "posthorn doctor %.*s\nposthorn trace posthorn-probe@%.*s",
                                SLICE_FMT(p->domain), SLICE_FMT(p->domain));
    if (p->sign_wanted && !p->signed_)
        examine_found(x, FINDING_PROBE_UNSIGNED, p->domain,
                      examine_text(x, "posthorn status\n(is role keys ready?)\nposthorn dkim list %.*s",
                                   SLICE_FMT(p->domain)),
                      (slice){0}, "The probe of %.*s came back without a DKIM signature of the domain.",
                      SLICE_FMT(p->domain));
    else if (p->sign_wanted && p->dkim != AUTH_PASS)
        examine_found(x, FINDING_PROBE_DKIM, p->domain, lookup, examine_quote(x, p->dkim_reason),
                      "The signature of the probe of %.*s does not verify: %.*s.", SLICE_FMT(p->domain),
                      SLICE_FMT(p->dkim_reason.n ? slice_sub(p->dkim_reason, 0, 300)
                                                 : auth_result_word((enum auth_result)p->dkim)));
    if (p->spf == AUTH_FAIL || p->spf == AUTH_SOFTFAIL || p->spf == AUTH_PERMERROR)
        examine_found(x, FINDING_PROBE_SPF, p->domain, lookup, (slice){0},
                      "SPF gave %.*s for the probe of %.*s.",
                      SLICE_FMT(auth_result_word((enum auth_result)p->spf)), SLICE_FMT(p->domain));
    if (p->dmarc == AUTH_FAIL || p->dmarc == AUTH_PERMERROR)
        examine_found(x, FINDING_PROBE_DMARC, p->domain, lookup, (slice){0},
                      "DMARC gave %.*s for the probe of %.*s.",
                      SLICE_FMT(auth_result_word((enum auth_result)p->dmarc)), SLICE_FMT(p->domain));
}

void examine_probes(struct examine *x)
{
    for (size_t i = 0; i < x->facts->n_probes; i++) {
        const struct facts_probe *p = &x->facts->probes[i];
        if (p->state == PROBE_BACK)
            probe_came_back(x, p);
        else if (p->state == PROBE_LOST)
            examine_found(x, FINDING_PROBE_LOST, p->domain,
                          examine_text(x, "posthorn trace posthorn-probe@%.*s\nposthorn queue list",
                                       SLICE_FMT(p->domain)),
                          examine_quote(x, p->reason),
                          "The probe of %.*s, sent %.*s, did not come back: %.*s.", SLICE_FMT(p->domain),
                          SLICE_FMT(port_time(x, p->sent_at)), SLICE_FMT(probe_part(x, p->part)));
    }
}
