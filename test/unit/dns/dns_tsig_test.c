/* dns_tsig, dns_tsig_key, dns_update: a signed update byte for byte as another implementation makes it,
 * answers that are changed at each octet, clocks that differ, key files good and bad. */
#include "lib/test.h"

#include "core/dns/dns_rr_write.h"
#include "core/dns/dns_tsig.h"
#include "core/dns/dns_update.h"

#include <stdio.h>

#define NOW ((time_ms)1700000000 * MS_SECOND)

static struct dns_name name_of(const char *text)
{
    struct dns_name n;
    assert_int_equal(dns_name_parse(slice_str(text), &n), OK);
    return n;
}

static struct dns_tsig_key key_of(enum dns_tsig_algorithm algorithm)
{
    struct dns_tsig_key key = {.name = name_of("posthorn"), .algorithm = algorithm};
    assert_int_equal(secret_set(&key.secret, SLICE("0123456789abcdef0123456789abcdef")), OK);
    return key;
}

static void hex_of(slice s, char *out)
{
    for (size_t i = 0; i < s.n; i++)
        snprintf(out + 2 * i, 3, "%02x", s.p[i]);
}

/* An update that dnspython 2.3 made and signed with this key at this time: the same octets come from us. */
static void a_signed_update(void **state)
{
    static const char unsigned_hex[] = "123428000001000100010000076578616d706c65036f726700000600010161c00c001"
                                       "000fe000000000000c01d001000010000012c"
                                       "0003026869";
    static const char signed_hex[] = "123428000001000100010001076578616d706c65036f726700000600010161c00c00100"
                                     "0fe000000000000c01d001000010000012c"
                                     "000302686908706f7374686f726e0000fa00ff00000000003d0b686d61632d736861323"
                                     "5360000006553f100012c00202711d668a1"
                                     "a40fdc50a4bd3cb0b749ce5e3b82612fe4b2692e19d8e8e3749cbe123400000000";
    struct buf b CLEANUP(buf_done) = {.max = 2048};
    struct dns_tsig_key key = key_of(DNS_TSIG_SHA256);
    struct dns_tsig_mac mac;
    char hex[1024];
    (void)state;
    for (size_t i = 0; unsigned_hex[i]; i += 2) {
        unsigned octet = 0;
        assert_int_equal(sscanf(unsigned_hex + i, "%2x", &octet), 1);
        buf_byte(&b, (uint8_t)octet);
    }
    assert_int_equal(dns_tsig_sign(&b, &key, NOW, &mac), OK);
    hex_of(buf_view(&b), hex);
    assert_string_equal(hex, signed_hex);
    assert_int_equal(mac.n, 32);
}

/* Messages of every length, in memory that is as small as it may be: wherever it has to grow, the signature
 * is that of the message (found by AddressSanitizer: the ID was copied from where the message had been). */
static void grows_anywhere(void **state)
{
    struct dns_tsig_key key = key_of(DNS_TSIG_SHA256);
    (void)state;
    for (size_t n = 12; n < 1500; n++) {
        struct buf b CLEANUP(buf_done) = {.max = 4096};
        struct dns_tsig_mac mac;
        for (size_t i = 0; i < n; i++)
            buf_byte(&b, (uint8_t)(i == 10 || i == 11 ? 0 : i + 1));
        assert_int_equal(dns_tsig_sign(&b, &key, NOW, &mac), OK);
        assert_int_equal(b.p[b.n - 6] << 8 | b.p[b.n - 5], 0x0102); /* the original ID */
        assert_memory_equal(b.p + b.n - 6 - mac.n, mac.bytes, mac.n);
    }
}

/* An update of ours, octet for octet as RFC 2136 §2 lays it out. */
static void an_update(void **state)
{
    struct buf b CLEANUP(buf_done) = {.max = 2048};
    struct dns_name zone = name_of("example.org"), at = name_of("a.example.org");
    char hex[1024];
    (void)state;
    assert_int_equal(dns_update_begin(0x1234, &zone, &b), OK);
    assert_int_equal(dns_update_absent(&b, &at, DNS_TXT), OK);
    assert_int_equal(dns_update_present(&b, &zone, DNS_TXT, SLICE("\x02hi")), OK);
    assert_int_equal(dns_update_remove(&b, &zone, DNS_TXT, SLICE("\x02hi")), OK);
    assert_int_equal(dns_update_add(&b, &at, DNS_TXT, 300, SLICE("\x02hi")), OK);
    hex_of(buf_view(&b), hex);
    assert_string_equal(hex, "123428000001000200020000"
                             "076578616d706c65036f72670000060001"
                             "0161076578616d706c65036f726700001000fe000000000000"
                             "076578616d706c65036f7267000010000100000000"
                             "0003026869"
                             "076578616d706c65036f726700001000fe00000000"
                             "0003026869"
                             "0161076578616d706c65036f7267000010000100"
                             "00012c"
                             "0003026869");
}

/* An answer to a request, signed as a server does: over the request's MAC. skew_s: its clock. */
static void answer_make(const struct dns_tsig_key *key, const struct dns_tsig_mac *request, int64_t skew_s,
                        struct buf *out)
{
    /* What a server signs is the request's MAC with its length, then the message: our own signer digests what
     * it is given from the first octet, so the answer is made by hand from a message that begins with that
     * MAC. */
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    struct dns_tsig_mac mac;
    uint8_t head[12] = {0x12, 0x34, 0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    size_t lead = 2 + request->n;
    buf_be16(&b, (uint16_t)request->n);
    buf_append(&b, slice_of(request->bytes, request->n));
    buf_append(&b, slice_of(head, sizeof head));
    assert_int_equal(dns_tsig_sign(&b, key, NOW + skew_s * MS_SECOND, &mac), OK);
    /* the signer counted its record in what it took for the header, and took its first two octets for the ID
     */
    buf_clear(out);
    head[11] = 1;
    buf_append(out, slice_of(head, sizeof head));
    buf_append(out, slice_from(buf_view(&b), lead + sizeof head));
    out->p[out->n - 6] = 0x12;
    out->p[out->n - 5] = 0x34;
}

static void answers(void **state)
{
    static const enum dns_tsig_algorithm algorithms[] = {DNS_TSIG_SHA256, DNS_TSIG_SHA512};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
        struct buf b CLEANUP(buf_done) = {.max = 4096};
        struct dns_tsig_key key = key_of(algorithms[i]), other = key;
        struct dns_tsig_mac request = {.n = algorithms[i] == DNS_TSIG_SHA256 ? 32 : 64};
        int64_t skew = 0;
        uint8_t rcode;
        memset(request.bytes, 7, request.n);
        answer_make(&key, &request, 0, &b);
        assert_int_equal(dns_tsig_check(buf_view(&b), &key, &request, NOW, &skew), DNS_TSIG_GOOD);
        assert_int_equal(dns_update_answer(buf_view(&b), 0x1234, &rcode), OK);
        assert_int_equal(dns_update_answer(buf_view(&b), 0x1235, &rcode), ERR_SYNTAX);
        for (size_t at = 0; at < b.n;
             at++) { /* any octet changed: never good, but for case of names and the ID on the wire */
            enum dns_tsig_result r;
            slice g;
            b.p[at] ^= 1;
            g = guard_copy(buf_view(&b));
            r = dns_tsig_check(g, &key, &request, NOW, &skew);
            guard_free(g);
            if (at >= 2)
                assert_true(r != DNS_TSIG_GOOD);
            b.p[at] ^= 1;
        }
        for (size_t n = 0; n < b.n; n++) {
            slice g = guard_copy(slice_sub(buf_view(&b), 0, n));
            assert_true(dns_tsig_check(g, &key, &request, NOW, &skew) != DNS_TSIG_GOOD);
            guard_free(g);
        }
        request.bytes[0] ^= 1; /* an answer to another request */
        assert_int_equal(dns_tsig_check(buf_view(&b), &key, &request, NOW, &skew), DNS_TSIG_FORGED);
        request.bytes[0] ^= 1;
        other.secret.bytes[0] ^= 1;
        assert_int_equal(dns_tsig_check(buf_view(&b), &other, &request, NOW, &skew), DNS_TSIG_FORGED);
        other = key;
        other.name = name_of("else");
        assert_int_equal(dns_tsig_check(buf_view(&b), &other, &request, NOW, &skew), DNS_TSIG_FOREIGN);
        assert_int_equal(dns_tsig_check(buf_view(&b), &key, &request, NOW + 300 * MS_SECOND, &skew),
                         DNS_TSIG_GOOD);
        assert_int_equal(dns_tsig_check(buf_view(&b), &key, &request, NOW + 301 * MS_SECOND, &skew),
                         DNS_TSIG_LATE);
        assert_int_equal(skew, -301);
        answer_make(&key, &request, 4000, &b);
        assert_int_equal(dns_tsig_check(buf_view(&b), &key, &request, NOW, &skew), DNS_TSIG_LATE);
        assert_int_equal(skew, 4000);
        buf_truncate(&b, 12);
        b.p[11] = 0;
        assert_int_equal(dns_tsig_check(buf_view(&b), &key, &request, NOW, &skew), DNS_TSIG_MISSING);
    }
}

static void key_files(void **state)
{
    static const struct {
        const char *text, *words; /* words NULL: it is good */
    } rows[] = {
        {"key \"posthorn\" { algorithm hmac-sha256; secret \"MDEyMzQ1Njc4OWFiY2RlZg==\"; };", NULL},
        {"# c\n// d\n/* e\n */ key posthorn. {\n\tsecret MDEyMzQ1Njc4OWFiY2RlZg==;\n algorithm "
         "HMAC-SHA512;\n};\n# end\n",
         NULL},
        {"", "does not begin"},
        {"key", "name of the key"},
        {"key \"x\" algorithm", "\"{\" is missing"},
        {"key x { algorithm hmac-md5; secret MDEyMzQ1Njc4OWFiY2RlZg==; };", "neither"},
        {"key x { algorithm hmac-sha256; };", "no secret"},
        {"key x { secret MDEyMzQ1Njc4OWFiY2RlZg==; };", "no algorithm"},
        {"key x { algorithm hmac-sha256; secret MDEyMw==; };", "base64 of 16"},
        {"key x { algorithm hmac-sha256; secret \"MDEy", "base64 of 16"},
        {"key x { algorithm hmac-sha256; secret MDEyMzQ1Njc4OWFiY2RlZg== };", "\";\" is missing"},
        {"key x { algorithm hmac-sha256; secret MDEyMzQ1Njc4OWFiY2RlZg==; }; key y { };", "more than one"},
        {"key x { server 1; };", "only \"algorithm\""},
        {"key x {", "only \"algorithm\""},
        {"/* never ends", "does not begin"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice g = guard_copy(slice_str(rows[i].text));
        struct dns_tsig_key key = {0}, again = {0};
        struct err_detail detail = {""};
        enum err e = dns_tsig_key_file(g, &key, &detail);
        char line[DNS_TSIG_KEY_TEXT];
        guard_free(g);
        assert_int_equal(e == OK, rows[i].words == NULL);
        if (e) {
            assert_non_null(strstr(detail.text, rows[i].words));
            continue;
        }
        assert_slices(secret_view(&key.secret), SLICE("0123456789abcdef"));
        dns_tsig_key_print(&key, line);
        assert_int_equal(dns_tsig_key_parse(slice_str(line), &again), OK);
        assert_true(dns_name_eq(&key.name, &again.name) && key.algorithm == again.algorithm);
        assert_slices(secret_view(&again.secret), SLICE("0123456789abcdef"));
    }
}

static void full_messages(void **state)
{
    struct buf b CLEANUP(buf_done) = {.max = 65000};
    struct dns_name zone = name_of("example.org");
    static uint8_t rdata[8000];
    unsigned n = 0;
    (void)state;
    assert_int_equal(dns_update_begin(1, &zone, &b), OK);
    while (dns_update_remove(&b, &zone, DNS_TXT, slice_of(rdata, sizeof rdata)) == OK)
        n++;
    assert_int_equal(n, 7);
    assert_true(b.n <= DNS_UPDATE_MAX);
    assert_string_equal(dns_update_rcode_text(99), "the server refuses it for a reason unknown here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_update), cmocka_unit_test(grows_anywhere), cmocka_unit_test(an_update),
        cmocka_unit_test(answers),         cmocka_unit_test(key_files),      cmocka_unit_test(full_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
