/* push_judge: whose is what stands in the DNS, and what is to change there. */
#include "proc/doctor/push__.h"

#include "core/dns/dns_text.h"
#include "policy/key_rotation.h"

/* ---- whose is it */

static bool push_same(uint16_t type, slice a, slice b)
{
    struct buf x CLEANUP(buf_done) = {.max = 65536}, y CLEANUP(buf_done) = {.max = 65536};
    if (type == DNS_TXT) /* how the text is cut into strings does not matter */
        return dns_rr_txt(a, &x) == OK && dns_rr_txt(b, &y) == OK && slice_eq(buf_view(&x), buf_view(&y));
    return dns_text_rdata(type, a, &x) == OK && dns_text_rdata(type, b, &y) == OK &&
           slice_eq(buf_view(&x), buf_view(&y));
}

/* Does this record say what the plan says? The record of a key may be written in other ways. */
static bool push_serves(const struct dns_plan_record *want, slice rdata)
{
    struct buf theirs CLEANUP(buf_done) = {.max = 65536}, ours CLEANUP(buf_done) = {.max = 65536};
    slice shown;
    if (push_same(want->type, rdata, want->rdata))
        return true;
    if (want->kind != DNS_PLAN_DKIM || want->type != DNS_TXT || dns_rr_txt(rdata, &theirs) != OK ||
        dns_rr_txt(want->rdata, &ours) != OK)
        return false;
    shown = buf_view(&theirs);
    return rotation_compare(buf_view(&ours), &shown, 1) == ROTATION_SEEN_EQUAL;
}

static bool push_wanted(const struct push_set *s, slice rdata)
{
    for (size_t i = 0; i < s->n_want; i++)
        if (push_serves(&s->want[i], rdata))
            return true;
    return false;
}

static bool push_there(const struct push_set *s, const struct dns_plan_record *want)
{
    for (size_t i = 0; i < s->n_have; i++)
        if (push_serves(want, s->have[i]))
            return true;
    return false;
}

/* Would anything but addresses be lost? Every other term of theirs has to be in ours. */
static bool push_spf_ours(slice theirs, slice ours)
{
    while (theirs.n) {
        slice term, rest = ours, other;
        bool there = false;
        slice_split(theirs, ' ', &term, &theirs);
        if (term.n == 0 || slice_starts_nocase(term, SLICE("ip4:")) ||
            slice_starts_nocase(term, SLICE("ip6:")) || slice_ends_nocase(term, SLICE("all")))
            continue;
        while (rest.n && !there) {
            slice_split(rest, ' ', &other, &rest);
            there = slice_eq_nocase(term, other);
        }
        if (!there)
            return false;
    }
    return true;
}

/* The text of a key that we had under this name. */
static bool push_key_ours(const struct push *p, const struct push_set *s, slice text)
{
    for (const struct retired *r = retired_of(p->domain); r; r = r->next)
        if (dns_name_eq(&r->name, &s->want[0].name) && retired_is(r->digest, text))
            return true;
    return s->gone && retired_is(s->gone->digest, text);
}

static bool push_txt_ours(const struct push *p, const struct push_set *s, slice rdata)
{
    struct buf theirs CLEANUP(buf_done) = {.max = 65536}, ours CLEANUP(buf_done) = {.max = 65536};
    if (dns_rr_txt(rdata, &theirs) != OK)
        return false;
    if (s->want[0].kind == DNS_PLAN_DKIM)
        return push_key_ours(p, s, buf_view(&theirs));
    if (dns_rr_txt(s->want[0].rdata, &ours) != OK)
        return false;
    switch (s->want[0].kind) {
    case DNS_PLAN_SPF:
    case DNS_PLAN_SPF_HELO:
        return push_spf_ours(buf_view(&theirs), buf_view(&ours));
    default: /* "rua=mailto:dmarc-reports@" and "tls-reports@" are names only we give */
        return slice_find_nocase(buf_view(&theirs), SLICE("rua=mailto:dmarc-reports@")) < theirs.n ||
               slice_find_nocase(buf_view(&theirs), SLICE("rua=mailto:tls-reports@")) < theirs.n;
    }
}

static bool push_ours(const struct push *p, const struct push_set *s, slice rdata)
{
    struct dns_name name;
    struct dns_srv srv;
    struct dns_mx mx;
    switch (s->want[0].type) {
    case DNS_TXT:
        return push_txt_ours(p, s, rdata);
    case DNS_SRV:
        return dns_rr_srv(rdata, &srv) == OK && (srv.target.n == 0 || dns_name_eq(&srv.target, &p->host));
    case DNS_MX:
        return dns_rr_mx(rdata, &mx) == OK && dns_name_eq(&mx.host, &p->host);
    case DNS_CNAME:
        return p->zone.n && dns_rr_name(rdata, &name) == OK && dns_name_below(&name, dns_name_view(&p->zone));
    case DNS_TLSA:
        return true;
    default:
        return false;
    }
}

/* ---- what to change */

static void push_change(struct push *p, enum push_action action, const struct push_set *s, uint16_t type,
                        slice rdata, const char *text)
{
    struct push_change *c = &p->changes[p->n_changes];
    if (p->n_changes == PUSH_CHANGES) {
        p->full = true;
        return;
    }
    *c = (struct push_change){action, s->want[0].name, type, s->want[0].ttl_s, rdata, slice_str(text)};
    p->n_changes++;
    p->added += action == PUSH_ADD;
    p->removed += action == PUSH_REMOVE;
    p->kept += action == PUSH_KEEP;
}

/* One of a kind: what is there and not ours keeps ours out. */
static bool push_alone(const struct push_set *s)
{
    return s->want[0].marker.n || s->want[0].type == DNS_CNAME || s->want[0].type == DNS_SRV;
}

/* True when something foreign is in the way. */
static bool push_judge_have(struct push *p, const struct push_set *s)
{
    bool blocked = false;
    for (size_t i = 0; i < s->n_have; i++) {
        slice have = s->have[i];
        if (push_wanted(s, have) || (s->want[0].marker.n && !dns_plan_txt_is(have, s->want[0].marker)))
            continue;
        if (push_ours(p, s, have) || p->force) {
            push_change(p, PUSH_REMOVE, s, s->want[0].type, have, "");
        } else {
            push_change(p, PUSH_KEEP, s, s->want[0].type, have,
                        s->want[0].kind == DNS_PLAN_DKIM
                            ? "another key stands under this name: if another server signs with it, posthorn "
                              "dkim rotate takes another name here; else --force replaces it"
                        : push_alone(s) ? "not made by Posthorn, and the planned one cannot stand beside it; "
                                          "--force replaces it"
                                        : "not made by Posthorn; --force removes it");
            blocked = blocked || push_alone(s);
        }
    }
    return blocked;
}

/* What the key that is gone left behind; all else under that name is not looked at, force or not. */
static void push_judge_gone(struct push *p, struct push_set *s)
{
    for (size_t i = 0; i < s->n_have && !s->alias; i++)
        if (push_ours(p, s, s->have[i]))
            push_change(p, PUSH_REMOVE, s, DNS_TXT, s->have[i], "its key is gone");
    s->n_changes = p->n_changes - s->first_change;
}

void push__judge(struct push *p, struct push_set *s)
{
    bool blocked;
    s->first_change = p->n_changes;
    if (s->gone) {
        push_judge_gone(p, s);
        return;
    }
    if (s->unknown) {
        push_change(p, PUSH_KEEP, s, s->want[0].type, s->want[0].rdata,
                    "not sent: the server does not say what is there");
        return;
    }
    if (s->zone && s->referred) {
        push_change(p, PUSH_KEEP, s, s->want[0].type, s->want[0].rdata,
                    "not sent: the server has handed this name on to other servers");
        return;
    }
    if (!s->zone) {
        push_change(p, PUSH_KEEP, s, s->want[0].type, s->want[0].rdata,
                    "not sent: the server keeps no zone for this name");
        return;
    }
    if (s->alias) {
        push_change(p, PUSH_KEEP, s, s->want[0].type, s->want[0].rdata,
                    "not sent: the name is a CNAME there; take that away first");
        return;
    }
    blocked = push_judge_have(p, s);
    for (size_t i = 0; i < s->n_beside; i++) {
        push_change(p, p->force ? PUSH_REMOVE : PUSH_KEEP, s, DNS_TXT, s->beside[i],
                    p->force ? "" : "the planned CNAME cannot stand beside it; --force replaces it");
        blocked = blocked || !p->force;
    }
    for (size_t i = 0; i < s->n_want && !blocked; i++)
        if (!push_there(s, &s->want[i]))
            push_change(p, PUSH_ADD, s, s->want[i].type, s->want[i].rdata, "");
    s->n_changes = p->n_changes - s->first_change;
}
