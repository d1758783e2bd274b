/* arc: any header block gives a chain or words why not, in any split of the body the same, and asks only for
 * names. */
#include "core/arc/arc.h"
#include "core/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What every key question is answered with. */
static const char key_text[] = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

static enum auth_result verify(slice message, size_t split, struct arc_result *out, struct arena *a)
{
    size_t body = header_end(message), questions = 0;
    uint8_t rdata[128];
    slice one = {rdata, sizeof key_text};
    struct dns_answer answer = {.status = DNS_ANSWER_OK, .rdata = &one, .n = 1};
    struct dns_table t;
    struct arc_verify *v;
    enum auth_step step;
    rdata[0] = sizeof key_text - 1;
    memcpy(rdata + 1, key_text, sizeof key_text - 1);
    must(dns_table_init(&t, a, 200));
    v = arc_verify_begin(slice_sub(message, 0, body), a);
    must(v);
    arc_verify_want(v, &t);
    for (size_t at = body; at < message.n; at += split)
        arc_verify_body(v, slice_sub(message, at, at + split));
    arc_verify_body_end(v);
    while ((step = arc_verify_finish(v, &t, (time_ms)1500000000000, NULL, out)) == AUTH_WAIT) {
        size_t q;
        slice name;
        uint16_t type;
        for (; dns_table_next(&t, &q, &name, &type); questions++)
            dns_table_put(&t, q, &answer);
    }
    must(step == AUTH_DONE && questions <= 2 * ARC_SETS_MAX);
    must((out->result == AUTH_NONE) == (out->sets == 0) && out->sets <= ARC_SETS_MAX);
    must((out->reason.n > 0) == (out->sets > 0));
    must(!out->sealers || out->result == AUTH_PASS);
    for (size_t i = 0; i < out->reason.n; i++)
        must(out->reason.p[i] >= ' ' && out->reason.p[i] <= '~');
    return out->result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice s = slice_of(data, size_min(size, 65536));
    struct arena a, b;
    struct arc_result r, again;
    arena_init(&a, "fuzz", (size_t)64 << 20);
    arena_init(&b, "fuzz", (size_t)64 << 20);
    must(verify(s, s.n + 1, &r, &a) == verify(s, 3, &again, &b));
    must(slice_eq(r.reason, again.reason) && slice_eq(r.sealer, again.sealer));
    arena_done(&a);
    arena_done(&b);
    return 0;
}
