/* ask_dns SERVER:PORT ANCHORS|- NAME TYPE: one question through the resolver's core, for the tests with a
 * real server. Prints the error's name, "secure" or "insecure", the TTL, and each record in hex. */
#include "base/check.h"
#include "proc/resolver/dns_ctx.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool done;

static void answered(void *arg, const struct dns_ctx_answer *a)
{
    (void)arg;
    printf("%s %s %u", err_name(a->err), a->secure ? "secure" : "insecure", a->packet.ttl_s);
    for (size_t i = 0; i < a->packet.n; i++) {
        putchar(' ');
        for (size_t k = 0; k < a->packet.rdata[i].n; k++)
            printf("%02x", a->packet.rdata[i].p[k]);
    }
    putchar('\n');
    done = true;
}

int main(int argc, char **argv)
{
    static uint8_t anchors[65536];
    slice forward;
    struct dns_ctx_options o = {.forwards = &forward, .n_forwards = 1};
    struct err_detail detail = {""};
    struct dns_name name;
    struct dns_ctx *ctx;
    struct loop *loop;
    uint16_t type = 0;
    time_ms end;
    must(argc == 5);
    forward = slice_str(argv[1]);
    if (strcmp(argv[2], "-") != 0) {
        int fd CLEANUP(fd_done) = open(argv[2], O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, anchors, sizeof anchors);
        must(n > 0);
        o.anchors = slice_of(anchors, (size_t)n);
    }
    for (uint16_t t = 1; t < 256 && !type; t++)
        type = strcmp(dns_type_name(t), argv[4]) == 0 ? t : 0;
    must(type && dns_name_parse_odd(slice_str(argv[3]), &name) == OK);
    if (dns_ctx_new(&o, &ctx, &detail)) {
        fprintf(stderr, "%s\n", detail.text);
        return 1;
    }
    loop = loop_new();
    dns_ctx_start(ctx, loop);
    dns_ctx_ask(ctx, &name, type, answered, NULL);
    for (end = clock_mono() + 50000; !done && clock_mono() < end;)
        loop_turn(loop, true);
    (void)fflush(stdout);
    _exit(!done); /* the resolver lives as long as its process: nothing takes it down */
}
