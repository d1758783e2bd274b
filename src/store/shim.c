/* See shim.h. */
#include "store/shim.h"

#include "base/list.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define SECTOR 512

struct pending { /* a write that no sync has covered; bytes NULL: a truncation to at */
    size_t at, n;
    uint8_t *bytes;
    struct pending *next;
};

struct bytes {
    uint8_t *p;
    size_t n;
};

struct file {
    struct list link;
    char name[256];
    struct bytes now, durable;
    struct pending *first, **last;
    void *locked_by;
};

struct handle {
    sqlite3_file base;
    struct file *file;
    bool temporary;
};

static struct {
    struct list files;
    uint64_t random;
    uint64_t counts[5];
    unsigned ops;
    enum shim_fault fault;
    uint64_t k, at;
    bool armed, fired, dead, full;
} disk;

static uint64_t random_next(void)
{
    disk.random ^= disk.random << 13;
    disk.random ^= disk.random >> 7;
    disk.random ^= disk.random << 17;
    return disk.random;
}

/* Counts one operation. True: it has to fail, for the reason in disk.fault. */
static bool fails(enum shim_op op)
{
    for (unsigned i = 0; i < ARRAY_LEN(disk.counts); i++)
        disk.counts[i] += op == 1u << i;
    if (disk.dead)
        return op != SHIM_ALLOC;
    if (!disk.armed || !(disk.ops & op) || ++disk.at != disk.k)
        return false;
    disk.fired = true;
    disk.armed = false;
    disk.dead = disk.fault == SHIM_CRASH;
    disk.full = disk.fault == SHIM_FULL;
    return true;
}

static void bytes_resize(struct bytes *b, size_t n)
{
    if (n > b->n || !b->p) {
        b->p = realloc(b->p, n + 1);
        must(b->p != NULL);
        memset(b->p + b->n, 0, n + 1 - size_min(b->n, n));
    }
    b->n = n;
}

static void bytes_write(struct bytes *b, size_t at, const void *p, size_t n)
{
    if (at + n > b->n)
        bytes_resize(b, at + n);
    if (n)
        memcpy(b->p + at, p, n);
}

static void pending_drop(struct file *f)
{
    while (f->first) {
        struct pending *p = f->first;
        f->first = p->next;
        free(p->bytes);
        free(p);
    }
    f->last = &f->first;
}

static void pending_add(struct file *f, size_t at, const void *bytes, size_t n)
{
    struct pending *p = calloc(1, sizeof *p);
    must(p != NULL);
    p->at = at;
    p->n = n;
    if (bytes) {
        p->bytes = malloc(n + 1);
        must(p->bytes != NULL);
        memcpy(p->bytes, bytes, n);
    }
    *f->last = p;
    f->last = &p->next;
}

static struct file *find(const char *name)
{
    LIST_EACH(it, &disk.files)
    {
        struct file *f = LIST_OF(it, struct file, link);
        if (strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

static struct file *make(const char *name)
{
    struct file *f = calloc(1, sizeof *f);
    must(f != NULL);
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    f->last = &f->first;
    list_append(&disk.files, &f->link);
    return f;
}

static void unmake(struct file *f)
{
    pending_drop(f);
    list_remove(&f->link);
    free(f->now.p);
    free(f->durable.p);
    free(f);
}

/* --- the file methods */

static int f_close(sqlite3_file *file)
{
    struct handle *h = (struct handle *)(void *)file;
    if (h->file->locked_by == h)
        h->file->locked_by = NULL;
    if (h->temporary)
        unmake(h->file);
    return SQLITE_OK;
}

static int f_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
    struct file *f = ((struct handle *)(void *)file)->file;
    if (fails(SHIM_READ))
        return SQLITE_IOERR_READ;
    size_t have = (size_t)at < f->now.n ? size_min(f->now.n - (size_t)at, (size_t)n) : 0;
    if (have)
        memcpy(out, f->now.p + at, have);
    memset((uint8_t *)out + have, 0, (size_t)n - have);
    return have == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int f_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    struct file *f = ((struct handle *)(void *)file)->file;
    bool longer = (size_t)at + (size_t)n > f->now.n;
    if (fails(SHIM_WRITE)) {
        if (disk.fault == SHIM_CRASH) /* the power went while it was being written */
            pending_add(f, (size_t)at, p, (size_t)n);
        return disk.fault == SHIM_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    if (disk.full && longer)
        return SQLITE_FULL;
    bytes_write(&f->now, (size_t)at, p, (size_t)n);
    pending_add(f, (size_t)at, p, (size_t)n);
    return SQLITE_OK;
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 n)
{
    struct file *f = ((struct handle *)(void *)file)->file;
    if (fails(SHIM_WRITE))
        return SQLITE_IOERR_TRUNCATE;
    if ((size_t)n < f->now.n) {
        bytes_resize(&f->now, (size_t)n);
        pending_add(f, (size_t)n, NULL, 0);
    }
    return SQLITE_OK;
}

static int f_sync(sqlite3_file *file, int flags)
{
    struct file *f = ((struct handle *)(void *)file)->file;
    (void)flags;
    if (fails(SHIM_SYNC)) {
        if (!disk.dead) /* Linux: the pages are marked clean though they never reached the disk */
            pending_drop(f);
        return SQLITE_IOERR_FSYNC;
    }
    for (struct pending *p = f->first; p; p = p->next)
        if (p->bytes)
            bytes_write(&f->durable, p->at, p->bytes, p->n);
        else if (p->at < f->durable.n)
            bytes_resize(&f->durable, p->at);
    pending_drop(f);
    return SQLITE_OK;
}

static int f_size(sqlite3_file *file, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((struct handle *)(void *)file)->file->now.n;
    return SQLITE_OK;
}

static int f_lock(sqlite3_file *file, int level)
{
    struct handle *h = (struct handle *)(void *)file;
    if (h->file->locked_by && h->file->locked_by != h)
        return SQLITE_BUSY;
    if (level > SQLITE_LOCK_SHARED)
        h->file->locked_by = h;
    return SQLITE_OK;
}

static int f_unlock(sqlite3_file *file, int level)
{
    struct handle *h = (struct handle *)(void *)file;
    if (level <= SQLITE_LOCK_SHARED && h->file->locked_by == h)
        h->file->locked_by = NULL;
    return SQLITE_OK;
}

static int f_reserved(sqlite3_file *file, int *out)
{
    *out = ((struct handle *)(void *)file)->file->locked_by != NULL;
    return SQLITE_OK;
}

static int f_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int f_sector(sqlite3_file *file)
{
    (void)file;
    return SECTOR;
}

static int f_device(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
};

/* --- the VFS methods */

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct handle *h = (struct handle *)(void *)file;
    (void)vfs;
    h->base.pMethods = NULL;
    if (fails(SHIM_OPEN))
        return SQLITE_CANTOPEN;
    struct file *f = name ? find(name) : NULL;
    if (!f && !(flags & SQLITE_OPEN_CREATE))
        return SQLITE_CANTOPEN;
    h->file = f ? f : make(name ? name : "");
    h->temporary = !name || (flags & SQLITE_OPEN_DELETEONCLOSE);
    h->base.pMethods = &methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    (void)sync;
    if (fails(SHIM_OPEN))
        return SQLITE_IOERR_DELETE;
    struct file *f = find(name);
    if (!f)
        return SQLITE_IOERR_DELETE_NOENT;
    unmake(f);
    return SQLITE_OK;
}

static int v_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    struct file *f = find(name);
    *out = f != NULL && (flags != SQLITE_ACCESS_EXISTS || f->now.n > 0);
    return SQLITE_OK;
}

static int v_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)n, "%s", name) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int v_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    for (int i = 0; i < n; i++)
        out[i] = (char)random_next();
    return n;
}

static int v_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int v_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    *out = 2460000.5;
    return SQLITE_OK;
}

static int v_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    (void)n;
    (void)out;
    return 0;
}

static sqlite3_vfs vfs = {
    .iVersion = 1,
    .szOsFile = sizeof(struct handle),
    .mxPathname = 255,
    .zName = SHIM_VFS,
    .xOpen = v_open,
    .xDelete = v_delete,
    .xAccess = v_access,
    .xFullPathname = v_full_path,
    .xRandomness = v_randomness,
    .xSleep = v_sleep,
    .xCurrentTime = v_time,
    .xGetLastError = v_error,
};

/* --- the allocator */

static sqlite3_mem_methods memory;

static void *m_malloc(int n)
{
    return fails(SHIM_ALLOC) ? NULL : memory.xMalloc(n);
}

static void *m_realloc(void *p, int n)
{
    return fails(SHIM_ALLOC) ? NULL : memory.xRealloc(p, n);
}

/* --- for the tests */

void shim_install(void)
{
    list_init(&disk.files);
    disk.random = 88172645463325252u;
    must(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) == SQLITE_OK);
    sqlite3_mem_methods counting = memory;
    counting.xMalloc = m_malloc;
    counting.xRealloc = m_realloc;
    must(sqlite3_config(SQLITE_CONFIG_MALLOC, &counting) == SQLITE_OK);
    must(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK); /* every allocation can fail */
    must(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

void shim_reset(uint64_t seed)
{
    while (!list_empty(&disk.files))
        unmake(LIST_OF(disk.files.next, struct file, link));
    disk.random = seed * 2654435761u + 88172645463325252u;
    disk.dead = disk.armed = disk.full = disk.fired = false;
}

void shim_count_from(void)
{
    memset(disk.counts, 0, sizeof disk.counts);
    disk.at = 0;
}

void shim_arm(enum shim_fault fault, unsigned ops, uint64_t k)
{
    shim_count_from();
    disk.fault = fault;
    disk.ops = ops;
    disk.k = k;
    disk.armed = true;
    disk.fired = false;
}

void shim_disarm(void)
{
    disk.armed = disk.full = false;
}

uint64_t shim_count(unsigned ops)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < ARRAY_LEN(disk.counts); i++)
        n += ops & 1u << i ? disk.counts[i] : 0;
    return n;
}

bool shim_fired(void)
{
    return disk.fired;
}

/* Of each write that no sync covered, each sector may be there or not. */
static void lose(struct file *f)
{
    struct bytes b = f->durable;
    f->durable = (struct bytes){NULL, 0};
    for (struct pending *p = f->first; p; p = p->next) {
        if (!p->bytes && random_next() % 2)
            bytes_resize(&b, size_min(p->at, b.n));
        for (size_t i = 0; p->bytes && i < p->n; i += SECTOR)
            if (random_next() % 2)
                bytes_write(&b, p->at + i, p->bytes + i, size_min(SECTOR, p->n - i));
    }
    pending_drop(f);
    free(f->now.p);
    f->now = b;
    bytes_write(&f->durable, 0, b.p ? b.p : (const void *)"", b.n);
}

void shim_power_cycle(void)
{
    LIST_EACH(it, &disk.files)
    lose(LIST_OF(it, struct file, link));
    disk.dead = disk.armed = disk.full = false;
}

slice shim_file(const char *name)
{
    struct file *f = find(name);
    return f ? slice_of(f->now.p, f->now.n) : (slice){NULL, 0};
}

void shim_put(const char *name, slice bytes)
{
    struct file *f = find(name);
    if (!f)
        f = make(name);
    pending_drop(f);
    f->now.n = 0;
    bytes_write(&f->now, 0, bytes.p, bytes.n);
    f->durable.n = 0;
    bytes_write(&f->durable, 0, bytes.p, bytes.n);
}
