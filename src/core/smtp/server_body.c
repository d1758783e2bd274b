/* DATA (RFC 5321 §4.1.1.4) and BDAT (RFC 3030 §2): message octets stream through, nothing of them is kept. */
#include "core/smtp/server__.h"

/* A message may overrun the limit by this factor and is still read to its end, so that the client hears 552
 * and not a broken connection; beyond, the session ends. */
#define OVERRUN 2

static bool over_limit(const struct smtp_server *s, uint64_t more, uint64_t times)
{
    uint64_t max = s->config.limits->message_bytes;
    max = max > UINT64_MAX / times ? UINT64_MAX : max * times;
    return s->txn.body_bytes > max || more > max - s->txn.body_bytes;
}

/* A message may start here: MAIL and at least one RCPT stand. False: refused already. */
static bool may_begin(struct smtp_server *s)
{
    if (!s->txn.active)
        SMTP__REFUSE(s, 503, "5.5.1", "MAIL and RCPT come first");
    else if (s->txn.rcpts_ok == 0)
        SMTP__REFUSE(s, 554, "5.5.1", "No recipient was accepted"); /* RFC 5321 §3.3 */
    else
        return true;
    return false;
}

static void end_bare(struct smtp_server *s)
{
    s->used = s->in.n;
    smtp__end(
        s, SMTP_REFUSED_BODY_NEWLINE, 550, "5.6.0",
        SLICE("The message has a CR or LF that is not part of a CRLF line end (RFC 5321 section 2.3.8). "
              "It was not accepted. Closing."));
}

static void give_bytes(struct smtp_server *s, slice bytes)
{
    s->active_at = s->now;
    s->txn.body_bytes += bytes.n;
    if (bytes.n && !s->txn.discarding)
        smtp__event(s, SMTP_EV_BODY_BYTES)->bytes = bytes;
}

static void ask_end(struct smtp_server *s)
{
    s->phase = SMTP_PHASE_COMMAND;
    smtp__ask(s, SMTP_ASK_BODY_END, SMTP_EV_BODY_END)->body_bytes = s->txn.body_bytes;
}

void smtp__body_end_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    smtp__txn_reset(s, false);
    if (a->code < 300) {
        s->errors = s->idle_commands = 0;
        smtp__reply(s, a->code, a->status, a->text);
    } else {
        smtp__refuse(s, a->code, a->status, a->text);
    }
}

/* DATA */

void smtp__data(struct smtp_server *s, slice args)
{
    if (args.n)
        SMTP__REFUSE(s, 501, "5.5.4", "DATA takes no words behind it");
    else if (s->txn.chunked)
        SMTP__REFUSE(s, 503, "5.5.1", "This message comes by BDAT"); /* RFC 3030 §2 */
    else if (may_begin(s))
        (void)smtp__ask(s, SMTP_ASK_DATA, SMTP_EV_BODY_BEGIN);
}

static bool begin_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    if (a->code >= 300) {
        smtp__txn_reset(s, false);
        smtp__refuse(s, a->code, a->status, a->text);
        return false;
    }
    s->txn.body_begun = true;
    s->txn.body_started = s->now;
    return true;
}

void smtp__data_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    if (!begin_answer(s, a))
        return;
    s->phase = SMTP_PHASE_DATA;
    smtp__reply(s, 354, NULL, SLICE("Send the message; a line with only a dot ends it"));
}

static void data_too_large(struct smtp_server *s)
{
    smtp__note_refusal(s, SMTP_REFUSED_TOO_LARGE, 552);
    (void)smtp__event(s, SMTP_EV_RESET); /* the shell drops what it has; we read on to the end */
    s->txn.discarding = true;
}

static void say_too_large(struct smtp_server *s)
{
    SMTP__REFUSE(s, 552, "5.3.4", "The message is larger than allowed; EHLO tells the limit");
}

bool smtp__data_advance(struct smtp_server *s, slice in)
{
    size_t used;
    slice bytes;
    if (in.n == 0)
        return false;
    switch (smtp_scan_data(&s->txn.scan, in, &used, &bytes)) {
    case SMTP_SCAN_BARE:
        end_bare(s);
        return true;
    case SMTP_SCAN_END:
        s->used += used;
        if (s->txn.discarding) {
            smtp__txn_reset(s, true);
            say_too_large(s);
        } else {
            ask_end(s);
        }
        return true;
    case SMTP_SCAN_MORE:
    case SMTP_SCAN_BYTES:
        break;
    }
    s->used += used;
    if (!s->txn.discarding && over_limit(s, bytes.n, 1))
        data_too_large(s);
    if (over_limit(s, bytes.n, OVERRUN)) {
        smtp__txn_reset(s, true);
        say_too_large(s);
        s->closing = true;
        return true;
    }
    give_bytes(s, bytes);
    return true;
}

/* BDAT */

/* RFC 3030 §2: bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CRLF */
static bool bdat_parse(slice args, uint64_t *out_size, bool *out_last)
{
    slice size, marker;
    bool has_marker = slice_split(args, ' ', &size, &marker);
    if (has_marker && !slice_eq_nocase(slice_trim(marker), SLICE("LAST")))
        return false;
    *out_last = has_marker;
    return slice_u64(size, out_size);
}

/* Octets of a chunk that was refused before they came: they are thrown away unread, so that they are never
 * taken for commands. The reply is said already. */
static void discard_chunk(struct smtp_server *s, uint64_t size)
{
    if (size / OVERRUN > s->config.limits->message_bytes) {
        s->closing = true; /* nobody waits for that much */
        return;
    }
    s->chunk_left = size;
    s->chunk_discard = true;
    s->phase = SMTP_PHASE_CHUNK;
}

static void begin_chunk(struct smtp_server *s)
{
    s->txn.chunked = true;
    s->phase = SMTP_PHASE_CHUNK;
}

void smtp__bdat(struct smtp_server *s, slice args)
{
    uint64_t size;
    bool last;
    if (!bdat_parse(args, &size, &last)) {
        /* How many octets follow is not known; whatever they are, they find no transaction. */
        smtp__txn_reset(s, true);
        SMTP__REFUSE(s, 501, "5.5.4", "Write BDAT size, or BDAT size LAST");
    } else if (!may_begin(s)) {
        discard_chunk(s, size);
    } else if (over_limit(s, size, 1)) {
        smtp__note_refusal(s, SMTP_REFUSED_TOO_LARGE, 552);
        smtp__txn_reset(s, true);
        say_too_large(s);
        discard_chunk(s, size);
    } else {
        s->chunk_left = size;
        s->chunk_last = last;
        s->chunk_discard = false;
        if (size == 0 && !last)
            smtp__count_idle(s);
        if (s->txn.body_begun)
            begin_chunk(s);
        else
            (void)smtp__ask(s, SMTP_ASK_BDAT, SMTP_EV_BODY_BEGIN);
    }
}

void smtp__bdat_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    uint64_t size = s->chunk_left;
    if (begin_answer(s, a))
        begin_chunk(s);
    else
        discard_chunk(s, size);
}

static void chunk_end(struct smtp_server *s)
{
    s->phase = SMTP_PHASE_COMMAND;
    s->active_at = s->now;
    if (s->chunk_discard) {
        s->chunk_discard = false;
    } else if (!s->chunk_last) {
        SMTP__SAY(s, 250, "2.0.0", "Chunk received");
    } else if (smtp_scan_torn(&s->txn.scan)) {
        end_bare(s);
    } else {
        ask_end(s);
    }
}

bool smtp__chunk_advance(struct smtp_server *s, slice in)
{
    size_t used;
    slice bytes;
    in = s->chunk_left < in.n ? slice_sub(in, 0, (size_t)s->chunk_left) : in;
    if (s->chunk_left == 0) {
        /* The last line of the message is completed where the client left that to us: everybody behind us
         * may rely on whole lines. */
        if (!s->chunk_discard && s->chunk_last && !smtp_scan_at_line_start(&s->txn.scan) &&
            !smtp_scan_torn(&s->txn.scan)) {
            s->txn.scan = (struct smtp_body_scan){0};
            give_bytes(s, SLICE("\r\n"));
            return true;
        }
        chunk_end(s);
        return true;
    }
    if (in.n == 0)
        return false;
    if (s->chunk_discard) {
        s->active_at = s->now;
        s->used += in.n;
        s->chunk_left -= in.n;
        return true;
    }
    if (smtp_scan_chunk(&s->txn.scan, in, &used, &bytes) == SMTP_SCAN_BARE) {
        end_bare(s);
        return true;
    }
    s->used += used;
    s->chunk_left -= used;
    give_bytes(s, bytes);
    return true;
}
