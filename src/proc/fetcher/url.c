#include "proc/fetcher/url.h"

#include <curl/curl.h>
#include <stdio.h>

static void url_done(CURLU **u)
{
    curl_url_cleanup(*u);
}

static void part_done(char **p)
{
    curl_free(*p);
}

static bool has_part(CURLU *u, CURLUPart what)
{
    char *part CLEANUP(part_done) = NULL;
    return curl_url_get(u, what, &part, 0) == CURLUE_OK;
}

/* A part as text of at most max bytes. */
static bool take_part(CURLU *u, CURLUPart what, unsigned flags, char *out, size_t max)
{
    char *part CLEANUP(part_done) = NULL;
    if (curl_url_get(u, what, &part, flags) != CURLUE_OK || strlen(part) > max)
        return false;
    memcpy(out, part, strlen(part) + 1);
    return true;
}

/* Letters, digits, hyphens, underscores and dots: what the DNS is asked for. Says "bad" for the rest, among
 * it what a later reader might take for another host. */
static bool is_name(slice host)
{
    if (host.n == 0 || host.p[0] == '.' || host.p[0] == '-')
        return false;
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
        if (c == '.' && i + 1 < host.n && host.p[i + 1] == '.')
            return false;
    }
    return true;
}

/* The last label of a name is not a number (nobody's top-level domain is): such hosts are odd ways to write
 * an IPv4 address. */
static bool ends_in_number(slice host)
{
    slice s = host;
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    size_t dot = slice_rindex(s, '.');
    slice last = dot < s.n ? slice_from(s, dot + 1) : s;
    return last.n == 0 || ascii_is_digit(last.p[0]);
}

static enum err refuse(struct err_detail *detail, const char *why)
{
    err_detail_set(detail, "%s", why);
    return ERR_SYNTAX;
}

static enum err read_host(struct fetch_url *u, struct err_detail *detail)
{
    slice host = slice_str(u->host);
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        memmove(u->host, u->host + 1, host.n - 2);
        u->host[host.n - 2] = '\0';
        if (ip_parse(slice_str(u->host), &u->ip))
            return refuse(detail, "the IPv6 address in the URL has a zone or is none");
        u->literal = true;
        return OK;
    }
    for (size_t i = 0; u->host[i]; i++)
        u->host[i] = (char)ascii_lower((uint8_t)u->host[i]);
    if (ip_parse(host, &u->ip) == OK) {
        u->literal = true;
        return OK;
    }
    if (!is_name(host) || ends_in_number(host))
        return refuse(detail, "the host in the URL is not a plain name");
    if (slice_index(host, '.') >= host.n - 1)
        return refuse(detail, "the host in the URL is a name of this network only: it has no dot");
    return OK;
}

enum err fetch_url_read(slice text, struct fetch_url *out, struct err_detail *detail)
{
    CURLU *u CLEANUP(url_done) = curl_url();
    struct fetch_url r = {0};
    char scheme[16], port[8];
    uint32_t number;
    enum err e;

    must(u);
    if (text.n > FETCH_URL_MAX || slice_has(text, 0))
        return refuse(detail, "the URL is too long or holds a NUL");
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f || text.p[i] == '\\')
            return refuse(detail, "the URL holds a blank, a backslash or a byte that is not ASCII");
    memcpy(r.text, text.n ? text.p : (const uint8_t *)"", text.n);
    if (curl_url_set(u, CURLUPART_URL, r.text, 0) != CURLUE_OK)
        return refuse(detail, "this is no URL");
    if (!take_part(u, CURLUPART_SCHEME, 0, scheme, sizeof scheme - 1) ||
        !slice_eq(slice_str(scheme), SLICE("https")))
        return refuse(detail, "the URL is not https");
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD) || has_part(u, CURLUPART_OPTIONS))
        return refuse(detail, "the URL holds a user name or password");
    if (curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK ||
        !take_part(u, CURLUPART_HOST, 0, r.host, FETCH_HOST_MAX) ||
        !take_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port - 1) ||
        !slice_u32(slice_str(port), &number) || number == 0 || number > 65535)
        return refuse(detail, "the URL names no host or no possible port");
    if (!take_part(u, CURLUPART_URL, 0, r.text, FETCH_URL_MAX))
        return refuse(detail, "the URL is too long");
    r.port = (uint16_t)number;
    e = read_host(&r, detail);
    if (e == OK)
        *out = r;
    return e;
}
