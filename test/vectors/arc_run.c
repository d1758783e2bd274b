/* arc_run: ARC over message files, for arc_test.py here and in test/peers.
 *
 *     arc_run ZONE NOW SPLIT MESSAGE...
 *
 * NOW is in seconds since 1970; bodies are fed in pieces of SPLIT octets, 0: whole. Each message is verified
 * by itself and with its body hashed by DKIM; the results must be the same. For each message a line: RESULT
 * TAB SETS TAB SEALERS,... TAB OLDEST-PASS TAB FIRST-DMARC-PASS TAB FIRST-DMARC-FROM TAB TEMPORARY TAB ROUNDS
 * TAB REASON */
#include "core/arc/arc.h"
#include "core/dns/dns_zone_text.h"
#include "core/mail/header.h"
#include "lib/dns_kit.h"

#include <stdio.h>
#include <stdlib.h>

static bool read_all(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t *room;
    size_t n;
    while (f && (room = buf_reserve(out, 65536)) != NULL && (n = fread(room, 1, 65536, f)) > 0)
        buf_commit(out, n);
    return f && fclose(f) == 0;
}

struct job {
    const struct dns_zone *zone;
    time_ms now;
    size_t split;
    struct dkim_keys_cache *cache;
};

static unsigned verify(const struct job *job, slice message, bool share, struct arena *arena,
                       struct arc_result *out)
{
    struct dns_table table;
    size_t body = header_end(message), split = job->split ? job->split : message.n + 1;
    unsigned rounds = 0;
    enum auth_step step;
    must(dns_table_init(&table, arena, 200));
    struct arc_verify *v = arc_verify_begin(slice_sub(message, 0, body), arena);
    struct dkim_verify *dkim = dkim_verify_begin(slice_sub(message, 0, body), arena);
    must(v && dkim);
    if (share)
        arc_verify_share(v, dkim);
    arc_verify_want(v, &table);
    for (size_t at = body; at < message.n; at += split) {
        arc_verify_body(v, slice_sub(message, at, at + split));
        dkim_verify_body(dkim, slice_sub(message, at, at + split));
    }
    dkim_verify_body_end(dkim);
    arc_verify_body_end(v);
    while ((step = arc_verify_finish(v, &table, job->now, job->cache, out)) == AUTH_WAIT) {
        must(dns_kit_answer_from(job->zone, &table, arena) >
             0); /* a wait without a question would be for ever */
        rounds++;
    }
    must(step == AUTH_DONE);
    must((out->reason.n > 0) == (out->result != AUTH_NONE));
    return rounds;
}

static void run_message(const struct job *job, slice message)
{
    struct arena alone CLEANUP(arena_done), shared CLEANUP(arena_done);
    struct arc_result r, other;
    unsigned rounds;
    arena_init(&alone, "alone", (size_t)64 << 20);
    arena_init(&shared, "shared", (size_t)64 << 20);
    rounds = verify(job, message, false, &alone, &r);
    must(verify(job, message, true, &shared, &other) == rounds);
    must(r.result == other.result && slice_eq(r.reason, other.reason) && r.oldest_pass == other.oldest_pass);
    printf("%.*s\t%u\t", SLICE_FMT(auth_result_word(r.result)), r.sets);
    for (unsigned i = 0; r.sealers && i < r.sets; i++)
        printf("%s%.*s", i ? "," : "", SLICE_FMT(r.sealers[i]));
    printf("\t%u\t%d\t%.*s\t%d\t%u\t%.*s\n", r.oldest_pass, r.first_dmarc_pass, SLICE_FMT(r.first_dmarc_from),
           r.temporary, rounds, SLICE_FMT(r.reason));
}

int main(int argc, char **argv)
{
    struct buf file CLEANUP(buf_done);
    struct arena arena CLEANUP(arena_done);
    struct dkim_keys_cache *cache CLEANUP(dkim_keys_cache_free) = dkim_keys_cache_new(64);
    struct err_detail detail = {""};
    struct dns_zone zone;
    uint64_t now, split;
    buf_init(&file, (size_t)64 << 20);
    arena_init(&arena, "zone", (size_t)256 << 20);
    if (argc < 5 || !read_all(argv[1], &file) || !slice_u64(slice_str(argv[2]), &now) ||
        !slice_u64(slice_str(argv[3]), &split)) {
        fputs("usage: arc_run ZONE NOW SPLIT MESSAGE...\n", stderr);
        return 2;
    }
    if (dns_zone_text_read(buf_view(&file), &arena, &zone, &detail)) {
        fprintf(stderr, "%s: %s\n", argv[1], detail.text);
        return 2;
    }
    const struct job job = {.zone = &zone, .now = (time_ms)now * MS_SECOND, .split = split, .cache = cache};
    for (int i = 4; i < argc; i++) {
        struct buf message CLEANUP(buf_done);
        buf_init(&message, (size_t)256 << 20);
        if (!read_all(argv[i], &message))
            return 2;
        run_message(&job, buf_view(&message));
    }
    return 0;
}
