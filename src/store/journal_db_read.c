#include "store/journal_db__.h"

static bool is_about(const struct journal_event *e, slice wanted)
{
    slice keys[3];
    size_t n = journal_db__keys_of(e, keys);
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(journal_db__key_text(keys[i]), wanted))
            return true;
    return false;
}

/* Adds the events of one row (its checksum in front) that are about wanted (any, when that is empty). */
static bool read_row(slice row, uint64_t mail, slice wanted, size_t max, struct arena *a,
                     struct journal_db_events *out)
{
    slice sum, copy;
    struct cursor c = cursor_of(row);
    uint64_t want;
    struct journal_event e;

    if (!cursor_bytes(&c, CHECKSUM_BYTES, &sum)) {
        out->damaged++;
        return true;
    }
    memcpy(&want, sum.p, CHECKSUM_BYTES);
    if (journal_db__sum(c.rest) != want) {
        out->damaged++;
        return true;
    }
    if (!arena_dup(a, c.rest, &copy)) {
        out->cut = true;
        return false;
    }
    c = cursor_of(copy);
    while (journal_event_decode(&c, &e) == OK) {
        if (wanted.n && !is_about(&e, wanted))
            continue;
        if (out->n == max) {
            out->cut = true;
            return false;
        }
        e.mail = mail;
        out->items[out->n++] = e;
    }
    return true;
}

/* A damaged page is told like a damaged row: the rest of the answer counts (THREATS 60). */
static enum err at_end(enum err e, struct journal_db_events *out)
{
    if (e == ERR_CORRUPT)
        out->damaged++;
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
}

enum err journal_db_by_mail(struct journal_db *j, uint64_t mail, size_t max, struct arena *a,
                            struct journal_db_events *out)
{
    struct journal_db_events r = {.items = ARENA_ARRAY(a, max, struct journal_event)};
    enum err e = OK;
    if (!r.items)
        return ERR_LIMIT;
    if (!j->db)
        return ERR_IO;
    if (mail != 0) {
        struct stmt *q CLEANUP(stmt_done) =
            db_stmt(j->db, "SELECT bytes FROM event WHERE mail = ? AND mail <> 0 ORDER BY id");
        stmt_bind_i64(q, 1, (int64_t)mail);
        while ((e = stmt_row(q)) == OK)
            if (!read_row(stmt_slice(q, 0), mail, (slice){0}, max, a, &r))
                break;
        e = at_end(e, &r);
    }
    if (e == OK)
        *out = r;
    return e;
}

/* Ids of event rows of the house, newest first, turned into events, oldest first. */
static enum err read_house(struct journal_db *j, const int64_t *ids, size_t n, slice wanted, size_t max,
                           struct arena *a, struct journal_db_events *out)
{
    enum err e = OK;
    while (n > 0 && e == OK) {
        struct stmt *q CLEANUP(stmt_done) =
            db_stmt(j->db, "SELECT bytes FROM event WHERE id = ? AND mail = 0");
        stmt_bind_i64(q, 1, ids[--n]);
        e = stmt_row(q);
        if (e == OK && !read_row(stmt_slice(q, 0), 0, wanted, max, a, out))
            break;
        e = at_end(e, out);
    }
    return e;
}

static bool known(const uint64_t *mails, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (mails[i] == id)
            return true;
    return false;
}

enum err journal_db_find(struct journal_db *j, slice text, time_ms since, size_t max, struct arena *a,
                         struct journal_db_found *out)
{
    struct journal_db_found r = {.mails = ARENA_ARRAY(a, max, uint64_t)};
    int64_t *house = ARENA_ARRAY(a, max, int64_t);
    size_t house_n = 0;
    int64_t key = journal_db__key(j, text), last, bucket;
    enum err e = OK;

    r.house.items = ARENA_ARRAY(a, max, struct journal_event);
    if (!r.mails || !house || !r.house.items)
        return ERR_LIMIT;
    if (!j->db)
        return ERR_IO;
    last = (int64_t)db_number(j->db, "SELECT min(bucket) FROM found");
    if (since / BUCKET_MS > last)
        last = since / BUCKET_MS;
    for (bucket = j->last_at / BUCKET_MS; bucket >= last && !r.more && e == OK; bucket--) {
        struct stmt *q CLEANUP(stmt_done) =
            db_stmt(j->db, "SELECT what FROM found WHERE bucket = ? AND key = ? ORDER BY abs(what) DESC");
        stmt_bind_i64(q, 1, bucket);
        stmt_bind_i64(q, 2, key);
        while ((e = stmt_row(q)) == OK) {
            int64_t what = stmt_i64(q, 0);
            if (what > 0 && known(r.mails, r.n, (uint64_t)what))
                continue;
            if (what > 0 && r.n < max)
                r.mails[r.n++] = (uint64_t)what;
            else if (what <= 0 && house_n < max)
                house[house_n++] = -what;
            else
                r.more = true; /* this quarter of an hour is looked through to its end, older ones are not */
        }
        e = at_end(e, &r.house);
    }
    if (e == OK)
        e = read_house(j, house, house_n, journal_db__key_text(text), max, a, &r.house);
    if (e == OK)
        *out = r;
    return e;
}
