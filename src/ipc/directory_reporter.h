/* directory_reporter: directory (A) carries the administrator's words to reporter (B): reports on mail in our
 * name, and on mail we judged. */
#ifndef POSTHORN_IPC_DIRECTORY_REPORTER_H
#define POSTHORN_IPC_DIRECTORY_REPORTER_H

#include "ipc/admin_words.h"

enum directory_reporter_type {
    DIRECTORY_REPORTER_CALL = 1,
    DIRECTORY_REPORTER_ROW = 2,
    DIRECTORY_REPORTER_MORE = 3,
};

extern const struct ipc_channel directory_reporter_channel;

#endif
