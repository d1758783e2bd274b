/* conf_value: single values: sizes, host names, addresses, and words that were nearly right. */
#include "conf/conf__value.h"

#include <stdio.h>

void conf_address_print(const struct conf_address *a, char out[CONF_ADDRESS_TEXT])
{
    char ip[IP_TEXT];
    ip_print(&a->ip, ip);
    snprintf(out, CONF_ADDRESS_TEXT, ip_is_v4(&a->ip) ? "%s:%u" : "[%s]:%u", ip, (unsigned)a->port);
}

bool conf_size_parse(slice s, uint64_t *out)
{
    static const char units[] = "kmgt";
    uint64_t v, scale = 1;
    if (s.n == 0)
        return false;
    if (!ascii_is_digit(s.p[s.n - 1])) {
        const char *u = strchr(units, ascii_lower(s.p[s.n - 1]));
        if (!u || !*u)
            return false;
        scale <<= 10 * (unsigned)(u - units + 1);
        s.n--;
    }
    if (!slice_u64(s, &v) || __builtin_mul_overflow(v, scale, &v))
        return false;
    *out = v;
    return true;
}

/* Letters, digits and inner hyphens, labels of 1..63, 253 in all: RFC 1123 §2.1. Written lower case, without
 * a final dot. */
bool conf__host_parse(slice s, char out[CONF_NAME_MAX])
{
    size_t label = 0;
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '.') {
            if (label == 0 || s.p[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && (c != '-' || label == 0))
            return false;
        if (++label > 63)
            return false;
    }
    if (label == 0 || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        out[i] = (char)ascii_lower(s.p[i]);
    out[s.n] = 0;
    return true;
}

static bool conf_port_parse(slice s, uint16_t *out)
{
    uint32_t v;
    if (s.n > 5 || !slice_u32(s, &v) || v == 0 || v > 65535)
        return false;
    *out = (uint16_t)v;
    return true;
}

/* HOST SEP PORT where an IPv6 HOST is in brackets when SEP is ':'. */
bool conf__host_port_split(slice s, uint8_t sep, slice *out_host, bool *out_v6, uint16_t *out_port)
{
    size_t at = slice_rindex(s, sep);
    slice host = slice_sub(s, 0, at);
    bool v6 = false;
    uint16_t port;
    if (at == s.n || !conf_port_parse(slice_from(s, at + 1), &port))
        return false;
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        host = slice_sub(host, 1, host.n - 1);
        v6 = true;
    } else if (slice_has(host, ':')) {
        if (sep == ':')
            return false; /* where does the address end? */
        v6 = true;
    }
    *out_host = host;
    *out_v6 = v6;
    *out_port = port;
    return true;
}

bool conf__address_parse(slice s, uint8_t sep, struct conf_address *out)
{
    struct conf_address a;
    slice host;
    bool v6;
    if (!conf__host_port_split(s, sep, &host, &v6, &a.port) || ip_parse(host, &a.ip) != OK ||
        v6 != slice_has(host, ':'))
        return false;
    *out = a;
    return true;
}

/* ---- did you mean ---- */

#define NEAREST_WORD_MAX 32

/* Levenshtein with swaps of neighbours counted once; both at most NEAREST_WORD_MAX bytes. */
static size_t conf_distance(slice a, slice b)
{
    size_t row[3][NEAREST_WORD_MAX + 1];
    for (size_t j = 0; j <= b.n; j++)
        row[1][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *above = row[i % 3], *now = row[(i + 1) % 3], *two = row[(i + 2) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            bool same = ascii_lower(a.p[i - 1]) == ascii_lower(b.p[j - 1]);
            size_t best = above[j - 1] + !same;
            best = size_min(best, size_min(above[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                best = size_min(best, two[j - 2] + 1);
            now[j] = best;
        }
    }
    return row[(a.n + 1) % 3][b.n];
}

const char *conf_nearest(slice word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t best_distance = NEAREST_WORD_MAX;
    if (word.n == 0 || word.n > NEAREST_WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        slice name = slice_str(names[i]);
        size_t d;
        if (name.n > NEAREST_WORD_MAX)
            continue;
        d = conf_distance(word, name);
        if (word.n >= 3 && slice_starts_nocase(name, word))
            d = size_min(d, 1); /* a beginning is a good guess */
        if (d < best_distance && d <= 1 + size_min(word.n, name.n) / 3) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}
