/* codec: typed messages between roles, to bytes and back, driven by tables.
 *
 * A message is a plain struct; its shape (a table of fields) says how each member travels and how large it
 * may be. One encoder and one decoder serve every message of every channel, so there is one piece of code to
 * trust and to fuzz. Numbers are big-endian; a slice is a 32-bit length and its bytes; a list is a 32-bit
 * count and its items. A decoded slice views the received bytes; list items lie in the arena. Limits are
 * checked on both sides; bytes left over are an error. */
#ifndef POSTHORN_IPC_CODEC_H
#define POSTHORN_IPC_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum ipc_kind { IPC_BOOL, IPC_U8, IPC_U16, IPC_U32, IPC_U64, IPC_I64, IPC_SLICE, IPC_LIST };

struct ipc_shape;

struct ipc_field {
    const char *name;
    enum ipc_kind kind;
    uint16_t offset;
    uint16_t offset_n;            /* IPC_LIST: where the count (size_t) lies */
    uint32_t max;                 /* IPC_SLICE: bytes, IPC_LIST: items, numbers: greatest value when not 0 */
    const struct ipc_shape *item; /* IPC_LIST */
};

struct ipc_shape {
    const char *name;
    size_t size; /* of the struct */
    const struct ipc_field *fields;
    size_t n_fields;
};

/* Field tables: static const struct ipc_field f[] = {IPC_NUM(struct x, U32, code), IPC_TEXT(struct x, name,
 * 64)}; */
#define IPC_NUM(type, kind, member)                                                                          \
    {                                                                                                        \
#member, IPC_##kind, offsetof(type, member), 0, 0, NULL                                              \
    }
#define IPC_ENUM(type, kind, member, last)                                                                   \
    {                                                                                                        \
#member, IPC_##kind, offsetof(type, member), 0, last, NULL                                           \
    }
#define IPC_TEXT(type, member, max)                                                                          \
    {                                                                                                        \
#member, IPC_SLICE, offsetof(type, member), 0, max, NULL                                             \
    }
#define IPC_ITEMS(type, member, count, max, of)                                                              \
    {                                                                                                        \
#member, IPC_LIST, offsetof(type, member), offsetof(type, count), max, of                            \
    }
#define IPC_SHAPE(type, table)                                                                               \
    {                                                                                                        \
#type, sizeof(type), table, ARRAY_LEN(table)                                                         \
    }

enum ipc_end { IPC_A, IPC_B }; /* the two ends of a channel; A is the one that asks */

enum ipc_way { IPC_ONE_WAY, IPC_REQUEST, IPC_REPLY };

/* One row of a channel's table: what it is, who may send it, what answers it, how many descriptors it
 * carries. */
struct ipc_message {
    uint16_t type;
    const char *name;
    enum ipc_end from;
    enum ipc_way way;
    uint16_t reply; /* IPC_REQUEST: the type that answers it */
    const struct ipc_shape *shape;
    uint8_t fds_min, fds_max;
};

struct ipc_channel {
    const char *name;
    uint16_t version;
    const struct ipc_message *messages;
    size_t n_messages;
    uint32_t outstanding_max; /* requests without a reply that one end may have; more gives ERR_BUSY */
};

/* The largest message on any channel. Bodies do not travel in messages but as descriptors. */
#define IPC_BYTES_MAX ((size_t)128 * 1024)
#define IPC_FDS_MAX   8
#define IPC_HEADER    12 /* version u16, type u16, id u64 */

/* The row for a type, or NULL. */
const struct ipc_message *ipc_find(const struct ipc_channel *channel, uint16_t type);
/* Appends a struct's bytes. ERR_LIMIT when a member is larger than its shape allows. */
NODISCARD enum err ipc_encode(struct buf *out, const struct ipc_shape *shape, const void *value);
/* Fills *out_value (shape->size bytes) from all of bytes. ERR_SYNTAX or ERR_LIMIT; *out_value is then
 * undefined. */
NODISCARD enum err ipc_decode(slice bytes, const struct ipc_shape *shape, struct arena *arena,
                              void *out_value);

#endif
