/* What keys may do: read from its channels, compute, answer. No file, no socket, no process. Its key files
 * were handed to it open, and are closed before it is locked in. */
#include "proc/keys/keys.h"

const struct rights keys_rights = {
    .role = "keys",
    .calls = 0,
    .folder = false,
    .fds_max = 256, /* one channel for each edge */
    .memory_max_mb = 64,
};
