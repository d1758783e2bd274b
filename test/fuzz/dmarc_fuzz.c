/* dmarc: whatever stands in the DNS and in From, the check ends, within its questions, with a result in
 * words; a text is a record or none, and what is taken from it is clean.
 *
 * The input: lines. "F NAME" an author, "S RESULT NAME" SPF, "D RESULT NAME" a signature (RESULT a digit), "A
 * DIGIT NAME TEXT" an answer of that status with TEXT as TXT record (several lines: several records). */
#include "core/dmarc/dmarc.h"
#include "core/dmarc/dmarc_uri.h"
#include "core/dmarc/dmarc_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void clean(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] >= 0x20 && s.p[i] <= 0x7e);
}

static void check_record(slice text, struct arena *a)
{
    struct dmarc_record r;
    struct dmarc_uri *list;
    size_t n;
    if (dmarc_record_parse(text, &r) == OK) {
        clean(r.rua);
        clean(r.ruf);
        clean(r.fo);
        must(r.p <= DMARC_POLICY_REJECT && r.sp <= DMARC_POLICY_REJECT && r.np <= DMARC_POLICY_REJECT);
        must(r.usable || r.p == DMARC_POLICY_NONE);
    }
    must(dmarc_uri_list(text, a, &list, &n) && n <= DMARC_URIS_MAX);
    for (size_t i = 0; i < n; i++) {
        must(slice_has(list[i].mailbox, '@') && list[i].domain.n > 0);
        clean(list[i].mailbox);
    }
}

static slice word(slice *line)
{
    slice head;
    (void)slice_split(*line, ' ', &head, line);
    return head;
}

static enum auth_result result_of(slice digit)
{
    return digit.n ? (enum auth_result)(digit.p[0] % (AUTH__LAST + 1)) : AUTH_NONE;
}

/* All lines that answer a question. */
static void answer(slice input, struct dns_table *t, size_t question, slice name)
{
    struct cursor c = cursor_of(input);
    uint8_t rdata[8][256];
    slice texts[8], line;
    struct dns_answer a = {.status = DNS_ANSWER_NXDOMAIN, .rdata = texts};
    while (a.n < 8 && cursor_line(&c, &line)) {
        slice status;
        size_t n;
        if (!slice_eq(word(&line), SLICE("A")))
            continue;
        status = word(&line);
        if (!slice_eq_nocase(word(&line), name))
            continue;
        a.status = (enum dns_answer_status)(status.n ? status.p[0] % 5 : 0);
        n = size_min(line.n, 255);
        rdata[a.n][0] = (uint8_t)n;
        if (n)
            memcpy(rdata[a.n] + 1, line.p, n);
        texts[a.n] = slice_of(rdata[a.n], n + 1);
        a.n++;
    }
    dns_table_put(t, question, &a);
}

static void check_message(slice input, struct arena *a)
{
    struct cursor c = cursor_of(input);
    struct dns_table t;
    struct spf_result spf = {.result = AUTH_NONE};
    struct dkim_result dkim[4] = {{.result = AUTH_NONE}};
    slice authors[20], line;
    size_t n_authors = 0, n_dkim = 0, question, asked = 0;
    struct dmarc_result r;
    enum auth_step step;
    while (cursor_line(&c, &line)) {
        slice kind = word(&line);
        if (slice_eq(kind, SLICE("F")) && n_authors < 20) {
            authors[n_authors++] = line;
        } else if (slice_eq(kind, SLICE("S"))) {
            spf.result = result_of(word(&line));
            spf.domain = line;
        } else if (slice_eq(kind, SLICE("D")) && n_dkim < 4) {
            dkim[n_dkim].result = result_of(word(&line));
            dkim[n_dkim++].domain = line;
        }
    }
    must(dns_table_init(&t, a, 300));
    dmarc_want(authors, n_authors, &t);
    while ((step = dmarc_check(authors, n_authors, &spf, dkim, n_dkim, &t, a, &r)) == AUTH_WAIT) {
        slice name;
        uint16_t type;
        size_t before = asked;
        for (; dns_table_next(&t, &question, &name, &type); asked++)
            answer(input, &t, question, name);
        must(asked > before);
    }
    must(step == AUTH_DONE && r.reason.n > 0);
    must(asked <= 20 * (DMARC_WALK_MAX + 1) + 5 * DMARC_WALK_MAX);
    must((r.result == AUTH_PASS) == (r.spf_aligned || r.dkim_aligned));
    must(r.result == AUTH_FAIL || r.asked == DMARC_POLICY_NONE);
    must(r.asked <= r.published);
    clean(r.record);
    clean(r.author);
    clean(r.policy_domain);
    clean(r.organizational_domain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    slice s = slice_of(data, size_min(size, 4096));
    arena_init(&a, "fuzz", (size_t)64 << 20);
    check_record(s, &a);
    check_message(s, &a);
    arena_done(&a);
    return 0;
}
