#include "core/reports/aggregate_read.h"

#include "core/reports/report_text.h"
#include "text/xml.h"

#include <stdlib.h>

#define OTHER_MAX 100000 /* elements we do not know, of one report */
/* Levels that are looked through above elements of a broken report: an honest one of 10 MB has half a million
 * elements, a few levels off. */
#define CLIMB_MAX 4000000
#define NO_DOMAIN "it does not say which domain it is about"

/* Where in the tree we are. Of what is below AT_OTHER nothing is read. */
enum at {
    AT_NOWHERE,
    AT_FEEDBACK,
    AT_METADATA,
    AT_PERIOD,
    AT_POLICY,
    AT_RECORD,
    AT_ROW,
    AT_EVALUATED,
    AT_REASON,
    AT_IDENTIFIERS,
    AT_AUTH,
    AT_DKIM,
    AT_SPF,
    AT_OTHER, /* unknown, or a leaf */
};

static const struct {
    enum at in;
    slice name;
    enum at is;
} places[] = {
    {AT_NOWHERE, SLICE_INIT("feedback"), AT_FEEDBACK},
    {AT_FEEDBACK, SLICE_INIT("report_metadata"), AT_METADATA},
    {AT_METADATA, SLICE_INIT("date_range"), AT_PERIOD},
    {AT_FEEDBACK, SLICE_INIT("policy_published"), AT_POLICY},
    {AT_FEEDBACK, SLICE_INIT("record"), AT_RECORD},
    {AT_RECORD, SLICE_INIT("row"), AT_ROW},
    {AT_ROW, SLICE_INIT("policy_evaluated"), AT_EVALUATED},
    {AT_EVALUATED, SLICE_INIT("reason"), AT_REASON},
    {AT_ROW, SLICE_INIT("reason"), AT_REASON},
    {AT_RECORD, SLICE_INIT("identifiers"), AT_IDENTIFIERS},
    {AT_RECORD, SLICE_INIT("identities"), AT_IDENTIFIERS}, /* seen in drafts */
    {AT_RECORD, SLICE_INIT("auth_results"), AT_AUTH},
    {AT_AUTH, SLICE_INIT("dkim"), AT_DKIM},
    {AT_AUTH, SLICE_INIT("spf"), AT_SPF},
};

struct aggregate_reader {
    struct arena *arena;
    struct xml *xml;
    struct aggregate_report report;
    struct aggregate_record *record; /* the one being read, or NULL */
    struct aggregate_record spare;   /* the one being read of those left out: its count only */
    struct aggregate_dkim dkim[AGGREGATE_DKIM_MAX], *signature;
    struct aggregate_dkim nowhere; /* of signatures beyond */
    size_t n_dkim;
    bool spf_first; /* later ones of the same record count for nothing */
    enum at path[XML_DEPTH_MAX + 1];
    size_t depth, others, climbed;
    bool any;
    uint8_t text[AGGREGATE_TEXT_MAX + 1];
    size_t text_n;
};

typedef void (*set_fn)(struct aggregate_reader *r, slice text);

static slice keep(struct aggregate_reader *r, slice text)
{
    return report_text(text, AGGREGATE_TEXT_MAX, r->arena);
}

static uint64_t number(slice text)
{
    uint64_t n;
    return slice_u64(slice_trim(text), &n) && n <= INT64_MAX / 1000 ? n : 0;
}

/* Seconds; some write milliseconds, which as seconds would be in the year 5138 at least. */
static time_ms moment(slice text)
{
    uint64_t n = number(text);
    return (time_ms)(n < (uint64_t)100000000000 ? n * 1000 : n);
}

static uint8_t policy(slice text)
{
    static const slice words[] = {SLICE_INIT("none"), SLICE_INIT("quarantine"), SLICE_INIT("reject")};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (slice_eq_nocase(slice_trim(text), words[i]))
            return (uint8_t)i;
    return AGGREGATE_POLICY_ABSENT;
}

static char mode(slice text)
{
    text = slice_trim(text);
    return text.n && (text.p[0] == 'r' || text.p[0] == 's') ? (char)text.p[0] : 0;
}

/* clang-format off */
static void set_org(struct aggregate_reader *r, slice t) { r->report.org = keep(r, t); }
static void set_email(struct aggregate_reader *r, slice t) { r->report.email = keep(r, t); }
static void set_contact(struct aggregate_reader *r, slice t) { r->report.contact = keep(r, t); }
static void set_id(struct aggregate_reader *r, slice t) { r->report.report_id = keep(r, t); }
static void set_generator(struct aggregate_reader *r, slice t) { r->report.generator = keep(r, t); }
static void set_error(struct aggregate_reader *r, slice t) { if (!r->report.error.n) r->report.error = keep(r, t); }
static void set_begin(struct aggregate_reader *r, slice t) { r->report.begin = moment(t); }
static void set_end(struct aggregate_reader *r, slice t) { r->report.end = moment(t); }
static void set_domain(struct aggregate_reader *r, slice t) { r->report.policy.domain = report_domain(t, r->arena); }
static void set_p(struct aggregate_reader *r, slice t) { r->report.policy.p = policy(t); }
static void set_sp(struct aggregate_reader *r, slice t) { r->report.policy.sp = policy(t); }
static void set_np(struct aggregate_reader *r, slice t) { r->report.policy.np = policy(t); }
static void set_adkim(struct aggregate_reader *r, slice t) { r->report.policy.adkim = mode(t); }
static void set_aspf(struct aggregate_reader *r, slice t) { r->report.policy.aspf = mode(t); }
static void set_testing(struct aggregate_reader *r, slice t) { r->report.policy.testing = slice_eq_nocase(slice_trim(t), SLICE("y")); }
static void set_method(struct aggregate_reader *r, slice t) { r->report.policy.treewalk = slice_eq_nocase(slice_trim(t), SLICE("treewalk")); }
static void set_fo(struct aggregate_reader *r, slice t) { r->report.policy.fo = keep(r, t); }
static void set_count(struct aggregate_reader *r, slice t) { r->record->count = number(t); }
static void set_aligned_dkim(struct aggregate_reader *r, slice t) { r->record->dkim_aligned = report_result(t) == AUTH_PASS; }
static void set_aligned_spf(struct aggregate_reader *r, slice t) { r->record->spf_aligned = report_result(t) == AUTH_PASS; }
static void set_header_from(struct aggregate_reader *r, slice t) { r->record->header_from = report_domain(t, r->arena); }
static void set_envelope_from(struct aggregate_reader *r, slice t) { r->record->envelope_from = report_domain(t, r->arena); }
static void set_envelope_to(struct aggregate_reader *r, slice t) { r->record->envelope_to = report_domain(t, r->arena); }
static void set_dkim_domain(struct aggregate_reader *r, slice t) { r->signature->domain = report_domain(t, r->arena); }
static void set_dkim_selector(struct aggregate_reader *r, slice t) { r->signature->selector = report_domain(t, r->arena); }
static void set_dkim_result(struct aggregate_reader *r, slice t) { r->signature->result = report_result(t); }
/* clang-format on */

static void set_source(struct aggregate_reader *r, slice t)
{
    struct ip ip;
    if (ip_parse(slice_trim(t), &ip) == OK)
        r->record->source = ip;
}

static void set_disposition(struct aggregate_reader *r, slice t)
{
    for (unsigned i = 0; i <= AGGREGATE_DISPOSITION__LAST; i++)
        if (slice_eq_nocase(slice_trim(t), aggregate_disposition_word((enum aggregate_disposition)i)))
            r->record->disposition = (uint8_t)i;
}

static void set_reason(struct aggregate_reader *r, slice t)
{
    t = slice_trim(t);
    if (r->record->reason || t.n == 0)
        return;
    r->record->reason = AGGREGATE_REASON_OTHER;
    for (unsigned i = 1; i <= AGGREGATE_REASON__LAST; i++)
        if (slice_eq_nocase(t, aggregate_reason_word((enum aggregate_reason)i)))
            r->record->reason = (uint8_t)i;
}

static void set_comment(struct aggregate_reader *r, slice t)
{
    if (r->record->reason_comment.n == 0)
        r->record->reason_comment = keep(r, t);
}

static void set_spf_domain(struct aggregate_reader *r, slice t)
{
    if (r->spf_first)
        r->record->spf_domain = report_domain(t, r->arena);
}

static void set_spf_result(struct aggregate_reader *r, slice t)
{
    if (r->spf_first)
        r->record->spf = report_result(t);
}

static void set_spf_scope(struct aggregate_reader *r, slice t)
{
    if (r->spf_first)
        r->record->spf_of_helo = slice_eq_nocase(slice_trim(t), SLICE("helo"));
}

static const struct {
    enum at in;
    slice name;
    set_fn set;
} leaves[] = {
    {AT_METADATA, SLICE_INIT("org_name"), set_org},
    {AT_METADATA, SLICE_INIT("email"), set_email},
    {AT_METADATA, SLICE_INIT("extra_contact_info"), set_contact},
    {AT_METADATA, SLICE_INIT("report_id"), set_id},
    {AT_METADATA, SLICE_INIT("generator"), set_generator},
    {AT_METADATA, SLICE_INIT("error"), set_error},
    {AT_PERIOD, SLICE_INIT("begin"), set_begin},
    {AT_PERIOD, SLICE_INIT("end"), set_end},
    {AT_POLICY, SLICE_INIT("domain"), set_domain},
    {AT_POLICY, SLICE_INIT("p"), set_p},
    {AT_POLICY, SLICE_INIT("sp"), set_sp},
    {AT_POLICY, SLICE_INIT("np"), set_np},
    {AT_POLICY, SLICE_INIT("adkim"), set_adkim},
    {AT_POLICY, SLICE_INIT("aspf"), set_aspf},
    {AT_POLICY, SLICE_INIT("testing"), set_testing},
    {AT_POLICY, SLICE_INIT("discovery_method"), set_method},
    {AT_POLICY, SLICE_INIT("fo"), set_fo},
    {AT_ROW, SLICE_INIT("source_ip"), set_source},
    {AT_ROW, SLICE_INIT("count"), set_count},
    {AT_EVALUATED, SLICE_INIT("disposition"), set_disposition},
    {AT_EVALUATED, SLICE_INIT("dkim"), set_aligned_dkim},
    {AT_EVALUATED, SLICE_INIT("spf"), set_aligned_spf},
    {AT_REASON, SLICE_INIT("type"), set_reason},
    {AT_REASON, SLICE_INIT("comment"), set_comment},
    {AT_IDENTIFIERS, SLICE_INIT("header_from"), set_header_from},
    {AT_IDENTIFIERS, SLICE_INIT("envelope_from"), set_envelope_from},
    {AT_IDENTIFIERS, SLICE_INIT("envelope_to"), set_envelope_to},
    {AT_DKIM, SLICE_INIT("domain"), set_dkim_domain},
    {AT_DKIM, SLICE_INIT("selector"), set_dkim_selector},
    {AT_DKIM, SLICE_INIT("result"), set_dkim_result},
    {AT_SPF, SLICE_INIT("domain"), set_spf_domain},
    {AT_SPF, SLICE_INIT("result"), set_spf_result},
    {AT_SPF, SLICE_INIT("scope"), set_spf_scope},
};

static bool record_begins(struct aggregate_reader *r)
{
    r->n_dkim = 0;
    r->spf_first = true;
    if (r->report.n_records < AGGREGATE_RECORDS_MAX) {
        r->record = aggregate_add(&r->report, r->arena);
        return r->record != NULL;
    }
    r->report.records_left_out++;
    r->spare = (struct aggregate_record){0};
    r->record = &r->spare;
    return true;
}

static bool record_ends(struct aggregate_reader *r)
{
    struct aggregate_record *record = r->record;
    r->record = NULL;
    if (!record)
        return true;
    if (__builtin_add_overflow(r->report.messages, record->count, &r->report.messages))
        r->report.messages = UINT64_MAX;
    if (record == &r->spare || r->n_dkim == 0)
        return true;
    record->dkim = ARENA_ARRAY(r->arena, r->n_dkim, struct aggregate_dkim);
    if (!record->dkim)
        return false;
    memcpy(record->dkim, r->dkim, r->n_dkim * sizeof r->dkim[0]);
    record->n_dkim = r->n_dkim;
    return true;
}

static void signature_begins(struct aggregate_reader *r)
{
    r->signature = r->n_dkim < AGGREGATE_DKIM_MAX ? &r->dkim[r->n_dkim++] : &r->nowhere;
    *r->signature = (struct aggregate_dkim){0};
}

/* The place around the cursor, up levels further out. Behind a broken tag libxml2 believes itself deeper than
 * the document is, so then all places around count, the nearest first. */
static bool around(struct aggregate_reader *r, size_t up, enum at *out)
{
    if (up > r->depth || (up > 0 && (xml_mistakes(r->xml) == 0 || ++r->climbed > CLIMB_MAX)))
        return false;
    *out = up == r->depth ? AT_NOWHERE : r->path[r->depth - 1 - up];
    return true;
}

static enum at place(struct aggregate_reader *r, slice name)
{
    enum at in;
    for (size_t up = 0; around(r, up, &in); up++)
        for (size_t i = 0; in != AT_OTHER && i < ARRAY_LEN(places); i++)
            if (places[i].in == in && slice_eq_nocase(name, places[i].name))
                return places[i].is;
    return AT_OTHER;
}

static set_fn leaf(struct aggregate_reader *r, slice name)
{
    enum at in;
    for (size_t up = 0; around(r, up, &in); up++)
        for (size_t i = 0; in != AT_OTHER && i < ARRAY_LEN(leaves); i++)
            if (leaves[i].in == in && slice_eq_nocase(name, leaves[i].name))
                return in < AT_RECORD || r->record ? leaves[i].set : NULL;
    return NULL;
}

static bool on_open(void *arg, slice name)
{
    struct aggregate_reader *r = arg;
    enum at is = place(r, name);
    bool known = is != AT_OTHER || leaf(r, name);
    r->text_n = 0;
    r->path[r->depth++] = is; /* xml.h bounds the depth */
    r->any = r->any || is == AT_FEEDBACK;
    if (is == AT_RECORD)
        return record_ends(r) && record_begins(r);
    if (is == AT_DKIM)
        signature_begins(r);
    return r->climbed <= CLIMB_MAX && (known || ++r->others < OTHER_MAX);
}

static bool on_text(void *arg, slice text)
{
    struct aggregate_reader *r = arg;
    text = slice_sub(text, 0, AGGREGATE_TEXT_MAX - r->text_n);
    if (text.n)
        memcpy(r->text + r->text_n, text.p, text.n);
    r->text_n += text.n;
    return true;
}

static bool on_close(void *arg, slice name)
{
    struct aggregate_reader *r = arg;
    enum at was;
    set_fn set;
    if (r->depth == 0)
        return true; /* a broken document closes what it never opened */
    was = r->path[--r->depth];
    if (was == AT_RECORD)
        return record_ends(r);
    if (was == AT_SPF)
        r->spf_first = false;
    set = was == AT_OTHER ? leaf(r, name) : NULL;
    if (set)
        set(r, slice_of(r->text, r->text_n));
    r->text_n = 0;
    return true;
}

struct aggregate_reader *aggregate_reader_new(struct arena *a)
{
    static const struct xml_handler handler = {on_open, on_text, on_close};
    struct aggregate_reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->arena = a;
    r->report.policy.p = r->report.policy.sp = r->report.policy.np = AGGREGATE_POLICY_ABSENT;
    r->xml = xml_new(&handler, r);
    if (!r->xml)
        aggregate_reader_free(&r);
    return r;
}

void aggregate_reader_free(struct aggregate_reader **r)
{
    if (!*r)
        return;
    xml_free(&(*r)->xml);
    free(*r);
    *r = NULL;
}

enum err aggregate_reader_feed(struct aggregate_reader *r, slice piece)
{
    return xml_feed(r->xml, piece);
}

static const char *no_report(const struct aggregate_reader *r)
{
    if (!r->any)
        return "it is no XML with a <feedback> in it";
    if (r->report.policy.domain.n == 0)
        return NO_DOMAIN;
    if (r->report.n_records == 0 && r->report.begin == 0)
        return "it holds no record and no period";
    return NULL;
}

enum err aggregate_reader_end(struct aggregate_reader *r, struct aggregate_report *out,
                              struct err_detail *why)
{
    enum err e = xml_end(r->xml);
    const char *no;
    if (e && e != ERR_SYNTAX)
        return e;
    if (!record_ends(r))
        return ERR_LIMIT;
    no = no_report(r);
    if (no) {
        slice mistake = xml_reason(r->xml);
        err_detail_set(why, "%s%s%.*s%s", no, mistake.n ? " (" : "", SLICE_FMT(mistake),
                       mistake.n ? ")" : "");
        return ERR_SYNTAX;
    }
    *out = r->report;
    out->mistakes = xml_mistakes(r->xml);
    out->mistake = keep(r, xml_reason(r->xml));
    if (out->org.n == 0) { /* some leave it empty: who wrote it stands behind the @ */
        slice local, domain;
        if (slice_split(out->email, '@', &local, &domain))
            out->org = domain;
    }
    return OK;
}
