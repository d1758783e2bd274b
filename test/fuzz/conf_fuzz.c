/* The configuration parser on any bytes: it never fails, it complains; and what it accepts holds its
 * promises. */
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf c;
    static struct conf_problems problems;
    bool good = conf_parse(slice_of(data, size), SLICE("/etc/posthorn"), &c, &problems);
    must(good == (problems.n == 0));
    must(c.listen_count <= CONF_LISTEN_MAX && c.route_count <= CONF_ROUTE_MAX);
    for (size_t i = 0; i < problems.n; i++) {
        must(problems.at[i].text[0]);
        for (const char *p = problems.at[i].text; *p; p++)
            must((unsigned char)*p >= ' ');
    }
    if (!good)
        return 0;
    must(c.hostname[0] && c.data[0] == '/' && c.user[0] && c.listen_count);
    for (size_t i = 0; i < c.listen_count; i++)
        must(c.listens[i].address.port &&
             (!c.listens[i].plaintext || ip_is_loopback(&c.listens[i].address.ip)));
    must((c.zone[0] != 0) == (c.dns_listen_count > 0) && c.dns_listen_count <= CONF_DNS_MAX);
    must(c.address_count <= CONF_ADDRESS_MAX);
    for (size_t i = 0; i < c.route_count; i++)
        must(conf_route_find(c.routes, c.route_count, slice_str(c.routes[i].domain)) == &c.routes[i]);
    return 0;
}
