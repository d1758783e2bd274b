/* directory_journal: directory (A) asks journal (B) for the story of a message. */
#ifndef POSTHORN_IPC_DIRECTORY_JOURNAL_H
#define POSTHORN_IPC_DIRECTORY_JOURNAL_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum directory_journal_type {
    DIRECTORY_JOURNAL_ASK = 1,
    DIRECTORY_JOURNAL_ROW = 2,
};

struct trace_ask {
    slice query;   /* address, Message-ID, mail id or IP */
    int64_t since; /* Unix ms, 0: all */
    uint32_t from; /* row to begin with */
    bool json;
};

struct trace_row {
    uint32_t err;  /* OK, ERR_NOT_FOUND: nothing known */
    slice text;    /* sentences, or JSON lines */
    uint32_t next; /* ask again from this row; 0: no more */
};

extern const struct ipc_channel directory_journal_channel;

#endif
