/* What registries and IANA send: any bytes give an answer or an error, moments that date can print, and URLs
 * that are https and of bounded length. */
#include "base/check.h"
#include "policy/doctor/rdap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    slice json = slice_of(data, n);
    struct rdap_domain d = {-1, -1};
    struct rdap_servers servers = {0};
    struct arena a;
    arena_init(&a, "rdap fuzz", 4 << 20);
    if (rdap_domain_read(json, SLICE("example.org"), &d) == OK) {
        must(d.registered >= 0 && d.registered < INT64_C(253402300800000));
        must(d.expires >= 0 && d.expires < INT64_C(253402300800000));
    } else {
        must(d.registered == -1 && d.expires == -1);
    }
    if (rdap_servers_read(json, &a, &servers) == OK) {
        struct buf url CLEANUP(buf_done) = {.max = RDAP_URL_MAX};
        must(servers.n <= RDAP_SERVERS_MAX);
        if (rdap_url(&servers, SLICE("www.example.org"), &url) == OK)
            must(slice_starts_nocase(buf_view(&url), SLICE("https://")) &&
                 slice_ends_nocase(buf_view(&url), SLICE("domain/www.example.org")) &&
                 !slice_has(buf_view(&url), '\n'));
    }
    arena_done(&a);
    return 0;
}
