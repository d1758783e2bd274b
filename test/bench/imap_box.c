/* imap_box: what IMAP sessions make of a large mailbox, in one process: no TLS, no edge, so that what is seen
 * is ours. Usage: imap_box [messages]. One line a command: CPU time of this process (client and server),
 * bytes. Not part of the suites. */
#include "unit/proc/imap_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fill(struct imap_kit *k, size_t n)
{
    struct account_store *s = account_store_new(k->db, ACCOUNT_OWNER);
    static char text[6000];
    double t = seconds();
    for (size_t i = 0; i < n;) {
        struct account_batch *b = NULL;
        must(account_batch_begin(s, &b) == OK);
        for (size_t j = 0; j < 500 && i < n; j++, i++) {
            int len = snprintf(text, sizeof text,
                               "From: Person %zu <p%zu@example.org>\r\nTo: alice@demo.test\r\nSubject: "
                               "message number %zu\r\n"
                               "Date: Sat, 21 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%zu@example.org>\r\n"
                               "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
                               i % 997, i % 997, i, i);
            while (len < 3900)
                len += snprintf(text + len, sizeof text - (size_t)len,
                                "line %d of message %zu, with some words in it\r\n", len, i * 7919);
            slice body = slice_of(text, (size_t)len);
            struct account_message m = {.mailbox = account_inbox(s),
                                        .pieces = &body,
                                        .pieces_n = 1,
                                        .flags = i % 3 ? FLAG_SEEN : 0,
                                        .internal_at = imap_kit_now};
            struct account_added added;
            must(account_batch_add(b, &m, &added) == OK);
        }
        must(account_batch_commit(&b) == OK);
    }
    printf("%-44s %8.1f ms\n", "fill", (seconds() - t) * 1e3);
    account_store_free(&s);
}

int main(int argc, char **argv)
{
    static const char *const commands[] = {"SELECT INBOX",
                                           "UNSELECT",
                                           "SELECT INBOX",
                                           "UID FETCH 1:* (FLAGS)",
                                           "FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)",
                                           "FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
                                           "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (From To Subject Date)])",
                                           "FETCH 1:* (BODY.PEEK[])",
                                           "UID SEARCH UNSEEN",
                                           "UID SEARCH SUBJECT \"number 4242\"",
                                           "UID SEARCH FROM p77@",
                                           "UID SEARCH BODY \"nowhere to be found\"",
                                           "STORE 1:* +FLAGS.SILENT (\\Flagged)",
                                           "STORE 1:* -FLAGS (\\Flagged)",
                                           "CREATE Copied",
                                           "COPY 1:10000 Copied",
                                           "STORE 1:10000 +FLAGS.SILENT (\\Deleted)",
                                           "EXPUNGE",
                                           "NOOP"};
    size_t n = argc > 1 ? (size_t)atol(argv[1]) : 100000;
    struct imap_kit k;
    struct buf out;
    buf_init(&out, (size_t)2 << 30);
    imap_kit_start(&k);
    for (int i = 0; i < IMAP_KIT_CLIENTS; i++)
        k.got[i].max = (size_t)2 << 30;
    fill(&k, n);
    imap_kit_connect(&k, 0);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        double t = seconds();
        slice got = imap_kit_ask(&k, 0, "a", commands[i], &out);
        printf("%-44.44s %8.1f ms %10zu bytes\n", commands[i], (seconds() - t) * 1e3, got.n);
        fflush(stdout);
    }
    imap_kit_stop(&k);
    buf_done(&out);
    return 0;
}
