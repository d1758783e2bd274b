/* Packed records of the account database: a run of a mailbox (first byte even) or a message's record (odd).
 * The rest is the record without its checksum, which is put behind it, so that the decoders are reached. What
 * decodes is encoded and decoded again and must be the same. */
#include "store/message_record.h"
#include "store/run.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hash_key key = {1, 2};

static uint8_t *with_sum(slice s, size_t *out_n)
{
    uint8_t *p = malloc(s.n + 4); /* exactly: reading past its end is seen */
    must(p != NULL);
    if (s.n)
        memcpy(p, s.p, s.n);
    uint64_t h = hash_slice(&key, slice_of(p, s.n));
    uint32_t sum = (uint32_t)(h ^ h >> 32);
    for (size_t i = 0; i < 4; i++)
        p[s.n + i] = (uint8_t)(sum >> (24 - 8 * i));
    *out_n = s.n + 4;
    return p;
}

static void run(slice record)
{
    static struct run a, b;
    static uint8_t again[RUN_BYTES_MAX];
    if (run_decode(record, &key, run_columns(&a), &a.n) != OK)
        return;
    must(a.n >= 1 && a.n <= RUN_MAX && a.uid[0] > 0);
    for (size_t i = 1; i < a.n; i++)
        must(a.uid[i] > a.uid[i - 1]);
    size_t n = run_encode(run_columns(&a), a.n, &key, again);
    must(run_decode(slice_of(again, n), &key, run_columns(&b), &b.n) == OK && a.n == b.n);
    must(memcmp(a.uid, b.uid, a.n * sizeof *a.uid) == 0 &&
         memcmp(a.flags, b.flags, a.n * sizeof *a.flags) == 0);
    must(memcmp(a.modseq, b.modseq, a.n * sizeof *a.modseq) == 0);
    must(memcmp(a.message, b.message, a.n * sizeof *a.message) == 0);
    must(memcmp(a.bytes, b.bytes, a.n * sizeof *a.bytes) == 0 &&
         memcmp(a.date, b.date, a.n * sizeof *a.date) == 0);
    again[n / 2] ^= 16;
    must(run_decode(slice_of(again, n), &key, run_columns(&b), &b.n) == ERR_CORRUPT);
}

static void message(slice record)
{
    struct message_meta m, again;
    struct buf b;
    if (message_record_decode(record, &key, &m) != OK)
        return;
    buf_init(&b, record.n + 200);
    must(message_record_encode(&m, &key, &b) == OK);
    must(message_record_decode(buf_view(&b), &key, &again) == OK);
    must(m.bytes == again.bytes && m.thread == again.thread);
    must(m.sent_at == again.sent_at && m.sent_zone == again.sent_zone && m.defects == again.defects);
    must(slice_eq(m.envelope, again.envelope) && slice_eq(m.part_table, again.part_table));
    must(slice_eq(m.bcc, again.bcc) && slice_eq(m.subject, again.subject));
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t n;
    uint8_t *p = with_sum(slice_of(data + 1, size - 1), &n);
    if (data[0] % 2)
        message(slice_of(p, n));
    else
        run(slice_of(p, n));
    free(p);
    return 0;
}
