/* The paragraph of the arrival: connection, envelope, verdict, deliveries, reply. */
#include "policy/trace__.h"

#define NAMES_MAX 8 /* recipients and folders named in one sentence; the rest is counted */

/* ", " or " and " between the i-th and the next of n things. */
static void put_joint(struct buf *b, size_t i, size_t n)
{
    size_t shown = size_min(n, NAMES_MAX);
    if (i == 0)
        return;
    trace__put(b, i + 1 == shown && n == shown ? " and " : ", ");
}

static void put_more(struct buf *b, size_t n)
{
    if (n > NAMES_MAX)
        (void)buf_print(b, " and %zu more", n - NAMES_MAX);
}

static bool is_arrival(const struct journal_event *e)
{
    return e->kind >= JOURNAL_MAIL_FROM && e->kind <= JOURNAL_ABANDONED;
}

struct trace__arrival trace__arrival_of(const struct journal_event *events, size_t n)
{
    struct trace__arrival a = {0};
    for (size_t i = 0; i < n; i++) {
        const struct journal_event *e = &events[i];
        switch ((int)e->kind) {
        case JOURNAL_MAIL_FROM:
        case JOURNAL_MAIL_REFUSED:
            if (!a.from || e->kind == JOURNAL_MAIL_FROM)
                a.from = e;
            if (e->kind == JOURNAL_MAIL_REFUSED)
                a.end = e;
            break;
        case JOURNAL_MESSAGE_RECEIVED:
            a.received = e;
            break;
        case JOURNAL_MESSAGE_ID:
            a.message_id = e;
            break;
        case JOURNAL_VERDICT:
            a.verdict = e;
            break;
        case JOURNAL_MESSAGE_REFUSED:
        case JOURNAL_ACCEPTED:
        case JOURNAL_ABANDONED:
            a.end = e;
            break;
        case JOURNAL_RCPT_OK:
            a.only_recipient = a.accepted++ ? (slice){0} : e->address;
            break;
        case JOURNAL_RCPT_REFUSED:
            a.refused++;
            break;
        default:
            break;
        }
    }
    if (!a.from)
        return a;
    a.until = a.end ? a.end->at : a.from->at;
    for (size_t i = 0; i < n && events[i].at <= a.until; i++) {
        a.filed += events[i].kind == JOURNAL_DELIVERED;
        a.failed += events[i].kind == JOURNAL_DELIVERY_FAILED;
        a.queued += events[i].kind == JOURNAL_QUEUED;
    }
    return a;
}

bool trace__in_arrival(const struct trace__arrival *a, const struct journal_event *e)
{
    if (!a->from)
        return false;
    return is_arrival(e) ||
           (e->at <= a->until && (e->kind == JOURNAL_DELIVERED || e->kind == JOURNAL_QUEUED ||
                                  e->kind == JOURNAL_DELIVERY_FAILED));
}

static void tell_recipients(struct buf *b, const struct trace__arrival *a, const struct journal_event *events,
                            size_t n)
{
    size_t all = a->accepted + a->refused, i = 0;
    if (all == 0)
        return;
    trace__put(b, " to ");
    for (size_t k = 0; k < n && i < NAMES_MAX; k++) {
        if (events[k].kind != JOURNAL_RCPT_OK && events[k].kind != JOURNAL_RCPT_REFUSED)
            continue;
        put_joint(b, i++, all);
        trace__put_address(b, events[k].address);
        if (events[k].kind == JOURNAL_RCPT_OK && events[k].name.n &&
            !slice_eq(events[k].name, events[k].address)) {
            trace__put(b, " (which is ");
            trace__put_outside(b, events[k].name);
            trace__put(b, ")");
        }
    }
    put_more(b, all);
}

static void tell_refusals(struct buf *b, const struct trace__arrival *a, const struct journal_event *events,
                          size_t n)
{
    size_t i = 0;
    for (size_t k = 0; k < n && i < NAMES_MAX; k++) {
        if (events[k].kind != JOURNAL_RCPT_REFUSED)
            continue;
        i++;
        trace__put(b, " It was refused for ");
        trace__put_address(b, events[k].address);
        trace__put(b, ": ");
        trace__put_reply(b, &events[k]);
        trace__put(b, ".");
    }
    if (a->refused > i)
        (void)buf_print(b, " It was refused for %zu more.", a->refused - i);
}

static void put_folder(struct buf *b, const struct journal_event *e, slice known_account)
{
    trace__put_outside(b, e->name.n ? e->name : SLICE("INBOX"));
    if (e->address.n && !slice_eq(e->address, known_account)) {
        trace__put(b, " of ");
        trace__put_outside(b, e->address);
    }
    if (e->number)
        (void)buf_print(b, " as UID %llu", (unsigned long long)e->number);
}

static void tell_places(struct buf *b, const struct trace__arrival *a, const struct journal_event *events,
                        size_t n)
{
    size_t i = 0;
    for (size_t k = 0; k < n && i < NAMES_MAX && a->filed; k++) {
        if (events[k].kind != JOURNAL_DELIVERED || events[k].at > a->until)
            continue;
        trace__put(b, i == 0 ? ", filed into " : "");
        put_joint(b, i++, a->filed);
        put_folder(b, &events[k], a->only_recipient);
    }
    put_more(b, a->filed);
    i = 0;
    for (size_t k = 0; k < n && i < NAMES_MAX && a->queued; k++) {
        if (events[k].kind != JOURNAL_QUEUED || events[k].at > a->until)
            continue;
        trace__put(b, i == 0 ? ", put into the queue for " : "");
        put_joint(b, i++, a->queued);
        trace__put_address(b, events[k].address);
        if (events[k].text.n) {
            trace__put(b, " (");
            trace__put_outside(b, events[k].text);
            trace__put(b, ")");
        }
    }
    put_more(b, a->queued);
}

static void put_verdict(struct buf *b, const struct journal_event *v)
{
    trace__put(b, slice_eq(v->name, SLICE("accept")) ? ", checked" : ", judged ");
    if (!slice_eq(v->name, SLICE("accept")))
        trace__put_outside(b, v->name);
    if (v->text.n) {
        trace__put(b, " (");
        trace__put_outside(b, v->text);
        trace__put(b, ")");
    }
}

static void tell_end(struct buf *b, const struct trace__arrival *a, const struct journal_event *events,
                     size_t n)
{
    const struct journal_event *end = a->end;
    if (end && end->kind == JOURNAL_ACCEPTED) {
        trace__put(b, " It was accepted");
        if (a->verdict)
            put_verdict(b, a->verdict);
        tell_places(b, a, events, n);
        trace__put(b, " and is safe on disk.");
    } else if (end && end->kind == JOURNAL_ABANDONED) {
        trace__put(b, " The client left before the message was complete");
        trace__put(b, end->text.n ? ": " : "");
        trace__put_outside(b, end->text);
        trace__put(b, ". Nothing was kept.");
    } else if (end) {
        trace__put(b, " It was refused");
        if (a->verdict)
            put_verdict(b, a->verdict);
        trace__put(b, ": ");
        trace__put_reply(b, end);
        trace__put(b, ".");
    } else if (a->accepted > 0) {
        trace__put(b, " How that ended is not recorded yet");
        tell_places(b, a, events, n);
        trace__put(b, ".");
    }
    for (size_t k = 0; k < n && a->failed; k++) {
        if (events[k].kind != JOURNAL_DELIVERY_FAILED || events[k].at > a->until)
            continue;
        trace__put(b, " The account ");
        trace__put_outside(b, events[k].address);
        trace__put(b, " could not take it: ");
        trace__put_reply(b, &events[k]);
        trace__put(b, ".");
    }
}

void trace__tell_arrival(struct buf *b, const struct trace__arrival *a, const struct journal_event *events,
                         size_t n)
{
    uint64_t bytes = a->received ? a->received->number : a->from->number;
    trace__put_outside(b, a->from->peer.n ? a->from->peer : SLICE("A client"));
    trace__put(b, " connected");
    trace__put_over_tls(b, a->from->name);
    trace__put(b, slice_starts(a->from->text, SLICE("submission")) && a->from->kind == JOURNAL_MAIL_FROM
                      ? " and submitted"
                      : " and offered");
    if (a->from->address.n) {
        trace__put(b, " a message from ");
        trace__put_address(b, a->from->address);
    } else {
        trace__put(b, " a message without sender (a notice)");
    }
    tell_recipients(b, a, events, n);
    if (bytes) {
        trace__put(b, " (");
        trace__put_size(b, bytes);
        trace__put(b, ")");
    }
    trace__put(b, ".");
    tell_refusals(b, a, events, n);
    tell_end(b, a, events, n);
}
