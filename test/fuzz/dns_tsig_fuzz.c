/* A name server's answer to a signed request, and a key file. Nothing but what was signed with the key may
 * pass, and no input here was. */
#include "core/dns/dns_tsig.h"
#include "core/dns/dns_update.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    slice in = slice_of(data, n);
    struct dns_tsig_key key = {.algorithm = n & 1 ? DNS_TSIG_SHA512 : DNS_TSIG_SHA256}, file = {0},
                        again = {0};
    struct dns_tsig_mac request = {.n = n & 1 ? 64 : 32};
    struct err_detail detail;
    int64_t skew;
    uint8_t rcode;
    must(dns_name_parse(SLICE("posthorn"), &key.name) == OK);
    must(secret_set(&key.secret, SLICE("a secret that nobody guesses")) == OK);
    must(dns_tsig_check(in, &key, &request, 1700000000000, &skew) != DNS_TSIG_GOOD);
    if (dns_update_answer(in, 0x1234, &rcode) == OK)
        must(*dns_update_rcode_text(rcode));
    if (dns_tsig_key_file(in, &file, &detail) == OK) {
        char line[DNS_TSIG_KEY_TEXT];
        dns_tsig_key_print(&file, line);
        must(dns_tsig_key_parse(slice_str(line), &again) == OK);
        must(slice_eq(secret_view(&file.secret), secret_view(&again.secret)));
    }
    return 0;
}
