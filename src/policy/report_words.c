#include "policy/report_words__.h"

#define TEXT_MAX      2048
#define SAFE_DAYS     14 /* of reports before a stricter policy is advised */
#define FEW_PER_MILLE 1  /* failing mail of ours that does not stand in the way */

/* ---- saying. Buffers have room for what is bounded; a sentence that does not fit is cut. */

/* 12,310 */
void report__number(struct buf *b, uint64_t n)
{
    char digits[32];
    size_t at = sizeof digits, count = 0;
    do {
        if (count && count % 3 == 0)
            digits[--at] = ',';
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
        count++;
    } while (n);
    buf_append(b, slice_of(digits + at, sizeof digits - at));
}

void report__messages(struct buf *b, uint64_t n)
{
    report__number(b, n);
    buf_str(b, n == 1 ? " message" : " messages");
}

void report__counted(struct buf *b, uint64_t n, const char *one, const char *many)
{
    report__number(b, n);
    buf_print(b, " %s", n == 1 ? one : many);
}

/* "98.2 %", never "100.0 %" when something failed, never "0.0 %" when something passed. */
static void percent(struct buf *b, uint64_t part, uint64_t whole)
{
    uint64_t mille = whole ? (uint64_t)((double)part * 1000.0 / (double)whole) : 1000;
    if (part < whole && mille > 999)
        mille = 999;
    if (part > 0 && mille == 0)
        mille = 1;
    buf_print(b, "%llu.%llu %%", (unsigned long long)(mille / 10), (unsigned long long)(mille % 10));
}

/* What was written, as a line like this one. */
void report__say_line(struct report__writer *w, struct report_line line)
{
    line.text = buf_view(&w->text);
    line.fix = buf_view(&w->fix);
    w->fn(w->arg, &line);
    buf_clear(&w->text);
    buf_clear(&w->fix);
}

void report__say(struct report__writer *w, const char *kind, enum report_class class,
                 const struct report_group *group)
{
    report__say_line(w, (struct report_line){.kind = kind, .class = class, .group = group});
}

static void since_when(struct report__writer *w)
{
    if (w->s->days == 1)
        buf_str(&w->text, "In the last day");
    else
        buf_print(&w->text, "In the last %u days", w->s->days);
}

static void nobody(struct report__writer *w)
{
    const struct report_summary *s = w->s;
    since_when(w);
    buf_print(&w->text, " nobody reported on mail in the name of %.*s.", SLICE_FMT(s->domain));
    buf_print(&w->fix,
              "The first reports come one to two days after the DMARC record asks for them, and only from "
              "receivers that got mail of yours. posthorn dns %.*s shows the record, posthorn doctor whether "
              "it is there; then wait.",
              SLICE_FMT(s->domain));
    report__say_line(w, (struct report_line){.kind = "total", .sum = s});
}

static void totals(struct report__writer *w)
{
    const struct report_summary *s = w->s;
    const struct report_sources *all = s->sources;
    if (s->n_orgs == 0) {
        nobody(w);
        return;
    }
    since_when(w);
    buf_byte(&w->text, ' ');
    report__counted(&w->text, s->n_orgs, "organisation", "organisations");
    buf_str(&w->text, " reported ");
    report__messages(&w->text, all->messages);
    buf_print(&w->text, " in the name of %.*s", SLICE_FMT(s->domain));
    if (all->messages == 0) {
        buf_str(&w->text, ".");
    } else if (all->believed == all->messages) {
        buf_str(&w->text, "; all of them were believed.");
    } else {
        buf_str(&w->text, "; ");
        percent(&w->text, all->believed, all->messages);
        buf_str(&w->text, " were believed.");
    }
    if (all->twice) {
        buf_byte(&w->text, ' ');
        report__messages(&w->text, all->twice);
        buf_str(&w->text, all->twice == 1 ? " was" : " were");
        buf_str(&w->text, " reported twice by the same organisation, and count once.");
    }
    if (s->n_orgs == 1 && s->org.n)
        buf_print(&w->text, " It was %.*s: what other receivers saw is not known.", SLICE_FMT(s->org));
    if (s->cut)
        buf_str(&w->text, " There is more than is read for one answer: the oldest reports are not in it.");
    report__say_line(w, (struct report_line){.kind = "total", .sum = s});
}

static void unproven(struct report__writer *w)
{
    const struct report_summary *s = w->s;
    if (s->unproven_reports == 0)
        return;
    report__counted(&w->text, s->unproven_reports, "report on ", "reports on ");
    report__messages(&w->text, s->unproven_messages);
    buf_print(&w->text, "%s not counted: not proven to come from %.*s",
              s->unproven_reports == 1 ? " is" : " are",
              SLICE_FMT(s->unproven_org.n ? s->unproven_org : SLICE("anybody")));
    if (s->n_unproven_orgs > 1) {
        buf_str(&w->text, " and ");
        report__number(&w->text, s->n_unproven_orgs - 1);
        buf_str(&w->text, " more");
    }
    buf_print(&w->text,
              ", because the mail that brought %s did not pass DMARC. Anybody can write such a report.",
              s->unproven_reports == 1 ? "it" : "them");
    buf_print(&w->fix, "Nothing to do. posthorn reports %.*s --table shows who they claim to be from.",
              SLICE_FMT(s->domain));
    report__say(w, "unproven", REPORT_FORGED, NULL);
}

/* ---- is it time for a stricter policy? */

static void advice(struct report__writer *w)
{
    const struct report_summary *s = w->s;
    static const char *const words[] = {"none", "quarantine", "reject"};
    uint64_t unsolved = 0;
    if (!s->watched || s->policy >= 2 || s->watched->messages == 0)
        return;
    for (size_t i = 0; i < s->watched->n; i++) {
        const struct report_source *one = &s->watched->at[i];
        enum report_class class = report_class_of(one);
        if (class == REPORT_OWN || class == REPORT_SERVICE || class == REPORT_NEAR)
            unsolved += report_source_failed(one);
    }
    if (s->watched_days < SAFE_DAYS) {
        buf_print(&w->text,
                  "Your policy is %s. There are reports of %u %s so far; wait until there are %d before you "
                  "make it "
                  "stricter.",
                  words[s->policy], s->watched_days, s->watched_days == 1 ? "day" : "days", SAFE_DAYS);
    } else if (unsolved * 1000 > s->watched->messages * FEW_PER_MILLE) {
        buf_print(&w->text, "Your policy is %s. Before it can be stricter, look after the ",
                  words[s->policy]);
        report__messages(&w->text, unsolved);
        buf_print(&w->text,
                  " of the last %u days that come from this server or from what may be services of yours.",
                  s->watched_days);
    } else {
        buf_print(
            &w->text,
            "Your policy is %s. For %u days nothing that looks like yours has failed: it is safe to make it "
            "stricter.",
            words[s->policy], s->watched_days);
        buf_print(&w->fix,
                  "posthorn domain set %.*s dmarc %s, then publish the record that posthorn dns %.*s shows.",
                  SLICE_FMT(s->domain), words[s->policy + 1], SLICE_FMT(s->domain));
    }
    report__say_line(w, (struct report_line){.kind = "advice", .sum = s});
}

bool report_words(const struct report_summary *s, report_line_fn fn, void *arg)
{
    struct report__writer w = {.fn = fn, .arg = arg, .s = s};
    bool fine = true;
    buf_init(&w.text, TEXT_MAX);
    buf_init(&w.fix, TEXT_MAX);
    totals(&w);
    if (s->n_orgs) {
        fine = report__sources(&w);
        advice(&w);
    }
    unproven(&w);
    report__tls(&w);
    report__failures(&w);
    buf_done(&w.text);
    buf_done(&w.fix);
    return fine;
}
