/* throttle: buckets in a set-associative table. */
#include "proc/directory/throttle.h"

static uint64_t throttle_tag(const struct throttle *t, char kind, const struct ip *network, slice name)
{
    uint8_t bytes[1 + sizeof network->b + 512];
    size_t n = 1;
    bytes[0] = (uint8_t)kind;
    if (network) {
        memcpy(bytes + n, network->b, sizeof network->b);
        n += sizeof network->b;
    }
    name = slice_sub(name, 0, 512);
    if (name.n)
        memcpy(bytes + n, name.p, name.n);
    return hash_slice(&t->key, slice_of(bytes, n + name.n)) | 1;
}

/* The bucket with this tag, or NULL. */
static const struct throttle_bucket *throttle_find(const struct throttle_table *table, uint64_t tag)
{
    const struct throttle_bucket *set = table->at[tag / 2 % THROTTLE_SETS];
    for (size_t i = 0; i < THROTTLE_WAYS; i++)
        if (set[i].tag == tag)
            return &set[i];
    return NULL;
}

/* The same, made when it is not there, in the place of the one that ends first. */
static struct throttle_bucket *throttle_make(struct throttle_table *table, uint64_t tag)
{
    struct throttle_bucket *set = table->at[tag / 2 % THROTTLE_SETS], *worst = &set[0];
    for (size_t i = 0; i < THROTTLE_WAYS; i++) {
        if (set[i].tag == tag)
            return &set[i];
        if (set[i].until < worst->until)
            worst = &set[i];
    }
    *worst = (struct throttle_bucket){.tag = tag};
    return worst;
}

static time_ms throttle_level(const struct throttle_table *table, uint64_t tag, time_ms now)
{
    const struct throttle_bucket *b = throttle_find(table, tag);
    return b && b->until > now ? b->until - now : 0;
}

static time_ms throttle_pour(struct throttle_table *table, uint64_t tag, time_ms now, time_ms cost,
                             time_ms full)
{
    struct throttle_bucket *b = throttle_make(table, tag);
    if (b->until < now)
        b->until = now;
    b->until += cost;
    if (b->until > now + full + cost)
        b->until = now + full + cost; /* how long it lasts is bounded */
    return b->until - now;
}

bool throttle_allows(const struct throttle *t, const struct ip *ip, slice name, time_ms now_mono)
{
    struct ip network = ip_block(ip, 24, 64);
    if (!ip_is_loopback(ip) && throttle_level(&t->networks, throttle_tag(t, 'n', &network, (slice){0}),
                                              now_mono) >= THROTTLE_NETWORK_FULL)
        return false;
    if (throttle_level(&t->names, throttle_tag(t, 'a', NULL, name), now_mono) < THROTTLE_NAME_FULL)
        return true;
    return throttle_level(&t->known, throttle_tag(t, 'k', &network, name), now_mono) > 0;
}

uint32_t throttle_failed(struct throttle *t, const struct ip *ip, slice name, time_ms now_mono,
                         bool *out_alarm)
{
    struct ip network = ip_block(ip, 24, 64);
    uint64_t name_tag = throttle_tag(t, 'a', NULL, name);
    time_ms before = throttle_level(&t->names, name_tag, now_mono);
    time_ms of_name = throttle_pour(&t->names, name_tag, now_mono, THROTTLE_NAME_COST, THROTTLE_NAME_FULL);
    time_ms of_network = throttle_pour(&t->networks, throttle_tag(t, 'n', &network, (slice){0}), now_mono,
                                       THROTTLE_NETWORK_COST, THROTTLE_NETWORK_FULL);
    time_ms failures = of_name / THROTTLE_NAME_COST;
    uint32_t wait = THROTTLE_WAIT_MIN;
    if (of_network / THROTTLE_NETWORK_COST > failures)
        failures = of_network / THROTTLE_NETWORK_COST;
    for (; failures > 1 && wait < THROTTLE_WAIT_MAX; failures--)
        wait *= 2;
    *out_alarm = before < THROTTLE_NAME_FULL && of_name >= THROTTLE_NAME_FULL;
    return wait > THROTTLE_WAIT_MAX ? THROTTLE_WAIT_MAX : wait;
}

void throttle_passed(struct throttle *t, const struct ip *ip, slice name, time_ms now_mono)
{
    struct ip network = ip_block(ip, 24, 64);
    throttle_make(&t->known, throttle_tag(t, 'k', &network, name))->until = now_mono + THROTTLE_KNOWN_MS;
}
