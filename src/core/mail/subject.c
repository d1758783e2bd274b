#include "core/mail/subject.h"

static slice subject_skip_blanks(slice s)
{
    while (s.n && s.p[0] == ' ')
        s = slice_from(s, 1);
    return s;
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP; its length, or 0 */
static size_t subject_blob(slice s)
{
    size_t n = 1;
    if (s.n == 0 || s.p[0] != '[')
        return 0;
    while (n < s.n && s.p[n] != '[' && s.p[n] != ']')
        n++;
    if (n == s.n || s.p[n] != ']')
        return 0;
    return s.n - subject_skip_blanks(slice_from(s, n + 1)).n;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"; its length, or 0 */
static size_t subject_refwd(slice s)
{
    size_t n = slice_starts_nocase(s, SLICE("re"))    ? 2
               : slice_starts_nocase(s, SLICE("fwd")) ? 3
               : slice_starts_nocase(s, SLICE("fw"))  ? 2
                                                      : 0;
    slice rest;
    if (n == 0)
        return 0;
    rest = subject_skip_blanks(slice_from(s, n));
    rest = slice_from(rest, subject_blob(rest));
    return rest.n && rest.p[0] == ':' ? s.n - slice_from(rest, 1).n : 0;
}

/* Steps 3 to 5: marks and list tags at the front. All tags are looked at together, so a long row of them is
 * walked once: when no mark follows, the tags go too, the last one excepted if nothing else would be left. */
static slice subject_strip_front(slice s, bool *reply)
{
    for (;;) {
        size_t blobs = 0, last = 0, n;
        slice rest;
        s = subject_skip_blanks(s);
        rest = s;
        while ((n = subject_blob(rest)) > 0) {
            last = blobs;
            blobs += n;
            rest = slice_from(rest, n);
        }
        n = subject_refwd(rest);
        if (n == 0)
            return slice_from(s, rest.n ? blobs : last);
        *reply = true;
        s = slice_from(rest, n);
    }
}

/* Step 2: "(fwd)" and blanks at the end. */
static slice subject_strip_end(slice s, bool *reply)
{
    for (;;) {
        while (s.n && s.p[s.n - 1] == ' ')
            s.n--;
        if (!slice_ends_nocase(s, SLICE("(fwd)")))
            return s;
        *reply = true;
        s.n -= 5;
    }
}

bool subject_base(slice text, struct arena *a, slice *out, bool *out_reply)
{
    uint8_t *p = arena_alloc(a, text.n);
    size_t n = 0;
    bool reply = false;
    slice s;
    if (!p)
        return false;
    for (size_t i = 0; i < text.n; i++) { /* step 1 */
        uint8_t c = text.p[i] == '\t' ? ' ' : text.p[i];
        if (c != ' ' || (n && p[n - 1] != ' '))
            p[n++] = c;
    }
    s = slice_of(p, n);
    for (;;) {
        s = subject_strip_end(s, &reply);
        s = subject_strip_front(s, &reply);
        if (!slice_starts_nocase(s, SLICE("[fwd:")) || s.p[s.n - 1] != ']') /* step 6 */
            break;
        reply = true;
        s = slice_sub(s, 5, s.n - 1);
    }
    *out = s;
    *out_reply = reply;
    return true;
}
