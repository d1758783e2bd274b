/* mime: the summary of any bytes is well formed, and the same whatever pieces they come in. The first byte
 * chooses the pieces and, by its top bit, small limits. */
#include "fuzz/mime_check.h"

#include "text/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mail_limits small = {.header_bytes = 300,
                                             .header_field_bytes = 60,
                                             .header_fields = 8,
                                             .addresses = 3,
                                             .params = 3,
                                             .depth = 3,
                                             .parts = 6};
    slice s = slice_of(data, size);
    charset_preload(); /* once: loading tables for every input would be all the work */
    if (size == 0)
        return 0;
    mime_check(slice_from(s, 1), (size_t)(data[0] & 0x7F) % 23 + 1,
               data[0] & 0x80 ? &small : &mail_limits_default);
    return 0;
}
