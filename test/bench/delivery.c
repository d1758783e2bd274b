/* delivery: what the account database makes of messages, alone: no channels, no network, one process.
 *
 *   delivery FOLDER [ACCOUNTS]     prints a table; databases are made in the folder and removed
 *
 * Each delivery parses, compresses, writes and commits durably. CPU is that of this process. */
#include "store/account.h"
#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double wall(void)
{
    struct timespec t;
    must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
    struct rusage u;
    must(getrusage(RUSAGE_SELF, &u) == 0);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void ok(enum err e)
{
    if (e != OK) {
        (void)fprintf(stderr, "delivery: %s\n", err_text(e));
        exit(1);
    }
}

static const char *const words[] = {
    "the ",    "meeting ", "is ",       "on ",       "Tuesday ",  "please ",  "send ",    "report ",
    "before ", "noon ",    "customer ", "question ", "about ",    "invoice ", "number ",  "thanks ",
    "kind ",   "regards ", "we ",       "have ",     "seen ",     "your ",    "message ", "and ",
    "will ",   "answer ",  "soon ",     "as ",       "possible ", "with ",    "details "};

static size_t make(char *p, size_t bytes, unsigned number)
{
    size_t n = (size_t)snprintf(
        p, bytes,
        "Return-Path: <person%u@example.com>\r\nDelivered-To: user@bench.test\r\n"
        "Received: from mail.example.com (mail.example.com [192.0.2.7])\r\n\tby mx.bench.test "
        "with ESMTPS id %08x\r\n\tfor <user@bench.test>; Tue, 3 Mar 2026 10:00:00 +0000\r\n"
        "From: Some Person <person%u@example.com>\r\nTo: user@bench.test\r\nSubject: About "
        "number %u\r\nDate: Tue, 3 Mar 2026 10:00:00 +0100\r\nMessage-ID: "
        "<%08x.%u@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
        "charset=utf-8\r\n\r\n",
        number, number * 2654435761u, number % 97, number, number * 40503u, number);
    size_t line = 0;
    while (n < bytes) {
        const char *w = words[(unsigned)rand() % ARRAY_LEN(words)];
        size_t k = strlen(w);
        memcpy(p + n, w, k);
        n += k;
        line += k;
        if (line > 70) {
            memcpy(p + n, "\r\n", 2);
            n += 2;
            line = 0;
        }
    }
    memcpy(p + n, "\r\n", 2);
    return n + 2;
}

struct accounts {
    struct account_db *db[64];
    struct account_store *s[64];
    size_t n;
};

static void deliver(struct accounts *a, const char *name, size_t bytes, unsigned messages, unsigned together)
{
    static char text[70000];
    unsigned number = 0;
    double t = wall(), c = cpu();
    for (unsigned i = 0; i < messages;) {
        size_t k = (i / together) % a->n;
        struct account_batch *b = NULL;
        struct account_added added;
        ok(account_batch_begin(a->s[k], &b));
        for (unsigned j = 0; j < together; j++, i++) {
            slice piece = slice_of(text, make(text, bytes, ++number));
            const struct account_message m = {.mailbox = account_inbox(a->s[k]),
                                              .pieces = &piece,
                                              .pieces_n = 1,
                                              .internal_at = 1790000000000 + i,
                                              .mail_id =
                                                  (uint64_t)1790000000000 * 1000 + (uint64_t)rand() * 64 + i,
                                              .recipient = SLICE("user@bench.test")};
            ok(account_batch_add(b, &m, &added));
        }
        ok(account_batch_commit(&b));
        bool more;
        ok(account_db_idle(a->db[k], 1790000000000, false, &more));
    }
    t = wall() - t;
    c = cpu() - c;
    (void)printf("%-38s %8.0f/s %8.1f us wall %8.1f us CPU a message\n", name, messages / t,
                 t / messages * 1e6, c / messages * 1e6);
}

static uint64_t private_kib(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[200];
    uint64_t sum = 0;
    unsigned long long v;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Private_Dirty: %llu", &v) == 1)
            sum += v;
    if (f)
        (void)fclose(f);
    return sum;
}

static const char *path_of(size_t i, char path[64])
{
    (void)snprintf(path, 64, "delivery-%zu.db", i);
    return path;
}

int main(int argc, char **argv)
{
    struct accounts a = {.n = argc > 2 ? strtoul(argv[2], NULL, 10) : 16};
    char path[64];
    if (argc < 2 || a.n < 1 || a.n > 64 || chdir(argv[1]) != 0) {
        (void)fprintf(stderr, "usage: delivery FOLDER [ACCOUNTS, 1..64]\n");
        return 2;
    }
    db_setup();
    uint64_t before = private_kib();
    for (size_t i = 0; i < a.n; i++) {
        (void)path_of(i, path);
        (void)unlink(path); /* left from before, or not there */
        double t = wall();
        ok(account_db_open(&(struct account_options){.path = path, .now = 1790000000000, .reserve_bytes = 1},
                           &a.db[i], NULL));
        if (i + 1 == a.n)
            (void)printf("open a new one: %.2f ms; private memory for each: %llu KiB\n", (wall() - t) * 1e3,
                         (unsigned long long)((private_kib() - before) / a.n));
        a.s[i] = account_store_new(a.db[i], ACCOUNT_OWNER | ACCOUNT_DELIVER);
    }
    deliver(&a, "2 KB, one a commit", 2048, 4000, 1);
    deliver(&a, "2 KB, one a commit, again", 2048, 4000, 1);
    deliver(&a, "2 KB, 8 a commit", 2048, 8000, 8);
    deliver(&a, "20 KB, one a commit", 20480, 2000, 1);
    struct accounts one = a;
    one.n = 1;
    deliver(&one, "2 KB, one a commit, one account", 2048, 3000, 1);
    deliver(&one, "2 KB, 1,000 a commit, one account", 2048, 20000, 1000);
    (void)printf("private memory for each after that: %llu KiB\n",
                 (unsigned long long)((private_kib() - before) / a.n));
    for (size_t i = 0; i < a.n; i++) {
        bool more;
        ok(account_db_idle(a.db[i], 1790000000000, true, &more));
    }
    (void)printf("and after being idle: %llu KiB\n", (unsigned long long)((private_kib() - before) / a.n));
    for (size_t i = 0; i < a.n; i++) {
        struct account_quota q;
        ok(account_quota(a.s[i], &q));
        account_store_free(&a.s[i]);
        double t = wall();
        account_db_close(&a.db[i]);
        double closed = wall();
        ok(account_db_open(&(struct account_options){.path = path_of(i, path), .now = 1790000000000},
                           &a.db[i], NULL));
        if (i == a.n - 1)
            (void)printf("close: %.2f ms; open again: %.2f ms\n", (closed - t) * 1e3,
                         (wall() - closed) * 1e3);
        account_db_close(&a.db[i]);
        (void)path_of(i, path);
        FILE *f = fopen(path, "r");
        must(f && fseek(f, 0, SEEK_END) == 0);
        if (i == 0)
            (void)printf("on the disk: %.2f bytes for each byte of mail, %.0f bytes a message\n",
                         (double)ftell(f) / (double)q.bytes, (double)ftell(f) / (double)q.messages);
        (void)fclose(f);
        (void)unlink(path); /* ours */
    }
    return 0;
}
