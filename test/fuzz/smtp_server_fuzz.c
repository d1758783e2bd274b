/* Fuzzes the SMTP server core: the first byte chooses the service, the second the cut; the rest is what the
 * client sends. The driver's must() hold the invariants; besides, a run in pieces must give what the run in
 * one gave. */
#include "unit/smtp/driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(struct driver *d, const struct smtp_server_config *config, slice in, size_t piece)
{
    driver_init(d, config, DRIVER_AT_ONCE);
    smtp_server_greet(d->s, NULL);
    driver_feed(d, (slice){0});
    while (in.n) {
        size_t n = size_min(piece, in.n);
        if (d->tls_wanted)
            driver_tls_started(d);
        driver_feed(d, slice_sub(in, 0, n));
        in = slice_from(in, n);
    }
    must(smtp_server_pending(d->s).n == 0);
    driver_tick(d, 1000 + MS_DAY); /* time ends whatever is left */
    must(d->closed || d->tls_wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_server_limits limits = smtp_server_limits_default;
    struct smtp_server_config config = {
        .hostname = SLICE("mx.test"), .auth_mechanisms = SLICE("SCRAM-SHA-256 PLAIN"), .limits = &limits};
    struct driver whole, pieces;
    slice in;
    if (size < 2)
        return 0;
    in = slice_of(data + 2, size - 2);
    config.service = data[0] & 1 ? SMTP_SUBMISSION : SMTP_MX;
    config.plaintext_login = data[0] & 2;
    config.tls_offered = data[0] & 4;
    config.tls_on = data[0] & 8;
    limits.message_bytes = 1000;
    limits.slow_ms = 0;
    limits.recipients = 3;
    run(&whole, &config, in, SIZE_MAX);
    run(&pieces, &config, in, (size_t)data[1] + 1);
    if (!(config.tls_offered)) { /* bytes behind STARTTLS are the one place where the cut counts */
        must(slice_eq(buf_view(&whole.out), buf_view(&pieces.out)));
        must(slice_eq(buf_view(&whole.log), buf_view(&pieces.log)));
    }
    driver_done(&whole);
    driver_done(&pieces);
    return 0;
}
