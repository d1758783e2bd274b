/* directory_doctor: directory (A) carries the administrator's words to doctor (B): what is wrong with this
 * server as the outside sees it, and the records the DNS should hold. A call may bring the descriptor that
 * the administrator's command gave. */
#ifndef POSTHORN_IPC_DIRECTORY_DOCTOR_H
#define POSTHORN_IPC_DIRECTORY_DOCTOR_H

#include "ipc/admin_words.h"

enum directory_doctor_type {
    DIRECTORY_DOCTOR_CALL = 1,
    DIRECTORY_DOCTOR_ROW = 2,
    DIRECTORY_DOCTOR_MORE = 3,
};

extern const struct ipc_channel directory_doctor_channel;

#endif
