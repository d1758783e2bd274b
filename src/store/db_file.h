/* db_file: the files of a database as SQLite gets them: a VFS over the system's (or a test's) with two
 * changes.
 *
 * 1. A name stays as it is given: a locked-in process may not look at the folders above its own, which SQLite
 * does to make a name absolute.
 * 2. Writes to the log that follow one another are gathered and written at once. SQLite writes each page of a
 *    transaction in two calls, some twenty for a small one. What is gathered is written before anything else
 * happens to the file: a sync, a read, a truncation, a question for its size, closing. An error in writing
 * then comes from that call; with synchronous=FULL a commit always ends in a sync, so no error comes too
 * late.
 *
 * Gathering begins with the header of a frame only: on a disk where SQLite pads a transaction to the end of a
 * sector, the rest of the padding comes behind the sync, belongs to what was committed, and must not wait.
 *
 * Memory: at most GATHER_BYTES, between the first write and the sync. */
#ifndef POSTHORN_STORE_DB_FILE_H
#define POSTHORN_STORE_DB_FILE_H

/* The name of the VFS over `base` (NULL: the system's), registered when first asked for; NULL when there is
 * no such base. */
const char *db_file_vfs(const char *base);

#endif
