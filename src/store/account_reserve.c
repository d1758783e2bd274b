/* The file that is given up when the disk is full (THREATS 61): SQLite needs some new blocks even to delete,
 * and others may have filled the disk below what we keep free. The file holds those blocks while nobody needs
 * them. */
#include "store/account__.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESERVE_FILE_BYTES ((uint64_t)512 << 10)
#define RESERVE_SCARCE     ((uint64_t)1 << 20) /* with less than this left on the disk it is given up */
#define RESERVE_SUFFIX     ".reserve"

void account__reserve_init(struct account_db *db, const char *path)
{
    size_t n = strlen(path);
    struct stat st;
    db->reserve_path = account__alloc(n + sizeof RESERVE_SUFFIX, 1);
    memcpy(db->reserve_path, path, n);
    memcpy(db->reserve_path + n, RESERVE_SUFFIX, sizeof RESERVE_SUFFIX);
    db->reserve_held = db->real_disk && stat(db->reserve_path, &st) == 0 && st.st_size > 0;
}

void account__reserve_give_up(struct account_db *db)
{
    if (!db->reserve_held || db->disk_free(db->disk_free_arg) >= RESERVE_SCARCE)
        return;
    (void)unlink(db->reserve_path); /* if that fails, too, the disk's error will be reported where it hurts */
    db->reserve_held = false;
}

void account__reserve_take(struct account_db *db)
{
    if (db->reserve_held || !db->real_disk || db->reserve_bytes == 0 ||
        account__disk_room(db, 4 * RESERVE_SCARCE) != OK)
        return;
    int fd = open(db->reserve_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return; /* tried again at the next quiet moment */
    db->reserve_held = posix_fallocate(fd, 0, (off_t)RESERVE_FILE_BYTES) == 0;
    (void)close(fd); /* nothing was written */
    if (!db->reserve_held)
        (void)unlink(db->reserve_path); /* as above */
}
