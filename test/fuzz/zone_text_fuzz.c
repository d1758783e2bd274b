/* zone_text: a file of records is read; each answer out of it is read by the typed readers' rules; and what
 * the writer (dns_text) prints of a record, the reader reads back as the same octets. */
#include "core/dns/dns_text.h"
#include "core/dns/dns_zone_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void there_and_back(const struct dns_zone_record *r)
{
    struct buf text CLEANUP(buf_done) = {.max = (size_t)1 << 20};
    struct buf rdata CLEANUP(buf_done) = {.max = (size_t)1 << 20};
    if (r->type == 0 || r->status != DNS_ANSWER_OK || dns_text_rdata(r->type, r->rdata, &text) != OK)
        return;
    must(dns_zone_text_rdata(r->type, buf_view(&text), &rdata) == OK);
    must(r->type == DNS_TXT ? slice_eq(buf_view(&rdata), r->rdata)
                            : slice_eq_nocase(buf_view(&rdata), r->rdata)); /* names are printed lower case */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct dns_zone z;
    struct err_detail detail = {{0}};
    arena_init(&arena, "fuzz", (size_t)64 << 20);
    if (dns_zone_text_read(slice_of(data, size), &arena, &z, &detail) == OK) {
        must(detail.text[0] == 0);
        for (size_t i = 0; i < z.n && i < 50; i++) {
            struct dns_answer a;
            there_and_back(&z.records[i]);
            dns_zone_answer(&z, dns_name_view(&z.records[i].name), DNS_TXT, &arena, &a);
            must(a.n == 0 || a.status == DNS_ANSWER_OK);
            if (z.records[i].type && z.records[i].status == DNS_ANSWER_OK && !z.records[i].wild) {
                dns_zone_answer(&z, dns_name_view(&z.records[i].name), z.records[i].type, &arena, &a);
                must(a.status == DNS_ANSWER_TEMPFAIL || a.n > 0);
            }
        }
    }
    arena_done(&arena);
    return 0;
}
