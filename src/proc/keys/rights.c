/* What keys may do: read and write its folder (the keys that sign mail), start a thread to make such a key,
 * read from its channels, compute, answer. No socket, no process. The files of TLS keys were handed to it
 * open, and are closed before it is locked in. */
#include "proc/keys/keys.h"

const struct rights keys_rights = {
    .role = "keys",
    .calls = RIGHTS_FILES | RIGHTS_THREADS,
    .folder = true,
    .fds_max = 256, /* one channel for each edge */
    .memory_max_mb = 128,
};
