/* What the mother may do: start processes of her own image, and make a folder for a new account. What a child
 * may do: read and write the files of its own account's folder, and talk on the sockets it was given. */
#include "proc/account/mother.h"

const struct rights account_mother_rights = {
    .role = "account",
    .calls = RIGHTS_FILES | RIGHTS_FORK,
    .folder = true,
    .fds_max = 1024,
    .memory_max_mb = 1024, /* her children's bound, which they could not raise */
};

const struct rights account_child_rights = {
    .role = "account",
    .calls = RIGHTS_FILES,
    .folder = true,
    .fds_max = 1024,
    .memory_max_mb = 1024,
};
