#include "policy/authentication.h"

#include "core/mail/header.h"

#define SENTENCE_MAX   240 /* bytes of one reason; a core's longer words are cut */
#define REPLY_MAX      480 /* bytes of the text of a refusal */
#define SIGNATURES_MAX 4   /* told one by one */

/* ---- words */

struct words {
    struct arena *arena;
    struct verdict *v;
    struct buf text; /* of the sentence that is being made */
    bool full;       /* the arena's cap */
};

static slice words_take(struct words *w)
{
    slice out = {0};
    if (!arena_dup(w->arena, buf_view(&w->text), &out))
        w->full = true;
    buf_clear(&w->text);
    return out;
}

static void words_end(struct words *w)
{
    verdict_reason(w->v, words_take(w));
}

static void put(struct words *w, const char *text)
{
    (void)buf_str(&w->text, text); /* a sentence that is full is told as far as it goes */
}

/* Names were parsed and reasons are the house's own words; what room is left is filled. */
static void put_slice(struct words *w, slice s)
{
    (void)buf_append(&w->text, slice_sub(s, 0, w->text.max - w->text.n));
}

/* "SPF fail: why", or "SPF pass for example.org". */
static void put_result(struct words *w, const char *method, enum auth_result r, slice domain, slice reason)
{
    put(w, method);
    put(w, " ");
    put_slice(w, auth_result_word(r));
    if (domain.n) {
        put(w, " for ");
        put_slice(w, domain);
    }
    if (r != AUTH_PASS && reason.n) {
        put(w, ": ");
        put_slice(w, reason);
    }
}

static void tell_dkim(struct words *w, const struct auth_results *r)
{
    size_t told = size_min(r->n_dkim, SIGNATURES_MAX);
    if (r->n_dkim == 0) {
        put(w, "no DKIM signature");
        words_end(w);
    }
    for (size_t i = 0; i < told; i++) {
        put_result(w, "DKIM", r->dkim[i].result, r->dkim[i].domain, r->dkim[i].reason);
        words_end(w);
    }
    if (r->n_dkim > told) {
        (void)buf_print(&w->text, "%zu more DKIM signatures", r->n_dkim - told);
        words_end(w);
    }
}

static void tell_envelope(struct words *w, const struct auth_results *r)
{
    if (r->client.n == 0)
        return;
    put_result(w, "SPF", r->spf.result, r->spf.result == AUTH_PASS ? r->spf.domain : (slice){0},
               r->spf.reason);
    words_end(w);
    if (r->iprev.result != AUTH_PASS && r->iprev.result != AUTH_NONE) {
        put_result(w, "reverse name", r->iprev.result, (slice){0}, r->iprev.reason);
        words_end(w);
    }
}

static void tell_message(struct words *w, const struct auth_results *r)
{
    tell_dkim(w, r);
    if (r->arc.result != AUTH_NONE) {
        put_result(w, "ARC", r->arc.result, r->arc.sealer, r->arc.reason);
        words_end(w);
    }
}

bool authentication_envelope(const struct auth_results *r, struct arena *a, struct verdict *v)
{
    struct words w = {.arena = a, .v = v, .text = {.max = SENTENCE_MAX}};
    tell_envelope(&w, r);
    buf_done(&w.text);
    return !w.full;
}

static void tell_dmarc(struct words *w, const struct dmarc_result *d)
{
    if (d->result == AUTH_NONE && d->author.n) {
        put(w, "no DMARC record for ");
        put_slice(w, d->author);
    } else {
        put_result(w, "DMARC", d->result, d->author, (slice){0});
        if (d->result == AUTH_FAIL) {
            put(w, ", whose policy is ");
            put_slice(w, dmarc_policy_word(d->published));
            put(w, d->testing ? " (testing)" : "");
        }
        if (d->result != AUTH_PASS && d->reason.n) {
            put(w, ": ");
            put_slice(w, d->reason);
        }
    }
    words_end(w);
}

/* ---- forwarders */

enum err authentication_forwarder_parse(slice text, struct authentication_forwarder *out)
{
    struct authentication_forwarder f = {.text = text};
    struct dns_name name;
    slice address, bits;
    bool has_bits = slice_split(text, '/', &address, &bits);
    if (ip_parse(address, &f.ip) == OK) {
        uint32_t n = ip_is_v4(&f.ip) ? 32 : 128, most = n;
        if (has_bits && (!slice_u32(bits, &n) || n > most || n == 0))
            return ERR_SYNTAX;
        f.bits = n;
        f.ip = ip_block(&f.ip, n, n);
    } else if (!has_bits && dns_name_parse(text, &name) == OK && dns_name_is_host(&name)) {
        f.name = text;
    } else {
        return ERR_SYNTAX;
    }
    *out = f;
    return OK;
}

static bool is_forwarder(const struct authentication_forwarder *f, const struct ip *client, slice confirmed)
{
    struct dns_name name;
    if (f->name.n)
        return confirmed.n && dns_name_parse(confirmed, &name) == OK && dns_name_below(&name, f->name);
    struct ip block = ip_block(client, f->bits, f->bits);
    return ip_is_v4(client) == ip_is_v4(&f->ip) && ip_eq(&block, &f->ip);
}

static const struct authentication_forwarder *find_forwarder(const struct auth_results *r,
                                                             const struct authentication_policy *p)
{
    slice confirmed = r->iprev.result == AUTH_PASS ? r->iprev.name : (slice){0};
    struct ip client;
    if (ip_parse(r->client, &client))
        return NULL;
    for (size_t i = 0; i < p->n_forwarders; i++)
        if ((p->of_list || !p->forwarders[i].lists) && is_forwarder(&p->forwarders[i], &client, confirmed))
            return &p->forwarders[i];
    return NULL;
}

/* ---- ARC */

static bool in_list(slice names, slice name)
{
    size_t i = 0;
    while (i < names.n) {
        size_t from = i;
        while (i < names.n && names.p[i] != ',' && names.p[i] != ' ' && names.p[i] != '\t')
            i++;
        if (slice_eq_nocase(slice_sub(names, from, i), name))
            return true;
        i++;
    }
    return false;
}

static bool server_trusts(const struct authentication_policy *p, slice sealer)
{
    for (size_t i = 0; i < p->n_sealers; i++)
        if (slice_eq_nocase(p->sealers[i], sealer))
            return true;
    return false;
}

static bool rcpts_trust(const struct authentication_policy *p, slice sealer)
{
    for (size_t i = 0; i < p->n_rcpts; i++)
        if (!in_list(p->rcpt_sealers[i], sealer))
            return false;
    return p->rcpts_known && p->n_rcpts > 0;
}

static bool arc_could_help(const struct auth_results *r)
{
    /* what the first sealer saw pass has to be the author whom DMARC is about, not one put into From later */
    return r->arc.result == AUTH_PASS && r->arc.sets > 0 && r->arc.first_dmarc_pass && r->arc.from_signed &&
           (r->arc.first_dmarc_from.n == 0 || slice_eq(r->arc.first_dmarc_from, r->dmarc.author));
}

/* Every sealer passed on what the one before said, so each of them must be trusted. NULL: all are; else the
 * first who is not. */
static const slice *distrusted(const struct auth_results *r, const struct authentication_policy *p)
{
    for (unsigned i = 0; i < r->arc.sets; i++)
        if (!server_trusts(p, r->arc.sealers[i]) && !rcpts_trust(p, r->arc.sealers[i]))
            return &r->arc.sealers[i];
    return NULL;
}

static bool asks_for_action(const struct auth_results *r)
{
    return r->dmarc.result == AUTH_FAIL && r->dmarc.asked != DMARC_POLICY_NONE;
}

bool authentication_wants_rcpts(const struct auth_results *r, const struct authentication_policy *p)
{
    if (p->rcpts_known || !asks_for_action(r) || !arc_could_help(r))
        return false;
    return find_forwarder(r, p) == NULL && distrusted(r, p) != NULL;
}

/* ---- the decision */

static void override(struct words *w, const struct auth_results *r, const struct authentication_policy *p,
                     struct authentication_applied *out)
{
    const struct authentication_forwarder *f = find_forwarder(r, p);
    const slice *who;
    if (f) {
        put_slice(w, r->client);
        put(w, f->lists ? " is a known mailing list server (mailing-list "
                        : " is a known forwarder (forwarder ");
        put_slice(w, f->text);
        put(w, ")");
        out->override = f->lists ? AUTHENTICATION_MAILING_LIST : AUTHENTICATION_FORWARDER;
    } else if (arc_could_help(r)) {
        who = distrusted(r, p);
        put(w, who ? "the ARC chain cannot help: nobody here trusts the sealer "
                   : "the sealer is trusted and saw DMARC pass (arc-sealer ");
        put_slice(w, who ? *who : r->arc.sealer);
        put(w, who ? "" : ")");
        if (who) {
            words_end(w);
            return;
        }
        out->override = AUTHENTICATION_ARC;
    } else {
        return;
    }
    out->comment = words_take(w);
    put(w, "DMARC asks for ");
    put_slice(w, dmarc_policy_word(r->dmarc.asked));
    put(w, ", not done: ");
    put_slice(w, out->comment);
    words_end(w);
}

/* RFC 9989 wants a refusal that its reader can act upon. */
static slice refusal(struct words *w, const struct auth_results *r)
{
    struct buf text CLEANUP(buf_done) = {.max = REPLY_MAX};
    slice domain = slice_sub(r->dmarc.author, 0, 120), out = {0};
    (void)buf_print(
        &text,
        "%.*s asks that mail in its name be refused unless it can be verified (DMARC, p=reject), and "
        "this message could not be: SPF gave %.*s, DKIM gave %s. If it is yours, send it through the "
        "servers of %.*s or have it signed with that domain's DKIM key; a forwarder or list must leave "
        "the signed parts as they are",
        SLICE_FMT(domain), SLICE_FMT(auth_result_word(r->spf.result)),
        r->n_dkim ? "no signature of it" : "no signature at all", SLICE_FMT(domain));
    if (!arena_dup(w->arena, buf_view(&text), &out))
        w->full = true;
    return out;
}

static void apply(struct words *w, const struct auth_results *r, struct authentication_applied *out)
{
    struct verdict *v = w->v;
    out->applied = r->dmarc.asked;
    if (out->applied == DMARC_POLICY_REJECT && v->action != VERDICT_REJECT) {
        v->action = VERDICT_REJECT;
        v->code = 550;
        v->status = SLICE("5.7.1");
        v->text = refusal(w, r);
    } else if (out->applied == DMARC_POLICY_QUARANTINE && v->action == VERDICT_ACCEPT) {
        v->action = VERDICT_JUNK;
    }
}

/* Had it failed, would the policy ask for more than to be told? (t= takes one step off, RFC 9989 §4.7.) */
static bool would_act(const struct dmarc_result *d)
{
    return d->published > (d->testing ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE);
}

/* See the table in the header: is a temperror one that the sender's next attempt may not meet? */
static bool waits_for_dns(const struct dmarc_result *d, const struct authentication_policy *p)
{
    return d->policy_domain.n ? would_act(d) : d->try_again && (!d->silent || p->dns_works);
}

static void defer_unknown(struct verdict *v)
{
    if (v->action == VERDICT_REJECT)
        return;
    v->action = VERDICT_DEFER;
    v->code = 451;
    v->status = SLICE("4.7.5");
    v->text = SLICE("Who sent this message could not be verified just now, because the DNS gave no answer; "
                    "please try again");
}

bool authentication_decide(const struct auth_results *r, const struct authentication_policy *p,
                           struct arena *a, struct verdict *v, struct authentication_applied *out)
{
    struct words w = {.arena = a, .v = v, .text = {.max = SENTENCE_MAX}};
    *out = (struct authentication_applied){.applied = DMARC_POLICY_NONE};
    tell_dmarc(&w, &r->dmarc);
    if (asks_for_action(r)) {
        override(&w, r, p, out);
        if (out->override == AUTHENTICATION_NO_OVERRIDE)
            apply(&w, r, out);
    } else if (r->dmarc.result == AUTH_TEMPERROR && !find_forwarder(r, p) && waits_for_dns(&r->dmarc, p)) {
        defer_unknown(v);
    }
    if (p->odd_author && v->action == VERDICT_ACCEPT)
        v->action = VERDICT_JUNK; /* DMARC's reason says why: who wrote it cannot be told (THREATS 20) */
    tell_envelope(&w, r);
    tell_message(&w, r);
    if (p->sends_nothing && r->dmarc.result == AUTH_NONE) {
        put_slice(&w, r->spf.domain);
        put(&w, " says that it sends no mail at all (v=spf1 -all)");
        words_end(&w);
    }
    buf_done(&w.text);
    return !w.full;
}

/* ---- forged results */

static bool is_forged(const struct header_field *f, slice hostname)
{
    return slice_eq_nocase(f->name, SLICE("Authentication-Results")) &&
           auth_results_is_ours(f->value, hostname);
}

bool authentication_remove_forged(slice message, const struct mail_limits *limits, slice hostname,
                                  struct arena *a, struct verdict *v)
{
    slice block = slice_sub(message, 0, header_end(message)), *keep;
    const uint8_t *from = message.p;
    size_t forged = 0, n = 0;
    struct header_iter it = header_iter(block, limits);
    struct header_field f;
    while (header_next(&it, &f))
        forged += is_forged(&f, hostname);
    if (forged == 0)
        return true;
    keep = ARENA_ARRAY(a, forged + 1, slice);
    if (!keep)
        return false;
    it = header_iter(block, limits);
    while (header_next(&it, &f)) {
        if (!is_forged(&f, hostname))
            continue;
        keep[n++] = slice_of(from, (size_t)(f.raw.p - from));
        from = f.raw.p + f.raw.n;
    }
    keep[n++] = slice_of(from, (size_t)(message.p + message.n - from));
    v->keep = keep;
    v->n_keep = n;
    verdict_reason(v, SLICE("an Authentication-Results field that pretended to be ours was removed"));
    return true;
}
