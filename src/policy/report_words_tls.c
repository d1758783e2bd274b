/* Sentences about TLS reports and failure reports. */
#include "policy/report_words__.h"

/* The kinds of failure of RFC 8460 §4.3: why, and what to do about it. */
static const struct tls_kind {
    slice result, why, fix;
} tls_kinds[] = {
    {SLICE_INIT("starttls-not-supported"), SLICE_INIT("STARTTLS was not offered"),
     SLICE_INIT(
         "Run posthorn doctor; if it finds STARTTLS, something between (a firewall that reads SMTP) takes "
         "it away.")},
    {SLICE_INIT("certificate-host-mismatch"), SLICE_INIT("the certificate does not carry the server's name"),
     SLICE_INIT(
         "Let it be issued for every name your MX records have; posthorn doctor shows which it carries.")},
    {SLICE_INIT("certificate-expired"), SLICE_INIT("the certificate has expired"),
     SLICE_INIT("Renew the certificate today; posthorn doctor shows its dates.")},
    {SLICE_INIT("certificate-not-trusted"),
     SLICE_INIT("the certificate is not signed by anybody the sender trusts"),
     SLICE_INIT("Its authority is not one that senders know, or the one between is not sent along; posthorn "
                "doctor shows the chain.")},
    {SLICE_INIT("validation-failure"),
     SLICE_INIT("the certificate could not be checked, for a reason that is not told"),
     SLICE_INIT("posthorn doctor looks at the certificate as senders see it.")},
    {SLICE_INIT("tlsa-invalid"),
     SLICE_INIT("the TLSA records do not fit the certificate, or none can be used"),
     SLICE_INIT("posthorn doctor compares them; posthorn dns shows the records as they should be.")},
    {SLICE_INIT("dnssec-invalid"), SLICE_INIT("DNSSEC of the domain or of the server's name does not verify"),
     SLICE_INIT("posthorn doctor says where; nobody who checks DNSSEC can deliver until it is mended.")},
    {SLICE_INIT("dane-required"),
     SLICE_INIT("the sender insists on DANE, and found no TLSA records it can trust"),
     SLICE_INIT("posthorn doctor looks at them; posthorn dns shows the records as they should be.")},
    {SLICE_INIT("sts-policy-fetch-error"), SLICE_INIT("the MTA-STS policy could not be fetched"),
     SLICE_INIT("The DNS says there is one: posthorn doctor fetches it as senders do.")},
    {SLICE_INIT("sts-policy-invalid"), SLICE_INIT("the MTA-STS policy cannot be read"),
     SLICE_INIT("posthorn doctor says why.")},
    {SLICE_INIT("sts-webpki-invalid"),
     SLICE_INIT("the web server that has the MTA-STS policy has a certificate that is not valid for it"),
     SLICE_INIT("posthorn doctor looks at it; its name is mta-sts and your domain.")},
};
static const struct tls_kind tls_unknown = {
    {0},
    SLICE_INIT("of something this server does not know"),
    SLICE_INIT("posthorn doctor looks at certificates and policies from "
               "outside.")};

static const struct tls_kind *tls_kind(slice result)
{
    for (size_t i = 0; i < ARRAY_LEN(tls_kinds); i++)
        if (slice_eq_nocase(result, tls_kinds[i].result))
            return &tls_kinds[i];
    return &tls_unknown;
}

static void tls_failure(struct report__writer *w, const struct report_words_tls *t)
{
    const struct tls_kind *kind = tls_kind(t->result);
    report__counted(&w->text, t->count, "TLS session failed", "TLS sessions failed");
    if (t->mx.n)
        buf_print(&w->text, " at %.*s", SLICE_FMT(t->mx));
    buf_print(&w->text, " because %.*s (%.*s)", SLICE_FMT(kind->why), SLICE_FMT(t->result));
    if (t->reason.n)
        buf_print(&w->text, "; the sender adds: %.*s", SLICE_FMT(t->reason));
    buf_append(&w->fix, kind->fix);
}

void report__tls(struct report__writer *w)
{
    const struct report_summary *s = w->s;
    for (size_t i = 0; i < s->n_tls; i++) {
        struct report_words_tls t = s->tls[i];
        while (t.result.n == 0 && i + 1 < s->n_tls && s->tls[i + 1].result.n == 0 &&
               slice_eq(s->tls[i + 1].org, t.org)) {
            t.good += s->tls[++i].good;
            t.failed += s->tls[i].failed;
        }
        buf_print(&w->text, "%.*s reported that ", SLICE_FMT(t.org.n ? t.org : SLICE("Somebody")));
        if (t.result.n) {
            tls_failure(w, &t);
        } else if (t.failed == 0) {
            buf_str(&w->text, t.good == 1 ? "the only TLS session was secure" : "all of ");
            if (t.good != 1)
                report__counted(&w->text, t.good, "", "TLS sessions were secure");
        } else {
            report__number(&w->text, t.failed);
            buf_str(&w->text, " of ");
            report__counted(&w->text, t.good + t.failed, "TLS session failed", "TLS sessions failed");
        }
        buf_byte(&w->text, '.');
        report__say_line(w, (struct report_line){.kind = "tls", .tls = &t});
    }
}

void report__failures(struct report__writer *w)
{
    const struct report_summary *s = w->s;
    for (size_t i = 0; i < size_min(s->n_failures, REPORT_TOLD_MAX); i++) {
        const struct report_words_failure *f = &s->failures[i];
        char ip[IP_TEXT];
        ip_print(&f->source, ip);
        report__counted(&w->text, f->incidents, "message was", "messages were");
        buf_print(&w->text, " told by failure reports: mail from %s",
                  ip_is_none(&f->source) ? "an unknown source" : ip);
        if (f->header_from.n && !slice_eq_nocase(f->header_from, s->domain))
            buf_print(&w->text, " in the name of %.*s", SLICE_FMT(f->header_from));
        buf_print(&w->text, " failed %.*s.", SLICE_FMT(f->failure.n ? f->failure : SLICE("the checks")));
        report__say_line(w, (struct report_line){.kind = "failure", .class = REPORT_FORGED, .failure = f});
    }
}
