/* The file of a DKIM key, and records as the DNS shows them. Arbitrary bytes are refused or read as values
 * that print back to what was read. The input is a file without its check, which is made right here so that
 * the lines behind it are reached; octet 0 even: as it is. */
#include "crypto/digest.h"
#include "policy/key_rotation.h"
#include "proc/keys/dkim_file.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dkim_text text CLEANUP(dkim_text_done) = {0};
    struct buf in CLEANUP(buf_done) = {.max = DKIM_FILE_MAX};
    struct err_detail d = {""};
    struct dkim_file f, again;
    uint8_t sum[DIGEST_SHA256_SIZE];
    slice shown;
    if (size < 1 || size > DKIM_FILE_MAX - 128)
        return 0;
    buf_append(&in, slice_of(data + 1, size - 1));
    shown = buf_view(&in);
    must(rotation_compare(SLICE("v=DKIM1; k=rsa; p=AA=="), &shown, 1) != ROTATION_SEEN_MISSING);
    if (data[0] & 1) {
        digest_sha256(buf_view(&in), sum);
        buf_str(&in, "check ");
        for (size_t i = 0; i < sizeof sum; i++)
            buf_print(&in, "%02x", sum[i]);
        buf_byte(&in, '\n');
    }
    if (dkim_file_parse(buf_view(&in), &f, &d) != OK) {
        must(d.text[0]);
        return 0;
    }
    must(f.domain.n && f.selector.n && f.public.n && dkim_state_name(f.state));
    if (f.domain.n > 300 || f.selector.n > 300 || f.public.n > 2000 || dkim_file_print(&f, &text) != OK)
        return 0;
    must(dkim_file_parse(slice_of(text.p, text.n), &again, &d) == OK);
    must(slice_eq(again.domain, f.domain) && slice_eq(again.public, f.public) && again.state == f.state &&
         again.state_at == f.state_at && again.made_at == f.made_at && again.algorithm == f.algorithm);
    return 0;
}
