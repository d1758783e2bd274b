/* A query's octets to the small name server. The answer has to stay within its cap, be an answer, and be one
 * that our own parser reads when it is a good one. The first octet says UDP or TCP. */
#include "core/dns/dns_rr_write.h"
#include "core/dns/dns_serve.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct dns_name fuzz_name(const char *text)
{
    struct dns_name name;
    must(dns_name_parse(slice_str(text), &name) == OK);
    return name;
}

static struct dns_serve_zone *fuzz_zone(void)
{
    struct dns_serve_zone *z = NULL;
    struct dns_name origin = fuzz_name("z.test"), server = fuzz_name("ns.test");
    struct buf big = {.max = 4096};
    uint8_t part[255] = {0};
    for (int i = 0; i < 10; i++)
        must(dns_rr_write_txt_part(slice_of(part, sizeof part), &big) == OK);
    struct dns_serve_record records[] = {
        {fuzz_name("a.z.test"), DNS_A, 60, SLICE("\x7f\0\0\1")},
        {fuzz_name("b.c.z.test"), DNS_TXT, 60, SLICE("\1x")},
        {fuzz_name("d.z.test"), DNS_CNAME, 60, SLICE("\1a\1z\4test\0")},
        {fuzz_name("e.z.test"), DNS_CNAME, 60, SLICE("\1e\1z\4test\0")},
        {fuzz_name("f.z.test"), DNS_TXT, 60, buf_view(&big)},
    };
    must(dns_serve_zone_new(&origin, &server, 1, records, ARRAY_LEN(records), &z) == OK);
    buf_done(&big);
    return z;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct dns_serve_zone *zone;
    struct buf out = {.max = DNS_SERVE_TCP_MAX};
    bool tcp = n && data[0] & 1;
    slice query = slice_from(slice_of(data, n), 1);
    if (!zone)
        zone = fuzz_zone();
    if (dns_serve_answer(zone, query, tcp, &out)) {
        must(out.n >= 12 && out.n <= (tcp ? DNS_SERVE_TCP_MAX : DNS_SERVE_UDP_MAX));
        must(out.p[0] == query.p[0] && out.p[1] == query.p[1] && out.p[2] & 0x80);
        /* every section can be walked to the end */
        size_t at = 12;
        struct buf name = {.max = 512};
        unsigned counts[4];
        for (int i = 0; i < 4; i++)
            counts[i] = (unsigned)out.p[4 + 2 * i] << 8 | out.p[5 + 2 * i];
        must(counts[0] <= 1);
        for (unsigned i = 0; i < counts[0]; i++) {
            must(dns_name_expand(buf_view(&out), &at, &name) == OK);
            at += 4;
        }
        for (unsigned i = 0; i < counts[1] + counts[2] + counts[3]; i++) {
            buf_clear(&name);
            must(dns_name_expand(buf_view(&out), &at, &name) == OK && at + 10 <= out.n);
            at += 10u + ((unsigned)out.p[at + 8] << 8 | out.p[at + 9]);
        }
        must(at == out.n);
        buf_done(&name);
        buf_clear(&out);
        must(dns_serve_truncated(query, &out) && out.n <= query.n + 12);
    }
    buf_done(&out);
    return 0;
}
