/* reports_vectors: report samples published by others (../shared/vectors, argument 1): every one is read;
 * where the publisher says what is in it, that is what we read. */
#include "lib/test.h"

#include "base/buf.h"
#include "policy/report_take.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *root;

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    size_t n = 1;
    if (!f)
        return false;
    while (n > 0) {
        uint8_t *p = buf_reserve(out, 65536);
        must(p);
        n = fread(p, 1, 65536, f);
        buf_commit(out, n);
    }
    (void)fclose(f);
    return true;
}

/* What is no message is put into one. */
static enum err take(const char *path, struct arena *a, struct buf *room, struct report *out,
                     struct err_detail *why)
{
    size_t n = strlen(path);
    buf_clear(room);
    if (strcmp(path + n - 4, ".eml") != 0)
        buf_str(room, "Subject: a report\r\nContent-Type: application/octet-stream; name=x.xml\r\n\r\n");
    assert_true(read_file(path, room));
    return report_take(buf_view(room), a, out, why);
}

static size_t each(const char *folder, const char *suffix, void (*fn)(const char *path))
{
    char path[1024];
    struct dirent *e;
    size_t n = 0;
    DIR *d;
    (void)snprintf(path, sizeof path, "%s/%s", root, folder);
    d = opendir(path);
    while (d && (e = readdir(d))) {
        struct stat st;
        size_t length = strlen(e->d_name);
        (void)snprintf(path, sizeof path, "%s/%s/%s", root, folder, e->d_name);
        if (stat(path, &st) || !S_ISREG(st.st_mode) || length < strlen(suffix) ||
            strcmp(e->d_name + length - strlen(suffix), suffix) != 0)
            continue;
        fn(path);
        n++;
    }
    if (d)
        (void)closedir(d);
    return n;
}

/* ---- every one is taken */

static enum report_kind wanted;
static const char *about;

static void is_taken(const char *path)
{
    struct err_detail why;
    struct report r;
    struct arena a;
    struct buf room;
    enum err e;
    buf_init(&room, 1 << 24);
    arena_init(&a, "report", REPORT_ARENA_MAX);
    e = take(path, &a, &room, &r, &why);
    if (e)
        fail_msg("%s: %s: %s", path, err_name(e), why.text);
    assert_int_equal(r.kind, wanted);
    if (wanted == REPORT_AGGREGATE) {
        assert_true(r.aggregate.n_records > 0 && r.aggregate.messages >= r.aggregate.n_records);
        assert_true(r.aggregate.policy.domain.n > 0 && r.aggregate.begin > 0 && r.aggregate.org.n > 0);
    } else if (wanted == REPORT_FAILURE) {
        assert_true(r.failure.reported_domain.n > 0 && !ip_is_none(&r.failure.source));
    } else {
        assert_true(r.tls.n_policies > 0 && r.tls.org.n > 0 && r.tls.begin > 0);
    }
    (void)about;
    arena_done(&a);
    buf_done(&room);
}

static void all_are_taken(void **state)
{
    (void)state;
    if (!root)
        skip();
    wanted = REPORT_AGGREGATE;
    assert_true(each("dmarc-reports/aggregate", "", is_taken) >= 10);
    wanted = REPORT_FAILURE;
    assert_true(each("dmarc-reports/failure", ".eml", is_taken) >= 4);
    wanted = REPORT_TLS;
    assert_true(each("tlsrpt-mail-auth", ".eml", is_taken) >= 2);
}

/* ---- what is in them */

static const json_t *at(const json_t *v, const char *name)
{
    const json_t *m = json_object_get(v, name);
    if (!m)
        fail_msg("the expected JSON has no %s", name);
    return m;
}

static void same_text(slice got, const json_t *want)
{
    if (!json_is_null(want))
        assert_slice(got, json_string_value(want));
}

/* "Pass", "TempError", "MailFrom" against our numbers and words */
static void same_result(uint8_t got, const json_t *want)
{
    const char *word = json_string_value(want);
    if (!slice_eq_nocase(slice_str(word), SLICE("Unspecified")) &&
        !slice_eq_nocase(auth_result_word((enum auth_result)got), slice_str(word)))
        fail_msg("result %.*s, not %s", SLICE_FMT(auth_result_word((enum auth_result)got)), word);
}

static void same_record(const struct aggregate_record *r, const json_t *want)
{
    const json_t *row = at(want, "row"), *evaluated = at(row, "policy_evaluated");
    const json_t *names = at(want, "identifiers"), *dkim = at(at(want, "auth_results"), "dkim");
    const json_t *spf = at(at(want, "auth_results"), "spf"), *reason = at(evaluated, "reason");
    char ip[IP_TEXT];
    ip_print(&r->source, ip);
    assert_string_equal(ip, json_string_value(at(row, "source_ip")));
    assert_int_equal(r->count, json_integer_value(at(row, "count")));
    if (!slice_eq_nocase(aggregate_disposition_word((enum aggregate_disposition)r->disposition),
                         slice_str(json_string_value(at(evaluated, "disposition")))))
        assert_string_equal(json_string_value(at(evaluated, "disposition")), "Unspecified");
    assert_int_equal(r->dkim_aligned, strcmp(json_string_value(at(evaluated, "dkim")), "Pass") == 0);
    assert_int_equal(r->spf_aligned, strcmp(json_string_value(at(evaluated, "spf")), "Pass") == 0);
    assert_int_equal(r->reason != AGGREGATE_REASON_NO, json_array_size(reason) > 0);
    same_text(r->header_from, at(names, "header_from"));
    same_text(r->envelope_from, at(names, "envelope_from"));
    same_text(r->envelope_to, at(names, "envelope_to"));
    assert_int_equal(r->n_dkim, json_array_size(dkim));
    for (size_t i = 0; i < r->n_dkim; i++) {
        const json_t *one = json_array_get(dkim, i);
        same_text(r->dkim[i].domain, at(one, "domain"));
        same_text(r->dkim[i].selector, at(one, "selector"));
        same_result(r->dkim[i].result, at(one, "result"));
    }
    if (json_array_size(spf)) {
        same_text(r->spf_domain, at(json_array_get(spf, 0), "domain"));
        same_result(r->spf, at(json_array_get(spf, 0), "result"));
        assert_int_equal(r->spf_of_helo,
                         strcmp(json_string_value(at(json_array_get(spf, 0), "scope")), "Helo") == 0);
    }
}

static void same_aggregate(const struct aggregate_report *r, const json_t *want)
{
    static const char *const policies[] = {"None", "Quarantine", "Reject"};
    const json_t *meta = at(want, "report_metadata"), *policy = at(want, "policy_published");
    const struct aggregate_record *record = r->records;
    same_text(r->org, at(meta, "org_name"));
    same_text(r->email, at(meta, "email"));
    same_text(r->contact, at(meta, "extra_contact_info"));
    same_text(r->report_id, at(meta, "report_id"));
    assert_int_equal(r->begin / 1000, json_integer_value(at(at(meta, "date_range"), "begin")));
    assert_int_equal(r->end / 1000, json_integer_value(at(at(meta, "date_range"), "end")));
    same_text(r->policy.domain, at(policy, "domain"));
    assert_true(r->policy.p <= 2);
    assert_string_equal(policies[r->policy.p], json_string_value(at(policy, "p")));
    assert_int_equal(r->policy.testing, json_is_true(at(policy, "testing")));
    assert_int_equal(r->n_records, json_array_size(at(want, "record")));
    for (size_t i = 0; record; record = record->next)
        same_record(record, json_array_get(at(want, "record"), i++));
}

static void same_failure(const struct failure_report *r, const json_t *want)
{
    const json_t *domains = at(want, "reported_domain"), *source = at(want, "source_ip");
    char ip[IP_TEXT] = "";
    if (json_array_size(domains))
        same_text(r->reported_domain, json_array_get(domains, 0));
    if (json_is_string(source)) {
        ip_print(&r->source, ip);
        assert_string_equal(ip, json_string_value(source));
    }
    assert_int_equal(r->incidents, json_integer_value(at(want, "incidents")));
    same_text(r->user_agent, at(want, "user_agent"));
    same_text(r->dkim_domain, at(want, "dkim_domain"));
    same_text(r->dkim_selector, at(want, "dkim_selector"));
    assert_int_equal(slice_eq(r->type, SLICE("auth-failure")),
                     strcmp(json_string_value(at(want, "feedback_type")), "AuthFailure") == 0);
}

static void same_tls(const struct tlsrpt *r, const json_t *want)
{
    const json_t *policies = at(want, "policies");
    same_text(r->org, at(want, "organization-name"));
    same_text(r->report_id, at(want, "report-id"));
    same_text(r->contact, at(want, "contact-info"));
    assert_int_equal(r->n_policies, json_array_size(policies));
    for (size_t i = 0; i < r->n_policies; i++) {
        const json_t *p = json_array_get(policies, i), *failures = json_object_get(p, "failure-details");
        same_text(r->policies[i].type, at(at(p, "policy"), "policy-type"));
        assert_int_equal(r->policies[i].good,
                         json_integer_value(at(at(p, "summary"), "total-successful-session-count")));
        assert_int_equal(r->policies[i].n_failures, json_array_size(failures));
        for (size_t k = 0; k < r->policies[i].n_failures; k++) {
            const json_t *f = json_array_get(failures, k);
            same_text(r->policies[i].failures[k].result, at(f, "result-type"));
            assert_int_equal(r->policies[i].failures[k].count,
                             json_integer_value(at(f, "failed-session-count")));
        }
    }
}

static size_t compared;

/* path: of the expected JSON; the report lies beside it, as .xml or .eml. */
static void is_as_published(const char *path)
{
    char other[1100];
    struct err_detail why;
    struct report r;
    struct arena a;
    struct buf room;
    struct stat st;
    json_t *want = json_load_file(path, JSON_DISABLE_EOF_CHECK, NULL);
    enum err e;
    (void)snprintf(other, sizeof other, "%.*s.xml", (int)strlen(path) - 5, path);
    if (stat(other, &st))
        (void)snprintf(other, sizeof other, "%.*s.eml", (int)strlen(path) - 5, path);
    if (stat(other, &st))
        (void)snprintf(other, sizeof other, "%s", path); /* a TLS report is JSON itself */
    assert_non_null(want);
    buf_init(&room, 1 << 24);
    arena_init(&a, "report", REPORT_ARENA_MAX);
    e = take(other, &a, &room, &r, &why);
    if (e)
        fail_msg("%s: %s: %s", other, err_name(e), why.text);
    print_message("%s\n", other);
    if (r.kind == REPORT_AGGREGATE)
        same_aggregate(&r.aggregate, want);
    else if (r.kind == REPORT_FAILURE)
        same_failure(&r.failure, want);
    else
        same_tls(&r.tls, want);
    compared++;
    json_decref(want);
    arena_done(&a);
    buf_done(&room);
}

static void contents_are_as_published(void **state)
{
    (void)state;
    if (!root)
        skip();
    (void)each("dmarc-reports-mail-auth/dmarc-feedback", ".json", is_as_published);
    (void)each("dmarc-reports-mail-auth/arf", ".json", is_as_published);
    (void)each("tlsrpt-mail-auth", ".json", is_as_published);
    assert_true(compared >= 18);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_taken),
        cmocka_unit_test(contents_are_as_published),
    };
    struct stat st;
    root = getenv("POSTHORN_VECTORS");
    if (!root && argc > 1)
        root = argv[1];
    if (root && (stat(root, &st) || !S_ISDIR(st.st_mode)))
        root = NULL;
    if (!root)
        printf("skipped: no published vectors here (POSTHORN_VECTORS)\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
