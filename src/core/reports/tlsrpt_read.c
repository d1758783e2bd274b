#include "core/reports/tlsrpt_read.h"

#include "base/ip.h"
#include "core/reports/report_text.h"
#include "text/date.h"
#include "text/json_small.h"
#include "text/utf8.h"

#include <jansson.h>

static slice text_of(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : (slice){0};
}

static slice member(const json_t *object, const char *name, struct arena *a)
{
    return report_text(text_of(object, name), 255, a);
}

static slice address(const json_t *object, const char *name, struct arena *a)
{
    struct ip ip;
    char text[IP_TEXT];
    slice out;
    if (ip_parse(slice_trim(text_of(object, name)), &ip) != OK)
        return (slice){0};
    ip_print(&ip, text);
    return arena_dup(a, slice_str(text), &out) ? out : (slice){0};
}

static uint64_t count(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    uint64_t n = 0;
    if (json_is_integer(v) && json_integer_value(v) > 0)
        n = (uint64_t)json_integer_value(v);
    else if (json_is_string(v) && !slice_u64(slice_str(json_string_value(v)), &n))
        n = 0;
    return n > (uint64_t)1 << 40 ? (uint64_t)1 << 40 : n; /* sums stay far from any edge */
}

/* n digits at at; -1 when they are none. */
static int digits(slice s, size_t at, size_t n)
{
    uint32_t v;
    return slice_u32(slice_sub(s, at, at + n), &v) && at + n <= s.n ? (int)v : -1;
}

/* RFC 3339 §5.6 date-time, the zone also left out; 0 when it is none. */
static time_ms moment(slice s)
{
    int year = digits(s, 0, 4), month = digits(s, 5, 2), day = digits(s, 8, 2);
    int hour = digits(s, 11, 2), minute = digits(s, 14, 2), second = digits(s, 17, 2), zone = 0;
    size_t at = 19;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || second < 0 || second > 60)
        hour = minute = second = 0;
    while (at < s.n && (s.p[at] == '.' || ascii_is_digit(s.p[at])))
        at++;
    if (at < s.n && (s.p[at] == '+' || s.p[at] == '-')) {
        int h = digits(s, at + 1, 2), m = digits(s, at + 4, 2);
        if (h >= 0 && h < 24 && m >= 0 && m < 60)
            zone = (s.p[at] == '-' ? -1 : 1) * (h * 60 + m);
    }
    return (date_days(year, (unsigned)month, (unsigned)day) * 86400 + hour * 3600 + minute * 60 + second -
            zone * 60) *
           MS_SECOND;
}

static enum err read_failures(const json_t *list, struct arena *a, size_t room, struct tlsrpt_policy *out)
{
    size_t n = size_min(json_array_size(list), room);
    out->failures = ARENA_ARRAY(a, n, struct tlsrpt_failure);
    if (!out->failures)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        struct tlsrpt_failure *f = &out->failures[i];
        f->result = member(v, "result-type", a);
        f->sending_ip = address(v, "sending-mta-ip", a);
        f->receiving_ip = address(v, "receiving-ip", a);
        f->receiving_mx = report_domain(text_of(v, "receiving-mx-hostname"), a);
        f->reason = member(v, "failure-reason-code", a);
        if (f->reason.n == 0)
            f->reason = member(v, "additional-information", a);
        f->count = count(v, "failed-session-count");
    }
    out->n_failures = n;
    return OK;
}

static enum err read_policy(const json_t *v, struct arena *a, size_t room, struct tlsrpt_policy *out)
{
    const json_t *policy = json_object_get(v, "policy"), *summary = json_object_get(v, "summary");
    const json_t *mx = json_object_get(policy, "mx-host");
    out->type = member(policy, "policy-type", a);
    out->domain = report_domain(text_of(policy, "policy-domain"), a);
    if (json_is_array(mx))
        mx = json_array_get(mx, 0);
    if (json_is_string(mx))
        out->mx = report_text(slice_str(json_string_value(mx)), 255, a);
    out->good = count(summary, "total-successful-session-count");
    out->failed = count(summary, "total-failure-session-count");
    return read_failures(json_object_get(v, "failure-details"), a, room, out);
}

static enum err read_report(const json_t *v, struct arena *a, struct tlsrpt *out, struct err_detail *why)
{
    const json_t *policies = json_object_get(v, "policies"), *period = json_object_get(v, "date-range");
    size_t n = size_min(json_array_size(policies), TLSRPT_POLICIES_MAX), room = TLSRPT_FAILURES_MAX;
    enum err e = OK;
    if (!json_is_array(policies)) {
        err_detail_set(why, "the JSON is no TLS report: it has no \"policies\"");
        return ERR_SYNTAX;
    }
    out->org = member(v, "organization-name", a);
    out->contact = member(v, "contact-info", a);
    out->report_id = member(v, "report-id", a);
    out->begin = moment(text_of(period, "start-datetime"));
    out->end = moment(text_of(period, "end-datetime"));
    out->policies = ARENA_ARRAY(a, n, struct tlsrpt_policy);
    if (!out->policies)
        return ERR_LIMIT;
    for (size_t i = 0; i < n && !e; i++) {
        e = read_policy(json_array_get(policies, i), a, room, &out->policies[i]);
        room -= out->policies[i].n_failures;
    }
    out->n_policies = n;
    return e;
}

enum err tlsrpt_read(slice json, struct arena *a, struct tlsrpt *out, struct err_detail *why)
{
    struct tlsrpt report = {0};
    json_error_t error;
    json_t *root;
    enum err e;
    if (slice_starts(json, SLICE("\xef\xbb\xbf")))
        json = slice_from(json, 3);
    if (!json_is_small(json, TLSRPT_BYTES_MAX, TLSRPT_VALUES_MAX, TLSRPT_DEPTH_MAX)) {
        err_detail_set(why, "the JSON is larger or nested deeper than any TLS report is");
        return ERR_LIMIT;
    }
    root = json_loadb((const char *)json.p, json.n, JSON_DISABLE_EOF_CHECK, &error);
    if (!root) {
        slice said = report_text(slice_str(error.text), 100, a);
        err_detail_set(why, "it is no JSON: line %d: %.*s", error.line, SLICE_FMT(said));
        return ERR_SYNTAX;
    }
    e = read_report(root, a, &report, why);
    json_decref(root);
    if (!e)
        *out = report;
    return e;
}
