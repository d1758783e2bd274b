#include "proc/account/imap_map.h"

#include <stdlib.h>
#include <string.h>

void imap_map_init(struct imap_map *m, const struct mailbox_view *view)
{
    *m = (struct imap_map){.view = view, .known_next = view->uidnext};
}

void imap_map_done(struct imap_map *m)
{
    free(m->ghosts);
    *m = (struct imap_map){0};
}

size_t imap_map_known(const struct imap_map *m)
{
    const struct mailbox_view *v = m->view;
    return v->n && v->uid[v->n - 1] >= m->known_next ? mailbox_view_at(v, m->known_next) : v->n;
}

uint32_t imap_map_count(const struct imap_map *m)
{
    return (uint32_t)(imap_map_known(m) + m->ghosts_n);
}

uint32_t imap_map_last_uid(const struct imap_map *m)
{
    size_t known = imap_map_known(m);
    uint32_t last = known ? m->view->uid[known - 1] : 0;
    uint32_t ghost = m->ghosts_n ? m->ghosts[m->ghosts_n - 1] : 0;
    return ghost > last ? ghost : last;
}

/* Place of ghost i in the client's list, from 0. Grows strictly with i. */
static size_t map_ghost_place(const struct imap_map *m, size_t i)
{
    return mailbox_view_at(m->view, m->ghosts[i]) + i;
}

uint32_t imap_map_uid(const struct imap_map *m, uint32_t seq, size_t *out_index)
{
    size_t place = seq - 1, lo = 0, hi = m->ghosts_n;
    while (lo < hi) { /* how many ghosts come before or at that place */
        size_t mid = lo + (hi - lo) / 2;
        if (map_ghost_place(m, mid) <= place)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo && map_ghost_place(m, lo - 1) == place) {
        *out_index = SIZE_MAX;
        return m->ghosts[lo - 1];
    }
    if (place - lo >= m->view->n) { /* the store lost messages without a word: nothing is there */
        *out_index = SIZE_MAX;
        return 0;
    }
    *out_index = place - lo;
    return m->view->uid[place - lo];
}

uint32_t imap_map_seq(const struct imap_map *m, size_t index)
{
    uint32_t uid = m->view->uid[index];
    size_t lo = 0, hi = m->ghosts_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->ghosts[mid] < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (uint32_t)(index + lo + 1);
}

void imap_map_expunged(struct imap_map *m, const uint32_t *uids, size_t n)
{
    size_t i, j, w;
    while (n && uids[n - 1] >= m->known_next)
        n--;
    if (!n)
        return;
    if (m->ghosts_n + n > m->ghosts_room) {
        size_t room = (m->ghosts_n + n) * 3 / 2;
        uint32_t *more = realloc(m->ghosts, room * sizeof *more);
        must(more);
        m->ghosts = more;
        m->ghosts_room = room;
    }
    /* merge from the back; both ascend and have nothing in common */
    i = m->ghosts_n;
    j = n;
    w = m->ghosts_n + n;
    while (j) {
        if (i && m->ghosts[i - 1] > uids[j - 1])
            m->ghosts[--w] = m->ghosts[--i];
        else
            m->ghosts[--w] = uids[--j];
    }
    m->ghosts_n += n;
}

bool imap_map_tell_next(const struct imap_map *m, size_t *at, uint32_t *out_seq)
{
    if (*at >= m->ghosts_n)
        return false;
    /* those before it have been told already and count no more */
    *out_seq = (uint32_t)(map_ghost_place(m, *at) - *at + 1);
    (*at)++;
    return true;
}

void imap_map_tell_end(struct imap_map *m, size_t at)
{
    m->ghosts_n -= at;
    if (at && m->ghosts_n)
        memmove(m->ghosts, m->ghosts + at, m->ghosts_n * sizeof *m->ghosts);
    if (!m->ghosts_n && m->ghosts_room > 1024) {
        free(m->ghosts);
        m->ghosts = NULL;
        m->ghosts_room = 0;
    }
}
