/* Prints docs/channels.md from the tables; with a file as argument, says whether that file is what would be
 * printed: build/test/unit/ipc/channels_doc > docs/channels.md */
#include "ipc/channels.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const doc_intro =
    "# Channels\n\n"
    "Written by `test/unit/ipc/channels_doc.c` from the tables in `src/ipc`; a test compares them.\n\n"
    "A channel is a SOCK_SEQPACKET socket pair between two roles. A message is a header of 12 bytes (version "
    "u16, type u16, id u64; "
    "big-endian) and the fields of its struct in order: numbers big-endian, a slice as u32 length and bytes, "
    "a list as u32 count and "
    "items. Requests carry a fresh id, replies that id, one-way messages 0. Limits are checked by both ends; "
    "whoever breaks a rule "
    "loses the channel. End A asks.\n";

static void doc_fields(struct buf *b, const struct ipc_shape *s)
{
    static const char *const kinds[] = {"bool", "u8", "u16", "u32", "u64", "i64", "slice", "list"};
    for (size_t i = 0; i < s->n_fields; i++) {
        const struct ipc_field *f = &s->fields[i];
        (void)buf_print(b, "%s%s %s", i ? ", " : "", f->name, kinds[f->kind]);
        if (f->kind == IPC_LIST)
            (void)buf_print(b, " of %s", f->item->name + sizeof "struct " - 1);
        if (f->max)
            (void)buf_print(b, " ≤ %u", f->max);
    }
}

static void doc_channel(struct buf *b, const struct ipc_channel *c)
{
    static const char *const ways[] = {"one way", "request", "reply"};
    (void)buf_print(
        b, "\n## %s, version %u\n\n| type | from | message | descriptors | fields |\n|---|---|---|---|---|\n",
        c->name, c->version);
    for (size_t i = 0; i < c->n_messages; i++) {
        const struct ipc_message *m = &c->messages[i];
        (void)buf_print(b, "| %u | %c | %s (%s) | %u–%u | ", m->type, m->from == IPC_A ? 'A' : 'B', m->name,
                        ways[m->way], m->fds_min, m->fds_max);
        if (m->shape)
            doc_fields(b, m->shape);
        (void)buf_str(b, " |\n");
    }
}

int main(int argc, char **argv)
{
    struct buf b;
    uint8_t *have;
    size_t n;
    FILE *f;
    bool same;
    buf_init(&b, 1 << 20);
    (void)buf_str(&b, doc_intro);
    for (size_t i = 0; i < ipc_channels_n; i++)
        doc_channel(&b, ipc_channels[i]);
    must(!buf_failed(&b));
    if (argc < 2) {
        same = fwrite(b.p, 1, b.n, stdout) == b.n;
        buf_done(&b);
        return !same;
    }
    f = fopen(argv[1], "r");
    have = malloc(b.n + 1);
    must(have);
    n = f ? fread(have, 1, b.n + 1, f) : 0;
    same = slice_eq(slice_of(have, n), buf_view(&b));
    if (f)
        (void)fclose(f); /* read only */
    free(have);
    buf_done(&b);
    if (!same)
        fprintf(stderr, "%s is not what the tables in src/ipc say; print it anew with %s\n", argv[1],
                argv[0]);
    return !same;
}
