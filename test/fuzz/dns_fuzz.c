/* dns: a whole response (first two octets: the asked type; the question is taken from the message itself so
 * that the fuzzer gets past the check), and each RDATA reader on whatever records come out and on the raw
 * bytes. */
#include "base/arena.h"
#include "core/dns/dns_mx.h"
#include "core/dns/dns_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(slice rdata)
{
    struct ip ip;
    struct dns_mx mx;
    struct dns_name name;
    struct dns_srv srv;
    struct dns_soa soa;
    struct dns_tlsa tlsa;
    struct buf txt CLEANUP(buf_done);
    buf_init(&txt, 1000);
    IGNORE_RESULT(dns_rr_a(rdata, &ip), "only the sanitizers judge");
    IGNORE_RESULT(dns_rr_aaaa(rdata, &ip), "only the sanitizers judge");
    if (dns_rr_mx(rdata, &mx) == OK)
        must(mx.host.n <= DNS_NAME_MAX && mx.host.text[mx.host.n] == 0);
    if (dns_rr_name(rdata, &name) == OK && name.n) { /* what we read we also accept as text, unchanged */
        struct dns_name again;
        must(dns_name_parse(dns_name_view(&name), &again) == OK && dns_name_eq(&name, &again));
    }
    IGNORE_RESULT(dns_rr_srv(rdata, &srv), "only the sanitizers judge");
    IGNORE_RESULT(dns_rr_soa(rdata, &soa), "only the sanitizers judge");
    IGNORE_RESULT(dns_rr_tlsa(rdata, &tlsa), "only the sanitizers judge");
    IGNORE_RESULT(dns_rr_txt(rdata, &txt), "only the sanitizers judge");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dns_packet_limits limits = {.records = 100, .rdata_bytes = 8192};
    struct cursor c = cursor_of(slice_of(data, size));
    struct dns_packet_answer answer;
    struct dns_name question;
    struct dns_mx_list list;
    struct arena arena;
    size_t at = 12;
    uint16_t type;
    read_all(c.rest);
    if (!cursor_u16(&c, &type) || dns_name_read(c.rest, &at, &question))
        return 0;
    arena_init(&arena, "fuzz", 128 * 1024);
    if (dns_packet_parse(c.rest, &question, type, &limits, &arena, &answer) == OK) {
        for (size_t i = 0; i < answer.n; i++)
            read_all(answer.rdata[i]);
        if (dns_mx_list(answer.rdata, answer.n, &question, size, &list) == OK) {
            must(list.n <= DNS_MX_MAX);
            IGNORE_RESULT(dns_mx_trim(&list, SLICE("us.test")), "only the sanitizers judge");
        }
    }
    arena_done(&arena);
    return 0;
}
