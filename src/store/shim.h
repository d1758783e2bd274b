/* shim: a disk for tests, in memory, that fails on purpose. Linked by tests only.
 *
 * shim_install() gives SQLite a VFS named SHIM_VFS and an allocator, both counting. A test runs a scenario
 * once to see how many operations it makes, then again for every k with the k-th of them failing: an error of
 * the disk, a full disk, no memory, or the machine losing power. After a power cut every operation fails
 * until shim_power_cycle(), which keeps of what was not synced any mixture of 512-byte sectors, chosen by the
 * seed. One disk in a process; no threads. */
#ifndef POSTHORN_STORE_SHIM_H
#define POSTHORN_STORE_SHIM_H

#include "base/slice.h"

#define SHIM_VFS "posthorn-shim"

enum shim_op {
    SHIM_WRITE = 1, /* write and truncate */
    SHIM_SYNC = 2,
    SHIM_OPEN = 4, /* open and delete */
    SHIM_READ = 8,
    SHIM_ALLOC = 16,
};
enum shim_fault {
    SHIM_IO,    /* EIO; the operation is not done. A sync that fails loses what it should have kept */
    SHIM_FULL,  /* ENOSPC; from then on all writes that make a file longer fail, until disarmed */
    SHIM_CRASH, /* power cut: this operation and all later ones fail */
    SHIM_NOMEM, /* for SHIM_ALLOC */
};

/* Before anything else of SQLite in this process (instead of db_setup()). */
void shim_install(void);
/* An empty disk. All files must be closed. */
void shim_reset(uint64_t seed);
/* The k-th (from 1) operation of these kinds from now on fails. Counting starts anew. */
void shim_arm(enum shim_fault fault, unsigned ops, uint64_t k);
/* No more faults, except that a power cut lasts until shim_power_cycle(). */
void shim_disarm(void);
/* Operations of these kinds since shim_arm() or shim_count_from(). */
uint64_t shim_count(unsigned ops);
void shim_count_from(void);
/* Did the fault happen? */
bool shim_fired(void);
/* Power comes back. All files must be closed (closing works after a power cut). */
void shim_power_cycle(void);

/* A file's bytes as they are now; empty when there is none. Lives until the next change. */
slice shim_file(const char *name);
/* A file made of these bytes, synced. */
void shim_put(const char *name, slice bytes);

#endif
