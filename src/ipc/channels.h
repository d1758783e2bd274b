/* channels: every channel of the house, by name. Who is joined to whom is the table in
 * proc/supervisor/wiring.c. */
#ifndef POSTHORN_IPC_CHANNELS_H
#define POSTHORN_IPC_CHANNELS_H

#include "ipc/codec.h"

extern const struct ipc_channel *const ipc_channels[];
extern const size_t ipc_channels_n;

/* The channel with this name, or NULL. */
const struct ipc_channel *ipc_channel_find(slice name);

#endif
