/* dmarc_run: DMARC cases from standard input against a zone file, for test/peers/dmarc_test.py: many in one
 * process.
 *
 *     dmarc_run ZONE <<< "AUTHOR,... TAB SPF-RESULT TAB SPF-DOMAIN TAB DKIM-RESULT:DOMAIN,..."
 *
 * and a line for each: RESULT TAB ASKED TAB PUBLISHED TAB POLICY-DOMAIN TAB ORGANIZATIONAL-DOMAIN TAB
 * SPF-ALIGNED TAB DKIM-ALIGNED TAB ROUNDS TAB QUESTIONS TAB REASON TAB the Authentication-Results value. */
#include "core/auth/auth_results.h"
#include "core/dns/dns_zone_text.h"
#include "lib/dns_kit.h"
#include "text/tag_list.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEMS 40

static bool read_all(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t *room;
    size_t n;
    while (f && (room = buf_reserve(out, 65536)) != NULL && (n = fread(room, 1, 65536, f)) > 0)
        buf_commit(out, n);
    return f && fclose(f) == 0;
}

static enum auth_result result_of(slice word)
{
    for (int r = AUTH_NONE; r <= AUTH__LAST; r++)
        if (slice_eq(word, auth_result_word((enum auth_result)r)))
            return (enum auth_result)r;
    return AUTH_NONE;
}

static void run_case(const struct dns_zone *zone, slice line)
{
    struct auth_results all = {.client = SLICE("192.0.2.1"), .helo = SLICE("helo.example")};
    struct dkim_result dkim[ITEMS] = {{.result = AUTH_NONE}};
    slice authors[ITEMS], list, word, item;
    size_t n_authors = 0, n_dkim = 0, asked = 0;
    struct tag_items it;
    struct dns_table table;
    struct arena arena CLEANUP(arena_done);
    struct buf field CLEANUP(buf_done), from CLEANUP(buf_done);
    unsigned rounds = 0;
    enum auth_step step;
    arena_init(&arena, "case", (size_t)64 << 20);
    buf_init(&field, 65536);
    buf_init(&from, 1024);
    must(dns_table_init(&table, &arena, 300));
    (void)slice_split(line, '\t', &list, &line);
    for (it = tag_items(list); n_authors < ITEMS && tag_items_next(&it, ',', &item);)
        authors[n_authors++] = item;
    (void)slice_split(line, '\t', &word, &line);
    all.spf.result = result_of(word);
    (void)slice_split(line, '\t', &all.spf.domain, &line);
    for (it = tag_items(line); n_dkim < ITEMS && tag_items_next(&it, ',', &item); n_dkim++) {
        (void)slice_split(item, ':', &word, &dkim[n_dkim].domain);
        dkim[n_dkim].result = result_of(word);
        dkim[n_dkim].selector = SLICE("s");
        dkim[n_dkim].algorithm = SLICE("rsa-sha256");
        dkim[n_dkim].b = SLICE("ab/+ABC0");
    }
    while ((step = dmarc_check(authors, n_authors, &all.spf, dkim, n_dkim, &table, &arena, &all.dmarc)) ==
           AUTH_WAIT) {
        size_t before = asked;
        asked += dns_kit_answer_from(zone, &table, &arena);
        must(asked > before); /* a wait without a question would be for ever */
        rounds++;
    }
    must(step == AUTH_DONE);
    buf_print(&from, "bounce+a=b@%.*s", SLICE_FMT(all.spf.domain));
    all.reverse_path = all.spf.domain.n ? buf_view(&from) : (slice){0};
    all.dkim = dkim;
    all.n_dkim = n_dkim;
    must(auth_results_print(&all, SLICE("mx.example.org"), &field) == OK);
    printf("%.*s\t%.*s\t%.*s\t%.*s\t%.*s\t%d\t%d\t%u\t%zu\t%.*s\t%.*s\n",
           SLICE_FMT(auth_result_word(all.dmarc.result)), SLICE_FMT(dmarc_policy_word(all.dmarc.asked)),
           SLICE_FMT(dmarc_policy_word(all.dmarc.published)), SLICE_FMT(all.dmarc.policy_domain),
           SLICE_FMT(all.dmarc.organizational_domain), all.dmarc.spf_aligned, all.dmarc.dkim_aligned, rounds,
           asked, SLICE_FMT(all.dmarc.reason), SLICE_FMT(buf_view(&field)));
}

int main(int argc, char **argv)
{
    struct buf file CLEANUP(buf_done), cases CLEANUP(buf_done);
    struct err_detail detail = {""};
    struct dns_zone zone;
    struct arena arena CLEANUP(arena_done);
    struct cursor c;
    slice line;
    buf_init(&file, (size_t)64 << 20);
    buf_init(&cases, (size_t)64 << 20);
    arena_init(&arena, "zone", (size_t)256 << 20);
    if (argc != 2 || !read_all(argv[1], &file) || !read_all("/dev/stdin", &cases)) {
        fputs("usage: dmarc_run ZONE < CASES\n", stderr);
        return 2;
    }
    if (dns_zone_text_read(buf_view(&file), &arena, &zone, &detail)) {
        fprintf(stderr, "%s: %s\n", argv[1], detail.text);
        return 2;
    }
    c = cursor_of(buf_view(&cases));
    while (cursor_line(&c, &line))
        run_case(&zone, line);
    return 0;
}
