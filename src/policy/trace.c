/* The arrival of a message (connection, envelope, verdict, deliveries, reply) is told as one paragraph,
 * whatever the order in which the roles' events came in; every later event is a line of its own, from the
 * table `tellers`. */
#include "policy/trace.h"
#include "base/mail_id.h"

#include <stdlib.h>

#define LINE_MAX_BYTES 262144 /* every text of NAMES_MAX events escaped at its longest fits */
#define NAMES_MAX      8      /* recipients and folders named in one sentence; the rest is counted */

static int compare(const void *a, const void *b)
{
    const struct journal_event *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

void trace_sort(struct journal_event *events, size_t n)
{
    if (n > 1)
        qsort(events, n, sizeof *events, compare);
}

/* --- pieces of sentences; the buffer's failed mark is asked once, at the end of each line --- */

static void put(struct buf *b, const char *text)
{
    (void)buf_str(b, text);
}

static void put_outside(struct buf *b, slice s)
{
    journal_event_escape(b, s, JOURNAL_TEXT_MAX);
}

static void put_address(struct buf *b, slice address)
{
    put(b, "<");
    put_outside(b, address);
    put(b, ">");
}

/* "550 5.1.1 no such user", whether or not the text already begins with its code. */
static void put_reply(struct buf *b, const struct journal_event *e)
{
    char code[16];
    struct buf head = {.max = sizeof code};
    (void)buf_u64(&head, e->code);
    if (e->code && !slice_starts(e->text, buf_view(&head))) {
        (void)buf_append(b, buf_view(&head));
        put(b, e->text.n ? " " : "");
    }
    buf_done(&head);
    put_outside(b, e->text);
    if (!e->code && !e->text.n)
        put(b, "no reason is recorded");
}

static void put_over_tls(struct buf *b, slice facts)
{
    if (facts.n == 0)
        return;
    put(b, " over ");
    if (slice_starts(facts, SLICE("TLSv"))) { /* OpenSSL's spelling */
        put(b, "TLS ");
        facts = slice_from(facts, 4);
    }
    put_outside(b, facts);
}

static void put_size(struct buf *b, uint64_t bytes)
{
    if (bytes < 1024)
        (void)buf_print(b, "%llu bytes", (unsigned long long)bytes);
    else if (bytes < 1024 * 1024)
        (void)buf_print(b, "%llu KB", (unsigned long long)((bytes + 512) / 1024));
    else
        (void)buf_print(b, "%llu.%llu MB", (unsigned long long)(bytes >> 20),
                        (unsigned long long)((bytes & 0xFFFFF) * 10 >> 20));
}

/* Days since 1970 as a date of the Gregorian calendar. */
static void put_date(struct buf *b, int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t d = doy - (153 * mp + 2) / 5 + 1, m = mp < 10 ? mp + 3 : mp - 9;
    (void)buf_print(b, "%04lld-%02lld-%02lld", (long long)(yoe + era * 400 + (m <= 2)), (long long)m,
                    (long long)d);
}

static void put_clock(struct buf *b, time_ms at)
{
    time_ms s = at % MS_DAY / MS_SECOND;
    (void)buf_print(b, "%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}

static void put_when(struct buf *b, time_ms at, time_ms beside)
{
    if (at / MS_DAY != beside / MS_DAY) {
        put_date(b, at / MS_DAY);
        put(b, " ");
    }
    put_clock(b, at);
}

/* ", " or " and " between the i-th and the next of n things. */
static void put_joint(struct buf *b, size_t i, size_t n)
{
    size_t shown = size_min(n, NAMES_MAX);
    if (i == 0)
        return;
    put(b, i + 1 == shown && n == shown ? " and " : ", ");
}

static void put_more(struct buf *b, size_t n)
{
    if (n > NAMES_MAX)
        (void)buf_print(b, " and %zu more", n - NAMES_MAX);
}

/* --- the arrival --- */

static bool is_arrival(const struct journal_event *e)
{
    return e->kind >= JOURNAL_MAIL_FROM && e->kind <= JOURNAL_ABANDONED;
}

/* What the first look over the events finds. */
struct arrival {
    const struct journal_event *from, *received, *verdict, *end, *message_id;
    size_t accepted, refused, filed, failed, queued;
    time_ms until; /* deliveries and queueing up to here belong to the arrival */
    slice only_recipient;
};

static struct arrival arrival_of(const struct journal_event *events, size_t n)
{
    struct arrival a = {0};
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

/* Does the arrival's paragraph tell this event? */
static bool in_arrival(const struct arrival *a, const struct journal_event *e)
{
    if (!a->from)
        return false;
    return is_arrival(e) ||
           (e->at <= a->until && (e->kind == JOURNAL_DELIVERED || e->kind == JOURNAL_QUEUED ||
                                  e->kind == JOURNAL_DELIVERY_FAILED));
}

static void tell_recipients(struct buf *b, const struct arrival *a, const struct journal_event *events,
                            size_t n)
{
    size_t all = a->accepted + a->refused, i = 0;
    if (all == 0)
        return;
    put(b, " to ");
    for (size_t k = 0; k < n && i < NAMES_MAX; k++) {
        if (events[k].kind != JOURNAL_RCPT_OK && events[k].kind != JOURNAL_RCPT_REFUSED)
            continue;
        put_joint(b, i++, all);
        put_address(b, events[k].address);
        if (events[k].kind == JOURNAL_RCPT_OK && events[k].name.n &&
            !slice_eq(events[k].name, events[k].address)) {
            put(b, " (which is ");
            put_outside(b, events[k].name);
            put(b, ")");
        }
    }
    put_more(b, all);
}

static void tell_refusals(struct buf *b, const struct arrival *a, const struct journal_event *events,
                          size_t n)
{
    size_t i = 0;
    for (size_t k = 0; k < n && i < NAMES_MAX; k++) {
        if (events[k].kind != JOURNAL_RCPT_REFUSED)
            continue;
        i++;
        put(b, " It was refused for ");
        put_address(b, events[k].address);
        put(b, ": ");
        put_reply(b, &events[k]);
        put(b, ".");
    }
    if (a->refused > i)
        (void)buf_print(b, " It was refused for %zu more.", a->refused - i);
}

static void put_folder(struct buf *b, const struct journal_event *e, slice known_account)
{
    put_outside(b, e->name.n ? e->name : SLICE("INBOX"));
    if (e->address.n && !slice_eq(e->address, known_account)) {
        put(b, " of ");
        put_outside(b, e->address);
    }
    if (e->number)
        (void)buf_print(b, " as UID %llu", (unsigned long long)e->number);
}

static void tell_places(struct buf *b, const struct arrival *a, const struct journal_event *events, size_t n)
{
    size_t i = 0;
    for (size_t k = 0; k < n && i < NAMES_MAX && a->filed; k++) {
        if (events[k].kind != JOURNAL_DELIVERED || events[k].at > a->until)
            continue;
        put(b, i == 0 ? ", filed into " : "");
        put_joint(b, i++, a->filed);
        put_folder(b, &events[k], a->only_recipient);
    }
    put_more(b, a->filed);
    i = 0;
    for (size_t k = 0; k < n && i < NAMES_MAX && a->queued; k++) {
        if (events[k].kind != JOURNAL_QUEUED || events[k].at > a->until)
            continue;
        put(b, i == 0 ? ", put into the queue for " : "");
        put_joint(b, i++, a->queued);
        put_address(b, events[k].address);
        if (events[k].text.n) {
            put(b, " (");
            put_outside(b, events[k].text);
            put(b, ")");
        }
    }
    put_more(b, a->queued);
}

static void put_verdict(struct buf *b, const struct journal_event *v)
{
    put(b, slice_eq(v->name, SLICE("accept")) ? ", checked" : ", judged ");
    if (!slice_eq(v->name, SLICE("accept")))
        put_outside(b, v->name);
    if (v->text.n) {
        put(b, " (");
        put_outside(b, v->text);
        put(b, ")");
    }
}

static void tell_end(struct buf *b, const struct arrival *a, const struct journal_event *events, size_t n)
{
    const struct journal_event *end = a->end;
    if (end && end->kind == JOURNAL_ACCEPTED) {
        put(b, " It was accepted");
        if (a->verdict)
            put_verdict(b, a->verdict);
        tell_places(b, a, events, n);
        put(b, " and is safe on disk.");
    } else if (end && end->kind == JOURNAL_ABANDONED) {
        put(b, " The client left before the message was complete");
        put(b, end->text.n ? ": " : "");
        put_outside(b, end->text);
        put(b, ". Nothing was kept.");
    } else if (end) {
        put(b, " It was refused");
        if (a->verdict)
            put_verdict(b, a->verdict);
        put(b, ": ");
        put_reply(b, end);
        put(b, ".");
    } else if (a->accepted > 0) {
        put(b, " How that ended is not recorded yet");
        tell_places(b, a, events, n);
        put(b, ".");
    }
    for (size_t k = 0; k < n && a->failed; k++) {
        if (events[k].kind != JOURNAL_DELIVERY_FAILED || events[k].at > a->until)
            continue;
        put(b, " The account ");
        put_outside(b, events[k].address);
        put(b, " could not take it: ");
        put_reply(b, &events[k]);
        put(b, ".");
    }
}

static void tell_arrival(struct buf *b, const struct arrival *a, const struct journal_event *events, size_t n)
{
    uint64_t bytes = a->received ? a->received->number : a->from->number;
    put_outside(b, a->from->peer.n ? a->from->peer : SLICE("A client"));
    put(b, " connected");
    put_over_tls(b, a->from->name);
    put(b, slice_starts(a->from->text, SLICE("submission")) && a->from->kind == JOURNAL_MAIL_FROM
               ? " and submitted"
               : " and offered");
    if (a->from->address.n) {
        put(b, " a message from ");
        put_address(b, a->from->address);
    } else {
        put(b, " a message without sender (a notice)");
    }
    tell_recipients(b, a, events, n);
    if (bytes) {
        put(b, " (");
        put_size(b, bytes);
        put(b, ")");
    }
    put(b, ".");
    tell_refusals(b, a, events, n);
    tell_end(b, a, events, n);
}

/* --- one event, one sentence: a template in which %a is the address in brackets, %A the bare address, %p the
 * peer, %n the name, %t the text, %r code and text, %N the number, %c the code, %s " over TLS facts", %w when
 * the number is a time, %i when it is a mail id, %z when it is a size, %u " (UID n)". What stands in {c...}
 * is said only if that field is there. --- */

static const struct {
    enum journal_kind kind;
    const char *words;
} tellers[] = {
    {JOURNAL_CONN_OPENED, "%p connected{n to %n}{t (%t)}."},
    {JOURNAL_CONN_REFUSED, "A connection of %p{n to %n} was refused: %r."},
    {JOURNAL_CONN_CLOSED, "The connection of %p{n to %n} ended{t: %t}."},
    {JOURNAL_TLS_FAILED, "TLS with %p{n on %n} failed{t: %t}."},
    {JOURNAL_PROTOCOL_ABUSE, "%p broke the protocol{n on %n}{t: %t}. The connection was closed."},
    {JOURNAL_LOGIN_OK, "%A logged in{p from %p}{n by %n}{t (%t)}."},
    {JOURNAL_LOGIN_FAILED, "A login{a of %A}{p from %p}{n by %n} failed{t: %t}."},
    {JOURNAL_MAIL_FROM, "%p offered a message from %a."},
    {JOURNAL_MAIL_REFUSED, "%p offered a message from %a, which was refused: %r."},
    {JOURNAL_RCPT_OK, "The recipient %a was accepted{n as %n}{t (%t)}."},
    {JOURNAL_RCPT_REFUSED, "The recipient %a was refused: %r."},
    {JOURNAL_MESSAGE_ID, "The Message-ID is %n."},
    {JOURNAL_MESSAGE_RECEIVED, "The message was received (%z)."},
    {JOURNAL_MESSAGE_REFUSED, "The message was refused: %r."},
    {JOURNAL_VERDICT, "The verdict is %n{t (%t)}."},
    {JOURNAL_ACCEPTED, "The message was accepted and is safe on disk."},
    {JOURNAL_ABANDONED, "The client left before the message was complete{t: %t}."},
    {JOURNAL_DELIVERED, "It was filed into %n of %A%u."},
    {JOURNAL_DELIVERY_FAILED, "The account %A could not take it: %r."},
    {JOURNAL_FLAGS_CHANGED, "%A changed flags{t (%t)} in %n%u{p from %p}."},
    {JOURNAL_MOVED, "%A moved it from %n to %t%u{p from %p}."},
    {JOURNAL_COPIED, "%A copied it from %n to %t%u{p from %p}."},
    {JOURNAL_EXPUNGED, "%A deleted it from %n%u{p from %p}."},
    {JOURNAL_APPENDED, "%A put it into %n%u{p from %p}."},
    {JOURNAL_MAILBOX_CREATED, "%A made the mailbox %n."},
    {JOURNAL_MAILBOX_RENAMED, "%A renamed the mailbox %n to %t."},
    {JOURNAL_MAILBOX_DELETED, "%A deleted the mailbox %n with %N messages."},
    {JOURNAL_QUEUED, "It was put into the queue for %a{t (%t)}."},
    {JOURNAL_ATTEMPT_FAILED, "%p%s could not take it{a for %a}: %r."},
    {JOURNAL_RELAYED, "%p took it for %a%s and answered: %r."},
    {JOURNAL_DEFERRED, "It could not be passed on to %a{p by %p%s}: %r.{N The next attempt is at %w.}"},
    {JOURNAL_BOUNCED, "It was given up for %a{p after %p%s}: %r."},
    {JOURNAL_DSN_SENT, "A notice{n (%n)} about it went to %a{N as mail %i}."},
    {JOURNAL_HELD, "It is held in the queue for %a{p by %p}{t: %t}."},
    {JOURNAL_RELEASED, "It was released for %a{p by %p}."},
    {JOURNAL_DROPPED, "It was dropped from the queue for %a{p by %p}{t: %t}."},
    {JOURNAL_RETRY_ASKED, "Another attempt was asked for %a{p by %p}."},
    {JOURNAL_REPORT_SENT, "A DMARC %t report{N on %N messages} in the name of %n was written to %a."},
    {JOURNAL_REPORT_WITHHELD, "No DMARC report on %n went to %a: %t."},
    {JOURNAL_SERVER_READY, "The server is ready{N after %N ms}."},
    {JOURNAL_SERVER_STOPPING, "The server stops{t: %t}."},
    {JOURNAL_ROLE_STARTED, "The process %n started{N (%N)}{c; it had to be started %c times before}."},
    {JOURNAL_ROLE_DIED, "The process %n{N (%N)} died{t: %t}. It is started again."},
    {JOURNAL_EVENTS_DROPPED, "%n told more than the journal could take: %N events are missing here."},
    {JOURNAL_ACCOUNT_CHANGED, "%A: %n{t (%t)}."},
    {JOURNAL_TROUBLE, "Trouble with %n{t: %t}."},
};

/* Is the field that a letter of the template names there? */
static bool has_field(const struct journal_event *e, char letter)
{
    switch (letter) {
    case 'a':
        return e->address.n > 0;
    case 'p':
        return e->peer.n > 0;
    case 'n':
        return e->name.n > 0;
    case 't':
        return e->text.n > 0;
    case 'N':
        return e->number > 0;
    default:
        return e->code > 0;
    }
}

static void put_field(struct buf *b, const struct journal_event *e, char letter)
{
    char id[MAIL_ID_TEXT + 1];
    switch (letter) {
    case 'a':
        put_address(b, e->address);
        break;
    case 'A':
        put_outside(b, e->address.n ? e->address : SLICE("somebody"));
        break;
    case 'p':
        put_outside(b, e->peer.n ? e->peer : SLICE("a client"));
        break;
    case 'n':
        put_outside(b, e->name);
        break;
    case 't':
        put_outside(b, e->text);
        break;
    case 'r':
        put_reply(b, e);
        break;
    case 's':
        put_over_tls(b, e->name);
        break;
    case 'N':
        (void)buf_u64(b, e->number);
        break;
    case 'c':
        (void)buf_u64(b, e->code);
        break;
    case 'z':
        put_size(b, e->number);
        break;
    case 'w':
        put_when(b, (time_ms)(e->number % ((uint64_t)1 << 52)), e->at);
        break;
    case 'i':
        mail_id_print(e->number, id);
        put(b, id);
        break;
    case 'u':
        if (e->number)
            (void)buf_print(b, e->mail || e->code ? " (UID %llu)" : " (%llu messages)",
                            (unsigned long long)e->number);
        break;
    default:
        must(letter == '?'); /* the table holds no other letter */
    }
}

static void tell_one(struct buf *b, const struct journal_event *e)
{
    const char *w = NULL;
    bool said = true;
    for (size_t i = 0; i < ARRAY_LEN(tellers); i++)
        if (tellers[i].kind == e->kind)
            w = tellers[i].words;
    must(w);
    for (; *w; w++) {
        if (*w == '{') {
            said = has_field(e, *++w);
        } else if (*w == '}') {
            said = true;
        } else if (!said) {
            continue;
        } else if (*w == '%') {
            put_field(b, e, *++w);
        } else {
            (void)buf_byte(b, (uint8_t)*w);
        }
    }
}

/* --- lines --- */

/* Walks the lines of a story: *at = 0 before the first. Appends the sentences of the next line and gives the
 * time it stands at. False when there are no more. */
static bool next_line(struct buf *b, const struct arrival *a, const struct journal_event *events, size_t n,
                      size_t *at, bool *arrived, time_ms *out_time)
{
    while (*at < n) {
        const struct journal_event *e = &events[(*at)++];
        if (!in_arrival(a, e)) {
            *out_time = e->at;
            tell_one(b, e);
            return true;
        }
        if (!*arrived) {
            *arrived = true;
            *out_time = e->at;
            tell_arrival(b, a, events, n);
            return true;
        }
    }
    return false;
}

static void put_heading(struct buf *b, uint64_t mail, const struct arrival *a)
{
    char id[MAIL_ID_TEXT + 1];
    mail_id_print(mail, id);
    (void)buf_print(b, "Mail %s", id);
    if (a->message_id) {
        put(b, ", Message-ID ");
        put_outside(b, a->message_id->name);
    }
    put(b, " (times in UTC)\n");
}

enum err trace_text(struct buf *out, const struct journal_event *events, size_t n)
{
    struct arrival a = arrival_of(events, n);
    CLEANUP(buf_done) struct buf line = {.max = LINE_MAX_BYTES};
    bool arrived = false;
    time_ms when = 0, before = -MS_DAY;
    size_t at = 0;

    if (n == 0)
        return OK;
    if (events[0].mail) {
        put_heading(&line, events[0].mail, &a);
        if (buf_append(out, buf_view(&line)))
            return ERR_LIMIT;
        buf_clear(&line);
    }
    while (next_line(&line, &a, events, n, &at, &arrived, &when)) {
        CLEANUP(buf_done) struct buf head = {.max = 64};
        size_t start = out->n;
        put_when(&head, when, before);
        put(&head, " ");
        put(&line, "\n");
        if (buf_append(out, buf_view(&head)) || buf_append(out, buf_view(&line))) {
            buf_truncate(out, start);
            return ERR_LIMIT;
        }
        before = when;
        buf_clear(&line);
    }
    return OK;
}

/* --- JSON --- */

static void json_time(struct buf *b, time_ms at)
{
    put(b, "\"");
    put_date(b, at / MS_DAY);
    put(b, "T");
    put_clock(b, at);
    (void)buf_print(b, ".%03dZ\"", (int)(at % 1000));
}

static void json_id(struct buf *b, uint64_t mail)
{
    char id[MAIL_ID_TEXT + 1];
    if (mail == 0) {
        put(b, "null");
        return;
    }
    mail_id_print(mail, id);
    (void)buf_print(b, "\"%s\"", id);
}

static void json_event(struct buf *b, const struct journal_event *e)
{
    const struct {
        const char *name;
        slice value;
    } texts[] = {{"address", e->address}, {"peer", e->peer}, {"name", e->name}, {"text", e->text}};

    put(b, "{\"at\": ");
    json_time(b, e->at);
    (void)buf_print(b, ", \"kind\": \"%s\", \"role\": \"%s\"", journal_kind_name((unsigned)e->kind),
                    journal_role_name((unsigned)e->role));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i].value.n == 0)
            continue;
        (void)buf_print(b, ", \"%s\": ", texts[i].name);
        journal_event_json(b, texts[i].value);
    }
    if (e->connection)
        (void)buf_print(b, ", \"connection\": \"%llu\"", (unsigned long long)e->connection);
    if (e->number)
        (void)buf_print(b, ", \"number\": %llu", (unsigned long long)e->number);
    if (e->code)
        (void)buf_print(b, ", \"code\": %u", e->code);
    put(b, "}");
}

enum err trace_json(struct buf *out, const struct journal_event *events, size_t n)
{
    struct arrival a = arrival_of(events, n);
    CLEANUP(buf_done) struct buf line = {.max = LINE_MAX_BYTES};
    bool arrived = false, first = true;
    size_t at = 0, start = out->n;
    time_ms when = 0;

    put(out, "{\"mail\": ");
    json_id(out, n ? events[0].mail : 0);
    put(out, ", \"story\": [");
    for (;; first = false) {
        CLEANUP(buf_done) struct buf whole = {.max = LINE_MAX_BYTES + 64};
        buf_clear(&line);
        if (!next_line(&line, &a, events, n, &at, &arrived, &when))
            break;
        put_when(&whole, when, -MS_DAY);
        put(&whole, " ");
        (void)buf_append(&whole, buf_view(&line));
        put(out, first ? "" : ", ");
        journal_event_json(out, buf_view(&whole));
    }
    put(out, "], \"events\": [");
    for (size_t i = 0; i < n; i++) {
        put(out, i ? ", " : "");
        json_event(out, &events[i]);
    }
    put(out, "]}");
    if (buf_failed(out)) {
        buf_truncate(out, start);
        return ERR_LIMIT;
    }
    return OK;
}
