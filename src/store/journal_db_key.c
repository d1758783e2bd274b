#include "store/journal_db__.h"

slice journal_db__key_text(slice s)
{
    size_t open = slice_rindex(s, '['), shut = slice_rindex(s, ']');
    if (open < s.n && shut < s.n && open < shut)
        return slice_sub(s, open + 1, shut);
    s = slice_trim(s);
    if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
        s = slice_sub(s, 1, s.n - 1);
    return s;
}

int64_t journal_db__key(const struct journal_db *j, slice text)
{
    uint8_t folded[JOURNAL_NAME_MAX];
    slice s = slice_sub(journal_db__key_text(text), 0, sizeof folded);
    for (size_t i = 0; i < s.n; i++)
        folded[i] = ascii_lower(s.p[i]);
    return (int64_t)hash_slice(&j->key, slice_of(folded, s.n));
}

size_t journal_db__keys_of(const struct journal_event *e, slice out[3])
{
    unsigned by = journal_kind_found_by((unsigned)e->kind);
    size_t n = 0;
    if ((by & JOURNAL_BY_ADDRESS) && e->address.n)
        out[n++] = e->address;
    if ((by & JOURNAL_BY_NAME) && e->name.n)
        out[n++] = e->name;
    if ((by & JOURNAL_BY_PEER) && e->peer.n)
        out[n++] = e->peer;
    return n;
}

uint64_t journal_db__sum(slice s)
{
    static const struct hash_key fixed = {0x706f7374686f726e, 0x6a6f75726e616c31};
    return hash_slice(&fixed, s);
}
