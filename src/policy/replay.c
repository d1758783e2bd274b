#include "policy/replay.h"

#include <stdlib.h>

#define REPLAY_WAYS 8 /* rows of a group, in which a fingerprint may lie */

struct replay_row {
    uint64_t fingerprint;
    time_ms seen_at; /* 0: free */
    uint32_t times;
    uint32_t n_clients;
    uint64_t clients[REPLAY_CLIENTS]; /* the address folded; two that fold alike count once */
};

struct replay {
    struct replay_row rows[REPLAY_ROWS];
};
static_assert(REPLAY_ROWS % REPLAY_WAYS == 0, "whole groups");

struct replay *replay_new(void)
{
    struct replay *r = calloc(1, sizeof *r);
    must(r);
    return r;
}

void replay_free(struct replay **r)
{
    free(*r);
    *r = NULL;
}

static uint64_t replay_fold(const struct ip *ip)
{
    struct ip block = ip_block(ip, 32, 64); /* one IPv6 network is one sender */
    uint64_t a, b;
    memcpy(&a, block.b, 8);
    memcpy(&b, block.b + 8, 8);
    return a * 0x9E3779B97F4A7C15u ^ b;
}

/* The row of this fingerprint, else the one that is given up for it. */
static struct replay_row *replay_row(struct replay *r, uint64_t fingerprint)
{
    struct replay_row *group = &r->rows[fingerprint % (REPLAY_ROWS / REPLAY_WAYS) * REPLAY_WAYS],
                      *oldest = group;
    for (size_t i = 0; i < REPLAY_WAYS; i++) {
        if (group[i].seen_at && group[i].fingerprint == fingerprint)
            return &group[i];
        if (group[i].seen_at < oldest->seen_at)
            oldest = &group[i];
    }
    return oldest;
}

struct replay_seen replay_count(struct replay *r, uint64_t fingerprint, const struct ip *client,
                                uint32_t recipients, time_ms now)
{
    struct replay_row *row = replay_row(r, fingerprint);
    uint64_t from = replay_fold(client);
    size_t i = 0;
    if (row->fingerprint != fingerprint || !row->seen_at || now - row->seen_at > REPLAY_LIFE_MS)
        *row = (struct replay_row){.fingerprint = fingerprint};
    row->seen_at = now > 0 ? now : 1;
    row->times = recipients < UINT32_MAX - row->times ? row->times + recipients : UINT32_MAX;
    while (i < row->n_clients && row->clients[i] != from)
        i++;
    if (i == row->n_clients && i < REPLAY_CLIENTS)
        row->clients[row->n_clients++] = from;
    return (struct replay_seen){
        .times = row->times, .clients = row->n_clients, .replayed = row->times > REPLAY_MANY};
}
