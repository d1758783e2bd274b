/* One event, one sentence: a template in which %a is the address in brackets, %A the bare address, %p the
 * peer, %n the name, %t the text, %r code and text, %N the number, %c the code, %s " over TLS facts", %w when
 * the number is a time, %i when it is a mail id, %z when it is a size, %u " (UID n)". What stands in {c...}
 * is said only if that field is there. */
#include "base/mail_id.h"
#include "policy/trace__.h"

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
        trace__put_address(b, e->address);
        break;
    case 'A':
        trace__put_outside(b, e->address.n ? e->address : SLICE("somebody"));
        break;
    case 'p':
        trace__put_outside(b, e->peer.n ? e->peer : SLICE("a client"));
        break;
    case 'n':
        trace__put_outside(b, e->name);
        break;
    case 't':
        trace__put_outside(b, e->text);
        break;
    case 'r':
        trace__put_reply(b, e);
        break;
    case 's':
        trace__put_over_tls(b, e->name);
        break;
    case 'N':
        (void)buf_u64(b, e->number);
        break;
    case 'c':
        (void)buf_u64(b, e->code);
        break;
    case 'z':
        trace__put_size(b, e->number);
        break;
    case 'w':
        trace__put_when(b, (time_ms)(e->number % ((uint64_t)1 << 52)), e->at);
        break;
    case 'i':
        mail_id_print(e->number, id);
        trace__put(b, id);
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

void trace__tell_one(struct buf *b, const struct journal_event *e)
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
