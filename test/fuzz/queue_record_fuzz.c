/* queue records: arbitrary bytes are refused or decode to values that encode back to the same bytes. Octet 0
 * picks the record; with its top bit set the checksum is made right first, so that the grammar is reached. */
#include "store/queue_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf in CLEANUP(buf_done), out CLEANUP(buf_done);
    struct queue_message m = {0};
    struct queue_rcpt r = {0};
    if (size < 1)
        return 0;
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    must(buf_append(&in, slice_of(data + 1, size - 1)) == OK);
    if (data[0] & 0x80)
        must(buf_be64(&in, queue_sum(buf_view(&in))) == OK);
    if (data[0] & 1 ? queue_message_decode(buf_view(&in), &m) : queue_rcpt_decode(buf_view(&in), &r))
        return 0;
    must((data[0] & 1 ? queue_message_encode(&m, &out) : queue_rcpt_encode(&r, &out)) == OK);
    /* a message record of the first format is written again in today's */
    bool first = data[0] & 1 && size > 1 && data[1] == 1;
    must(first || slice_eq(buf_view(&in), buf_view(&out)));
    must(!first || queue_message_decode(buf_view(&out), &m) == OK);
    return 0;
}
