#include "core/dmarc/dmarc_record.h"
#include "proc/reporter/tell__.h"
#include "text/date.h"

#include <stdio.h>

static struct buf *row_begin(struct tell *t, const char *kind)
{
    buf_print(&t->json, "{\"kind\":\"%s\"", kind);
    return &t->json;
}

static void row_end(struct tell *t)
{
    buf_byte(&t->json, '}');
    if (buf_failed(&t->json) || t->n_rows + 1 >= TELL_ROWS)
        buf_truncate(&t->json, t->at[t->n_rows]); /* what does not fit is left out */
    else
        t->at[++t->n_rows] = (uint32_t)t->json.n;
}

static void put_text(struct buf *b, const char *name, slice value)
{
    buf_print(b, ",\"%s\":", name);
    journal_event_json(b, value);
}

static void put_number(struct buf *b, const char *name, uint64_t value)
{
    buf_print(b, ",\"%s\":%llu", name, (unsigned long long)value);
}

/* RFC 3339; 0: left out. */
static void put_time(struct buf *b, const char *name, time_ms at)
{
    if (at <= 0)
        return;
    buf_print(b, ",\"%s\":\"", name);
    IGNORE_RESULT(date_print_iso(at, b), "the buffer notes it");
    buf_str(b, "\"");
}

/* s: sums of it, or of a group it stands for. */
static void put_source(struct buf *b, const struct report_source *top, const struct report_source *s)
{
    char ip[IP_TEXT];
    ip_print(&top->ip, ip);
    put_text(b, "source", ip_is_none(&top->ip) ? SLICE("") : slice_str(ip));
    put_text(b, "name", top->name);
    put_text(b, "class", slice_str(report_class_word(report_class_of(top))));
    put_number(b, "messages", s->messages);
    put_number(b, "believed", s->believed);
    put_number(b, "dkim_passed", s->dkim_passed);
    put_number(b, "spf_passed", s->spf_passed);
    put_number(b, "refused", s->refused);
    put_number(b, "quarantined", s->quarantined);
    put_text(b, "other_domain", top->other);
}

static void put_group(struct buf *b, const struct report_group *g)
{
    put_source(b, g->top, &g->sum);
    put_number(b, "sources", g->n);
    put_text(b, "in_the_name_of", g->sum.as);
    put_text(b, "reported_by", g->sum.org);
    put_time(b, "failed_from", g->sum.first);
    put_time(b, "failed_until", g->sum.last);
}

static void put_total(struct buf *b, const struct report_summary *s)
{
    put_number(b, "days", s->days);
    put_number(b, "organisations", s->n_orgs);
    put_number(b, "messages", s->sources->messages);
    put_number(b, "believed", s->sources->believed);
    put_number(b, "counted_once", s->sources->twice);
    put_text(b, "cut", s->cut ? SLICE("yes") : SLICE("no"));
}

static void put_tls(struct buf *b, const struct report_words_tls *t)
{
    put_text(b, "organisation", t->org);
    put_text(b, "result", t->result);
    put_text(b, "receiving_mx", t->mx);
    put_text(b, "reason", t->reason);
    put_number(b, "sessions", t->result.n ? t->count : t->good + t->failed);
    put_number(b, "failed", t->result.n ? t->count : t->failed);
}

static void put_failure(struct buf *b, const struct report_words_failure *f)
{
    char ip[IP_TEXT];
    ip_print(&f->source, ip);
    put_text(b, "source", ip_is_none(&f->source) ? SLICE("") : slice_str(ip));
    put_text(b, "failure", f->failure);
    put_text(b, "in_the_name_of", f->header_from);
    put_number(b, "messages", f->incidents);
}

void tell__line(void *arg, const struct report_line *line)
{
    struct tell *t = arg;
    struct buf *b = row_begin(t, line->kind);
    bool is_advice = slice_eq(slice_str(line->kind), SLICE("advice"));
    put_text(b, "text", line->text);
    put_text(b, "fix", line->fix);
    if (line->group)
        put_group(b, line->group);
    if (line->sum && !is_advice)
        put_total(b, line->sum);
    if (line->sum && is_advice) {
        put_text(b, "policy", dmarc_policy_word((enum dmarc_policy)line->sum->policy));
        put_number(b, "reported_days", line->sum->watched_days);
    }
    if (line->tls)
        put_tls(b, line->tls);
    if (line->failure)
        put_failure(b, line->failure);
    row_end(t);
}

/* What we told others of their mail to this domain. */
void tell__sent(struct tell *t)
{
    char text[256];
    struct buf *b;
    if (t->sent == 0)
        return;
    (void)snprintf(text, sizeof text,
                   "This server sent %llu report%s on %llu message%s that came to the domain.",
                   (unsigned long long)t->sent, t->sent == 1 ? "" : "s", (unsigned long long)t->sent_messages,
                   t->sent_messages == 1 ? "" : "s");
    b = row_begin(t, "sent");
    put_text(b, "text", slice_str(text));
    put_number(b, "reports", t->sent);
    put_number(b, "messages", t->sent_messages);
    row_end(t);
}

void tell__tables(struct tell *t)
{
    static const char *const kinds[] = {"aggregate", "failure", "tls"};
    for (size_t i = 0; i < t->n_orgs; i++) {
        struct buf *b = row_begin(t, "reporter");
        put_text(b, "organisation", t->orgs[i].org);
        put_text(b, "reports_of", slice_str(kinds[t->orgs[i].kind]));
        put_number(b, "reports", t->orgs[i].reports);
        put_number(b, "messages", t->orgs[i].messages);
        put_text(b, "proven", t->orgs[i].proven ? SLICE("yes") : SLICE("no"));
        put_time(b, "begin", t->orgs[i].begin);
        put_time(b, "end", t->orgs[i].end);
        row_end(t);
    }
    for (size_t i = 0; i < size_min(t->sources.n, TELL_SOURCES); i++) {
        put_source(row_begin(t, "row"), &t->sources.at[i], &t->sources.at[i]);
        row_end(t);
    }
}
