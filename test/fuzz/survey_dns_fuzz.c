/* survey_dns: an answer of a stranger's name server as doctor reads it (first two octets: the asked type; id
 * and question are taken from the message itself so that the fuzzer gets past the check), its referral too.
 */
#include "base/arena.h"
#include "survey/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_of(slice_of(data, size)), head;
    struct survey_dns_reply reply = {0};
    struct dns_name question, again;
    struct arena arena;
    uint16_t type, id;
    size_t at = 12;
    bool cut = false;
    enum err e;
    if (!cursor_u16(&c, &type) || dns_name_read(c.rest, &at, &question))
        return 0;
    head = c;
    if (!cursor_u16(&head, &id))
        return 0;
    arena_init(&arena, "fuzz", 512 * 1024);
    e = survey_dns_read(c.rest, (uint16_t)(id ^ 1), &question, type, &arena, &reply, &cut);
    must(e == ERR_AGAIN); /* another question's answer */
    e = survey_dns_read(c.rest, id, &question, type, &arena, &reply, &cut);
    must(e == OK || reply.n_ns == 0);
    must(reply.n_ns <= SURVEY_DNS_NS_MAX);
    if (reply.n_ns) { /* names that are shown and asked about are names */
        must(reply.ns_owner.n == 0 || dns_name_parse(dns_name_view(&reply.ns_owner), &again) == OK);
        for (size_t i = 0; i < reply.n_ns; i++)
            must(reply.ns[i].n == 0 || dns_name_parse(dns_name_view(&reply.ns[i]), &again) == OK);
    }
    arena_done(&arena);
    return 0;
}
