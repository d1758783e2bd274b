/* dkim_run: DKIM over message files, for dkim_test.py here and in test/peers.
 *
 *     dkim_run verify ZONE NOW SPLIT MESSAGE...     NOW in seconds since 1970; the body is fed in pieces of
 * SPLIT octets, 0: whole
 *
 * For each message a line "= MESSAGE", then one for each signature:
 * RESULT TAB DOMAIN TAB SELECTOR TAB ALGORITHM TAB B TAB BITS TAB REASON */
#include "core/dkim/dkim.h"
#include "core/dns/dns_zone_text.h"
#include "core/mail/header.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX ((size_t)256 << 20)

static bool read_all(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t *room;
    size_t n;
    while (f && (room = buf_reserve(out, 65536)) != NULL && (n = fread(room, 1, 65536, f)) > 0)
        buf_commit(out, n);
    return f && fclose(f) == 0;
}

static void answer_all(struct dns_table *table, const struct dns_zone *zone, struct arena *arena)
{
    size_t question, asked = 0;
    slice name;
    uint16_t type;
    for (; dns_table_next(table, &question, &name, &type); asked++) {
        struct dns_answer answer;
        dns_zone_answer(zone, name, type, arena, &answer);
        dns_table_put(table, question, &answer);
    }
    must(asked > 0); /* a wait without a question would be for ever */
}

static void print_result(const struct dkim_result *r)
{
    printf("%.*s\t%.*s\t%.*s\t%.*s\t%.*s\t%u\t%.*s\n", SLICE_FMT(auth_result_word(r->result)),
           SLICE_FMT(r->domain), SLICE_FMT(r->selector), SLICE_FMT(r->algorithm), SLICE_FMT(r->b),
           r->key_bits, SLICE_FMT(r->reason));
}

static void verify(slice message, const struct dns_zone *zone, time_ms now, size_t split,
                   struct dkim_keys_cache *cache)
{
    struct arena arena CLEANUP(arena_done);
    struct dns_table table;
    const struct dkim_result *results;
    size_t n, body = header_end(message);
    enum auth_step step;
    arena_init(&arena, "message", (size_t)64 << 20);
    must(dns_table_init(&table, &arena, 20));
    struct dkim_verify *v = dkim_verify_begin(slice_sub(message, 0, body), &arena);
    must(v);
    dkim_verify_want(v, &table);
    split = split ? split : message.n + 1;
    for (size_t at = body; at < message.n; at += split)
        dkim_verify_body(v, slice_sub(message, at, at + split));
    dkim_verify_body_end(v);
    while ((step = dkim_verify_finish(v, &table, now, cache, &results, &n)) == AUTH_WAIT)
        answer_all(&table, zone, &arena);
    must(step == AUTH_DONE);
    for (size_t i = 0; i < n; i++)
        print_result(&results[i]);
}

int main(int argc, char **argv)
{
    struct buf zone_text CLEANUP(buf_done);
    struct arena arena CLEANUP(arena_done);
    struct dkim_keys_cache *cache CLEANUP(dkim_keys_cache_free) = dkim_keys_cache_new(64);
    struct err_detail detail = {0};
    struct dns_zone zone;
    uint64_t now, split;
    buf_init(&zone_text, MESSAGE_MAX);
    arena_init(&arena, "zone", MESSAGE_MAX);
    if (argc < 5 || strcmp(argv[1], "verify") != 0 || !slice_u64(slice_str(argv[3]), &now) ||
        !slice_u64(slice_str(argv[4]), &split)) {
        fputs("usage: dkim_run verify ZONE NOW SPLIT MESSAGE...\n", stderr);
        return 2;
    }
    if (!read_all(argv[2], &zone_text) || dns_zone_text_read(buf_view(&zone_text), &arena, &zone, &detail)) {
        fprintf(stderr, "dkim_run: %s: %s\n", argv[2], detail.text);
        return 2;
    }
    for (int i = 5; i < argc; i++) {
        struct buf message CLEANUP(buf_done);
        buf_init(&message, MESSAGE_MAX);
        if (!read_all(argv[i], &message))
            return 2;
        printf("= %s\n", argv[i]);
        verify(buf_view(&message), &zone, (time_ms)now * MS_SECOND, (size_t)split, cache);
    }
    return 0;
}
