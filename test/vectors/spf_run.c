/* spf_run: SPF cases from standard input against a zone file, for spf_test.py: many in one process.
 *
 *     spf_run ZONE <<< "CLIENT TAB HELO TAB LOCAL TAB DOMAIN"
 *
 * and a line for each: RESULT TAB DOMAIN TAB MECHANISM TAB LOOKUPS TAB VOIDS TAB ROUNDS TAB EXPLANATION TAB
 * REASON. ROUNDS counts how often questions were sent, which is what a check waits for. */
#include "core/dns/dns_zone_text.h"
#include "core/spf/spf.h"
#include "lib/dns_kit.h"

#include <stdio.h>
#include <stdlib.h>

/* The whole of a file. */
static bool read_all(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    size_t n;
    while (f && (n = fread(buf_reserve(out, 65536), 1, 65536, f)) > 0)
        buf_commit(out, n);
    return f && fclose(f) == 0;
}

static void run_case(const struct dns_zone *zone, slice line)
{
    struct spf_ask ask = {
        .receiver = SLICE("mx.receiver.test"), .now = (time_ms)1500000000000, .explain = true};
    struct spf_result r = {0};
    struct dns_table table;
    struct arena arena;
    slice client;
    unsigned rounds = 0;
    enum auth_step step;
    (void)slice_split(line, '\t', &client, &line);
    (void)slice_split(line, '\t', &ask.helo, &line);
    (void)slice_split(line, '\t', &ask.local, &ask.domain);
    if (ip_parse(client, &ask.client)) {
        puts("bad address");
        return;
    }
    arena_init(&arena, "case", (size_t)64 << 20);
    must(dns_table_init(&table, &arena, 200));
    while ((step = spf_check(&ask, &table, &arena, &r)) == AUTH_WAIT) {
        must(dns_kit_answer_from(zone, &table, &arena) > 0); /* a wait without a question would be for ever */
        rounds++;
    }
    must(step == AUTH_DONE);
    printf("%.*s\t%.*s\t%.*s\t%u\t%u\t%u\t%.*s\t%.*s\n", SLICE_FMT(auth_result_word(r.result)),
           SLICE_FMT(r.domain), SLICE_FMT(r.mechanism), r.lookups, r.voids, rounds, SLICE_FMT(r.explanation),
           SLICE_FMT(r.reason));
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    struct buf file CLEANUP(buf_done), cases CLEANUP(buf_done);
    struct err_detail detail = {""};
    struct dns_zone zone;
    struct arena arena;
    struct cursor c;
    slice line;
    buf_init(&file, (size_t)64 << 20);
    buf_init(&cases, (size_t)64 << 20);
    if (argc != 2 || !read_all(argv[1], &file) || !read_all("/dev/stdin", &cases)) {
        fputs("usage: spf_run ZONE < CASES\n", stderr);
        return 2;
    }
    arena_init(&arena, "zone", (size_t)256 << 20);
    if (dns_zone_text_read(buf_view(&file), &arena, &zone, &detail)) {
        fprintf(stderr, "%s: %s\n", argv[1], detail.text);
        return 2;
    }
    c = cursor_of(buf_view(&cases));
    while (cursor_line(&c, &line))
        run_case(&zone, line);
    arena_done(&arena);
    return 0;
}
