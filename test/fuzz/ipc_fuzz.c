/* Every decoder of every channel: byte 0 picks the channel, byte 1 the message, the rest is what a peer sent.
 * What decodes must encode to the same bytes. */
#include "ipc/channels.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ipc_channel *channel;
    const struct ipc_message *row;
    struct arena a;
    struct buf out;
    void *message;
    slice bytes;
    if (size < 2)
        return 0;
    channel = ipc_channels[data[0] % ipc_channels_n];
    row = &channel->messages[data[1] % channel->n_messages];
    if (!row->shape)
        return 0;
    bytes = slice_of(data + 2, size - 2);
    arena_init(&a, "fuzz", (size_t)4 << 20);
    buf_init(&out, IPC_BYTES_MAX * 8);
    message = arena_alloc(&a, row->shape->size);
    must(message);
    if (ipc_decode(bytes, row->shape, &a, message) == OK) {
        must(ipc_encode(&out, row->shape, message) == OK);
        must(slice_eq(buf_view(&out), bytes));
    }
    buf_done(&out);
    arena_done(&a);
    return 0;
}
