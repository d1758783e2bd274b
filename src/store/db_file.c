/* See db_file.h. */
#include "store/db_file.h"

#include "base/slice.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define GATHER_BYTES ((size_t)64 << 10)
#define FRAME_HEADER 24 /* what a frame of the log begins with */
#define VFS_MAX      4  /* bases in one process */

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct, in the same allocation */
    uint8_t *gathered;  /* NULL: nothing waits */
    size_t n;
    sqlite3_int64 at; /* where gathered[0] belongs */
};

struct layer {
    sqlite3_vfs vfs;
    sqlite3_vfs *base;
    char name[64];
};

static struct layer layers[VFS_MAX];
static size_t layers_n;

static struct file *file_of(sqlite3_file *f)
{
    return (struct file *)(void *)f;
}

/* What was not written is lost: SQLite takes the transaction back, and writes over its place. */
static int flush(struct file *f)
{
    int rc = SQLITE_OK;
    if (f->gathered)
        rc = f->real->pMethods->xWrite(f->real, f->gathered, (int)f->n, f->at);
    free(f->gathered);
    f->gathered = NULL;
    f->n = 0;
    return rc;
}

static int f_close(sqlite3_file *file)
{
    struct file *f = file_of(file);
    int rc = flush(f);
    int closed = f->real->pMethods->xClose(f->real);
    return rc != SQLITE_OK ? rc : closed;
}

static int f_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
    struct file *f = file_of(file);
    int rc = flush(f);
    return rc != SQLITE_OK ? rc : f->real->pMethods->xRead(f->real, out, n, at);
}

static int f_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    struct file *f = file_of(file);
    size_t bytes = (size_t)n;
    if (f->gathered && (at != f->at + (sqlite3_int64)f->n || f->n + bytes > GATHER_BYTES)) {
        int rc = flush(f);
        if (rc != SQLITE_OK)
            return rc;
    }
    if ((!f->gathered && n != FRAME_HEADER) || bytes > GATHER_BYTES)
        return f->real->pMethods->xWrite(f->real, p, n, at);
    if (!f->gathered) {
        f->gathered = malloc(GATHER_BYTES);
        must(f->gathered != NULL);
        f->at = at;
    }
    memcpy(f->gathered + f->n, p, bytes);
    f->n += bytes;
    return SQLITE_OK;
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 n)
{
    struct file *f = file_of(file);
    int rc = flush(f);
    return rc != SQLITE_OK ? rc : f->real->pMethods->xTruncate(f->real, n);
}

static int f_sync(sqlite3_file *file, int flags)
{
    struct file *f = file_of(file);
    int rc = flush(f);
    return rc != SQLITE_OK ? rc : f->real->pMethods->xSync(f->real, flags);
}

static int f_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct file *f = file_of(file);
    int rc = flush(f);
    return rc != SQLITE_OK ? rc : f->real->pMethods->xFileSize(f->real, out);
}

static int f_lock(sqlite3_file *file, int level)
{
    struct file *f = file_of(file);
    return f->real->pMethods->xLock(f->real, level);
}

static int f_unlock(sqlite3_file *file, int level)
{
    struct file *f = file_of(file);
    return f->real->pMethods->xUnlock(f->real, level);
}

static int f_reserved(sqlite3_file *file, int *out)
{
    struct file *f = file_of(file);
    return f->real->pMethods->xCheckReservedLock(f->real, out);
}

static int f_control(sqlite3_file *file, int op, void *arg)
{
    struct file *f = file_of(file);
    return f->real->pMethods->xFileControl(f->real, op, arg);
}

static int f_sector(sqlite3_file *file)
{
    struct file *f = file_of(file);
    return f->real->pMethods->xSectorSize(f->real);
}

static int f_device(sqlite3_file *file)
{
    struct file *f = file_of(file);
    return f->real->pMethods->xDeviceCharacteristics(f->real);
}

static const sqlite3_io_methods methods = {
    .iVersion = 1, /* all that a log needs */
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

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    sqlite3_vfs *base = ((struct layer *)(void *)vfs)->base;
    struct file *f = file_of(file);
    if (!(flags & SQLITE_OPEN_WAL))
        return base->xOpen(base, name, file, flags, out_flags);
    *f = (struct file){.real = (sqlite3_file *)(void *)(f + 1)};
    int rc = base->xOpen(base, name, f->real, flags, out_flags);
    if (rc == SQLITE_OK)
        f->base.pMethods = &methods;
    else if (f->real->pMethods)
        (void)f->real->pMethods->xClose(f->real); /* opening failed: that is what is reported */
    return rc;
}

static int v_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)n, "%s", name) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

const char *db_file_vfs(const char *base_name)
{
    sqlite3_vfs *base = sqlite3_vfs_find(base_name);
    if (!base)
        return NULL;
    for (size_t i = 0; i < layers_n; i++)
        if (layers[i].base == base)
            return layers[i].name;
    must(layers_n < VFS_MAX);
    struct layer *l = &layers[layers_n++];
    static_assert(sizeof(struct file) % 8 == 0, "the real file stands behind it; SQLite aligns both to 8");
    (void)snprintf(l->name, sizeof l->name, "posthorn:%.40s", base->zName);
    l->base = base;
    l->vfs = *base; /* its other methods know themselves by pAppData or not at all */
    l->vfs.pNext = NULL;
    l->vfs.zName = l->name;
    l->vfs.szOsFile = base->szOsFile + (int)sizeof(struct file);
    l->vfs.xOpen = v_open;
    l->vfs.xFullPathname = v_full_path;
    must(sqlite3_vfs_register(&l->vfs, 0) == SQLITE_OK);
    return l->name;
}
