/* Mail of our users, and what the house itself writes: what is missing is added, and it is signed with the
 * keys of the domain in From.
 *
 * A message is never lost for want of a signature: when the domain is not ours, signs nothing, has no key, or
 * keys gives no answer in time, it goes out unsigned, with the reason in the journal. */
#include "core/dkim/sign.h"
#include "core/mail/header.h"
#include "core/mail/limits.h"
#include "policy/submission.h"
#include "proc/judge/judge__.h"

#define OUTBOUND_PARENTS    3 /* levels above the domain of From that may sign for it (RFC 9989, relaxed) */
#define OUTBOUND_AGAIN_MS   200
#define OUTBOUND_PATIENT_MS 4000 /* for keys, while it is being started again */

struct outbound_key {
    struct house_signing signing;
    struct job *job;
    slice selector;
    bool open, again;
    enum err err;
    slice signature; /* in the arena */
};

struct outbound {
    struct dkim_sign *sign;
    slice from;   /* domain of From */
    slice domain; /* that signs */
    struct outbound_key keys[DKIM_SIGN_KEYS_MAX];
    size_t n, open;
};

static void outbound_unsigned(struct job *j, slice why)
{
    verdict_reason(&j->verdict, why);
    j->judge->unsigned_out++;
    judge_job_answer(j);
}

/* ---- the signatures come back */

static void outbound_finish(struct job *j)
{
    struct outbound *o = j->outbound;
    struct buf prefix CLEANUP(buf_done) = {.max = PREFIX_MAX / 2};
    struct buf words CLEANUP(buf_done) = {.max = 400};
    size_t made = 0;
    slice text;
    for (size_t i = 0; i < o->n; i++)
        if (o->keys[i].err == OK && dkim_sign_field(o->sign, i, o->keys[i].signature, &prefix) == OK)
            made++;
    if (made == 0) {
        outbound_unsigned(j, SLICE("sent without DKIM signature: the process that holds the keys gave none"));
        return;
    }
    (void)buf_append(&prefix, j->verdict.prefix); /* asked below */
    (void)buf_print(&words, "signed for %.*s (%zu DKIM signature%s)", SLICE_FMT(o->domain), made,
                    made == 1 ? "" : "s");
    if (buf_failed(&prefix) || !arena_dup(&j->arena, buf_view(&words), &text) ||
        !arena_dup(&j->arena, buf_view(&prefix), &j->verdict.prefix)) {
        outbound_unsigned(j, SLICE("sent without DKIM signature: there is no room for it"));
        return;
    }
    verdict_reason(&j->verdict, text);
    j->judge->signed_out++;
    judge_job_answer(j);
}

static void outbound_signed(void *arg, enum err e, slice signature)
{
    struct outbound_key *k = arg;
    struct job *j = k->job;
    k->open = false;
    j->outbound->open--;
    k->again = e == ERR_CLOSED && loop_now(j->judge->role->loop) < j->began_at + OUTBOUND_PATIENT_MS;
    k->err = e;
    if (e == OK && !arena_dup(&j->arena, signature, &k->signature))
        k->err = ERR_LIMIT;
    if (k->again)
        loop_timer_after(&j->timer, OUTBOUND_AGAIN_MS);
    else
        judge_job_go(j);
}

/* Asks for every signature that was not asked for, or has to be asked for again; the end when all are there.
 */
static void outbound_ask(struct job *j)
{
    struct outbound *o = j->outbound;
    size_t left = 0;
    for (size_t i = 0; i < o->n; i++) {
        struct outbound_key *k = &o->keys[i];
        uint8_t digest[DIGEST_SHA256_SIZE];
        if (k->again) {
            k->again = false;
            k->open = true;
            o->open++;
            dkim_sign_digest(o->sign, i, digest);
            judge_house_sign(j->judge->house, o->domain, k->selector, slice_of(digest, sizeof digest),
                             &k->signing);
        }
        left += k->open || k->again;
    }
    if (left == 0)
        outbound_finish(j);
}

/* ---- the message is hashed */

static void outbound_piece(struct job *j, slice piece)
{
    dkim_sign_body(j->outbound->sign, piece);
}

static void outbound_hash(struct job *j)
{
    if (!judge_job_hash(j, outbound_piece)) {
        judge_job_go(j);
        return;
    }
    if (dkim_sign_body_end(j->outbound->sign)) {
        outbound_unsigned(j, SLICE("sent without DKIM signature: its header names too many fields"));
        return;
    }
    j->step = outbound_ask;
    outbound_ask(j);
}

/* The header as it will leave: what we add, and the message's own without what is removed. */
static bool outbound_header(struct job *j, slice *out)
{
    const struct verdict *v = &j->verdict;
    const slice whole = slice_sub(j->message, 0, j->hashed);
    const slice *pieces = v->n_keep ? v->keep : &whole;
    size_t n_pieces = v->n_keep ? v->n_keep : 1, at = v->prefix.n;
    uint8_t *p = arena_alloc(&j->arena, v->prefix.n + whole.n);
    if (!p)
        return false;
    if (at)
        memcpy(p, v->prefix.p, at);
    for (size_t i = 0; i < n_pieces; i++) {
        size_t from = (size_t)(pieces[i].p - j->message.p);
        size_t n = from < whole.n ? size_min(pieces[i].n, whole.n - from) : 0;
        if (n)
            memcpy(p + at, pieces[i].p, n);
        at += n;
    }
    *out = slice_of(p, at);
    return true;
}

static bool outbound_keys(struct job *j, const struct house_domain *d, struct dkim_sign_key *keys)
{
    struct outbound *o = j->outbound;
    static_assert(HOUSE_KEYS_MAX <= DKIM_SIGN_KEYS_MAX, "room for every key");
    o->n = d->n_keys;
    for (size_t i = 0; i < o->n; i++) {
        struct outbound_key *k = &o->keys[i];
        *k = (struct outbound_key){.signing = {.fn = outbound_signed, .arg = k}, .job = j, .again = true};
        if (!arena_dup(&j->arena, dns_name_view(&d->keys[i].selector), &k->selector))
            return false;
        keys[i] = (struct dkim_sign_key){
            .selector = k->selector, .algorithm = d->keys[i].ed25519 ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256};
    }
    return arena_dup(&j->arena, dns_name_view(&d->name), &o->domain);
}

static void outbound_begin_signing(struct job *j, const struct house_domain *d)
{
    struct outbound *o = j->outbound;
    struct dkim_sign_key keys[DKIM_SIGN_KEYS_MAX];
    slice extra[DKIM_SIGN_EXTRA_MAX], names = {0}, header = {0};
    bool room = outbound_keys(j, d, keys) && arena_dup(&j->arena, d->sign_headers, &names);
    struct dkim_sign_ask ask = {
        .domain = o->domain, .keys = keys, .n_keys = o->n, .extra = extra, .now = j->ask.now};
    j->hashed = header_end(j->message);
    room = room && outbound_header(j, &header);
    while (names.n && ask.n_extra < DKIM_SIGN_EXTRA_MAX) {
        slice rest;
        (void)slice_split(names, ',', &extra[ask.n_extra], &rest); /* the last has no comma */
        ask.n_extra += extra[ask.n_extra].n > 0;
        names = rest;
    }
    if (!room || dkim_sign_begin(header, &ask, &j->arena, &o->sign)) {
        outbound_unsigned(
            j, SLICE("sent without DKIM signature: its header is none that a signature could hold for"));
        return;
    }
    j->step = outbound_hash;
    outbound_hash(j);
}

/* ---- who signs */

/* The domain of From, or one above it that is ours: relaxed alignment takes both (RFC 9989 §4.4). */
static void outbound_domain(struct job *j)
{
    slice domain = j->outbound->from;
    j->of_house = false;
    for (unsigned up = 0; up <= OUTBOUND_PARENTS && slice_has(domain, '.'); up++) {
        const struct house_domain *d = judge_house_domain(j->judge->house, domain);
        if (d && d->state == HOUSE_WAIT) {
            j->of_house = true; /* judge_house_came() runs this again */
            return;
        }
        if (!d || d->state == HOUSE_NO_ANSWER) {
            outbound_unsigned(
                j, SLICE("sent without DKIM signature: directory did not say whether its domain signs"));
            return;
        }
        if (d->state == HOUSE_KNOWN) {
            if (!d->sign)
                outbound_unsigned(j, SLICE("no DKIM signature: signing is switched off for its domain"));
            else if (d->n_keys == 0)
                outbound_unsigned(
                    j, d->no_keys ? SLICE("sent without DKIM signature: the process that holds the keys "
                                          "did not answer")
                                  : SLICE("sent without DKIM signature: its domain has no key yet"));
            else
                outbound_begin_signing(j, d);
            return;
        }
        domain = slice_from(domain, slice_index(domain, '.') + 1);
    }
    outbound_unsigned(j, SLICE("no DKIM signature: the domain in From is not ours"));
}

void judge_outbound_begin(struct job *j)
{
    const struct submission s = {.message = j->message,
                                 .hostname = role_setting(j->judge->role, "hostname", 0),
                                 .mail_id = j->ask.mail_id,
                                 .account_address = j->ask.account_address,
                                 .smtputf8 = j->ask.smtputf8,
                                 .now = j->ask.now};
    slice from;
    if (!submission_decide(&s, &mail_limits_default, &j->arena, &j->verdict)) {
        judge_job_defer(j, SLICE("the message needs more memory than a message may"));
        return;
    }
    j->outbound = ARENA_NEW(&j->arena, struct outbound);
    if (j->verdict.action >= VERDICT_DEFER || !j->outbound || j->verdict.n_senders == 0) {
        judge_job_answer(j);
        return;
    }
    from = j->verdict.senders[0]; /* those of From come first */
    j->outbound->from = slice_from(from, slice_rindex(from, '@') + 1);
    j->step = outbound_domain;
    outbound_domain(j);
}

void judge_outbound_done(struct job *j)
{
    for (size_t i = 0; j->outbound && i < j->outbound->n; i++)
        if (j->outbound->keys[i].open)
            role_forget(j->judge->role, &j->outbound->keys[i].signing);
}
