/* dkim: a message, verified whole and in pieces: the same results, each with its reason or a pass; every name
 * that is shown or asked for is a name. Up to the first NUL the input is the text of every key record that is
 * asked for. Then the header is signed, and our own signature is read without complaint. */
#include "core/dkim/sign.h"
#include "core/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW ((time_ms)1700000000000)

static void answer(struct dns_table *table, slice record)
{
    uint8_t rdata[256];
    slice view = slice_of(rdata, 1 + size_min(record.n, 255));
    struct dns_answer a = {.status = DNS_ANSWER_OK, .rdata = &view, .n = 1};
    size_t question;
    slice name;
    uint16_t type;
    rdata[0] = (uint8_t)(view.n - 1);
    if (record.n)
        memcpy(rdata + 1, record.p, view.n - 1);
    while (dns_table_next(table, &question, &name, &type)) {
        struct dns_name again;
        must(type == DNS_TXT && dns_name_parse(name, &again) == OK && slice_eq(dns_name_view(&again), name));
        must(slice_find(name, SLICE("._domainkey.")) < name.n);
        dns_table_put(table, question, &a);
    }
}

static void name_is_one(slice s)
{
    struct dns_name name;
    must(s.n == 0 || dns_name_parse(s, &name) == OK);
}

static size_t verify(slice message, slice record, size_t split, struct arena *a,
                     const struct dkim_result **out)
{
    struct dns_table table;
    size_t n, at = header_end(message);
    must(dns_table_init(&table, a, DKIM_SIGNATURES_MAX));
    struct dkim_verify *v = dkim_verify_begin(slice_sub(message, 0, at), a);
    must(v);
    dkim_verify_want(v, &table);
    answer(&table, record);
    for (; at < message.n; at += split)
        dkim_verify_body(v, slice_sub(message, at, at + split));
    dkim_verify_body_end(v);
    must(dkim_verify_finish(v, &table, NOW, NULL, out, &n) == AUTH_DONE && n <= DKIM_SIGNATURES_MAX);
    for (size_t i = 0; i < n; i++) {
        const struct dkim_result *r = &(*out)[i];
        must((r->result == AUTH_PASS) == (r->reason.n == 0));
        name_is_one(r->domain);
        name_is_one(r->selector);
        must(r->b.n <= 8);
    }
    return n;
}

/* The field we make of it is one that we take: only its signature is wrong. */
static void sign(slice message, struct arena *a)
{
    static const struct dkim_sign_key key = {SLICE_INIT("s"), DKIM_ED25519_SHA256};
    struct dkim_sign_ask ask = {.domain = SLICE("example.org"), .keys = &key, .n_keys = 1, .now = NOW};
    uint8_t signature[64] = {1};
    struct buf m CLEANUP(buf_done);
    const struct dkim_result *r;
    struct dkim_sign *s;
    size_t body = header_end(message);
    buf_init(&m, message.n + DKIM_SIGN_FIELD_MAX);
    if (dkim_sign_begin(slice_sub(message, 0, body), &ask, a, &s))
        return;
    dkim_sign_body(s, slice_from(message, body));
    if (dkim_sign_body_end(s))
        return;
    must(dkim_sign_field(s, 0, slice_of(signature, sizeof(signature)), &m) == OK);
    must(buf_append(&m, message) == OK);
    must(verify(buf_view(&m), SLICE("k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="), m.n, a,
                &r) >= 1);
    must(r[0].result == AUTH_FAIL && slice_starts(r[0].reason, SLICE("the signed header fields")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_done);
    const struct dkim_result *one, *two;
    slice record, message;
    (void)slice_split(slice_of(data, size), 0, &record, &message);
    if (size > 20000)
        return 0;
    arena_init(&a, "fuzz", (size_t)64 << 20);
    size_t n = verify(message, record, message.n + 1, &a, &one);
    must(verify(message, record, 1 + size % 5, &a, &two) == n);
    for (size_t i = 0; i < n; i++)
        must(one[i].result == two[i].result && slice_eq(one[i].reason, two[i].reason));
    sign(message, &a);
    return 0;
}
