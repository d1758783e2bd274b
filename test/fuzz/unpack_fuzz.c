/* unpack: any bytes: never more comes out than the limits allow, an error always has its words. */
#include "text/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err count(void *arg, slice piece)
{
    uint64_t *n = arg;
    *n += piece.n;
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const slice endings[] = {SLICE_INIT(".xml"), SLICE_INIT(".json")};
    static const struct unpack_limits limits = {1 << 20, 20};
    struct err_detail why = {{0}};
    uint64_t n = 0;
    enum err e = unpack(slice_of(data, size), endings, ARRAY_LEN(endings), &limits, count, &n, &why);
    must(n <= limits.bytes_max && n <= 65536 + (uint64_t)size * limits.ratio_max);
    must(e == OK || why.text[0]);
    return 0;
}
