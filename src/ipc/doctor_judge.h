/* doctor_judge: doctor (A) asks judge (B) which of the lists of addresses it has switched off, so that the
 * administrator hears of it (THREATS 28). Asked, not told: what doctor knows is then true after either of
 * them was started anew. */
#ifndef POSTHORN_IPC_DOCTOR_JUDGE_H
#define POSTHORN_IPC_DOCTOR_JUDGE_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum doctor_judge_type {
    DOCTOR_JUDGE_LOOK = 1,
    DOCTOR_JUDGE_LISTS = 2,
};

#define DOCTOR_JUDGE_LISTS_MAX 32

struct judge_look {
    bool lists; /* always true */
};

/* A list that failed its check; one that was not checked yet is not among them. */
struct judge_list_off {
    slice zone;
    bool white;
    slice why;     /* in words */
    int64_t since; /* Unix ms */
};

struct judge_lists_off {
    const struct judge_list_off *lists;
    size_t n_lists;
};

extern const struct ipc_channel doctor_judge_channel;

#endif
