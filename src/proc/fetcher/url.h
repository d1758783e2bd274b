/* url: what of a URL we are willing to look at (THREATS 36): https, a host name or a global IP address, no
 * user information. Everything is read by libcurl's own parser, the one that later connects, so there are no
 * two opinions about where a URL leads. */
#ifndef POSTHORN_PROC_FETCHER_URL_H
#define POSTHORN_PROC_FETCHER_URL_H

#include "base/ip.h"

#define FETCH_URL_MAX  2048
#define FETCH_HOST_MAX 255

struct fetch_url {
    char text[FETCH_URL_MAX + 1];  /* as libcurl writes it, without the fragment */
    char host[FETCH_HOST_MAX + 1]; /* lower case, without brackets */
    uint16_t port;
    bool literal; /* host is an IP address: ip */
    struct ip ip;
};

/* ERR_SYNTAX: no URL, or not one for us; detail says why. */
NODISCARD enum err fetch_url_read(slice text, struct fetch_url *out, struct err_detail *detail);

#endif
