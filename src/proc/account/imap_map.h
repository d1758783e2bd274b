/* imap_map: a session's sequence numbers over the shared view of a mailbox.
 *
 * What the client has been told is a list of UIDs: those of the view below known_next, and those that are
 * gone from the view but were not reported yet ("ghosts"). Kept so, a map costs nothing while nobody
 * expunges, however large the mailbox is. Sequence number = 1 + how many entries of that list come before.
 *
 * Invariants: (1) ghosts ascend, are below known_next and not in the view. (2) map changes only by
 * imap_map_expunged() (which does not change any sequence number) and by telling: imap_map_tell_*(). */
#ifndef POSTHORN_PROC_ACCOUNT_IMAP_MAP_H
#define POSTHORN_PROC_ACCOUNT_IMAP_MAP_H

#include "store/account.h"

struct imap_map {
    const struct mailbox_view *view;
    uint32_t known_next; /* UIDs below it are known to the client */
    uint32_t *ghosts;
    size_t ghosts_n, ghosts_room;
};

/* All that is in the view now is known. */
void imap_map_init(struct imap_map *m, const struct mailbox_view *view);
void imap_map_done(struct imap_map *m);

/* How many messages the client counts (EXISTS). */
uint32_t imap_map_count(const struct imap_map *m);
/* How many entries of the view, from its front, are known. */
size_t imap_map_known(const struct imap_map *m);
/* The largest UID the client knows; 0 when it knows none. */
uint32_t imap_map_last_uid(const struct imap_map *m);
/* UID of a sequence number 1..count; *out_index is its place in the view, or SIZE_MAX for a ghost. A number
 * that nothing belongs to (cannot be, unless the store is damaged) gives UID 0 and SIZE_MAX. */
uint32_t imap_map_uid(const struct imap_map *m, uint32_t seq, size_t *out_index);
/* Sequence number of the entry of the view (which is known). */
uint32_t imap_map_seq(const struct imap_map *m, size_t index);

/* The store says these are gone: those the client knows become ghosts. uids ascend. */
void imap_map_expunged(struct imap_map *m, const uint32_t *uids, size_t n);
/* Takes the next ghost, in the order in which EXPUNGE tells them: *out_seq is its sequence number now. False
 * when there are none. at counts those taken so far (start with 0); end with imap_map_tell_end(). */
bool imap_map_tell_next(const struct imap_map *m, size_t *at, uint32_t *out_seq);
/* The first at ghosts have been told. */
void imap_map_tell_end(struct imap_map *m, size_t at);

#endif
