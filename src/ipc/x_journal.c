#include "ipc/x_journal.h"

static const struct ipc_field journal_events_fields[] = {
    IPC_TEXT(struct journal_events, events, 120000),
    IPC_NUM(struct journal_events, U64, dropped),
};
static const struct ipc_shape journal_events_shape = IPC_SHAPE(struct journal_events, journal_events_fields);

static const struct ipc_message x_journal_messages[] = {
    {X_JOURNAL_EVENTS, "events", IPC_A, IPC_ONE_WAY, 0, &journal_events_shape, 0, 0},
};

const struct ipc_channel x_journal_channel = {"x_journal", 1, x_journal_messages,
                                              ARRAY_LEN(x_journal_messages), 16};
