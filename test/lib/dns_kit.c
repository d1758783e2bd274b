#include "lib/dns_kit.h"

#include <stdio.h>

#define QUESTIONS_MAX 200

size_t dns_kit_answer_from(const struct dns_zone *zone, struct dns_table *table, struct arena *arena)
{
    size_t question, asked = 0;
    uint16_t type;
    slice name;
    for (; dns_table_next(table, &question, &name, &type); asked++) {
        struct dns_answer answer;
        dns_zone_answer(zone, name, type, arena, &answer);
        dns_table_put(table, question, &answer);
    }
    return asked;
}

void dns_kit_again(struct dns_kit *k)
{
    arena_reset(&k->answers);
    k->rounds = k->asked = 0;
    must(dns_table_init(&k->table, &k->answers, QUESTIONS_MAX));
}

void dns_kit_start(struct dns_kit *k, const char *zone_text)
{
    struct err_detail detail = {""};
    *k = (struct dns_kit){.rounds = 0};
    arena_init(&k->arena, "kit", (size_t)64 << 20);
    arena_init(&k->answers, "answers", (size_t)64 << 20);
    if (dns_zone_text_read(slice_str(zone_text), &k->arena, &k->zone, &detail))
        fprintf(stderr, "zone: %s\n", detail.text);
    must(detail.text[0] == 0);
    dns_kit_again(k);
}

void dns_kit_done(struct dns_kit *k)
{
    arena_done(&k->answers);
    arena_done(&k->arena);
}

bool dns_kit_answer(struct dns_kit *k)
{
    unsigned before = k->asked;
    size_t question;
    uint16_t type;
    slice name;
    for (; dns_table_next(&k->table, &question, &name, &type); k->asked++) {
        struct dns_answer answer;
        dns_zone_answer(&k->zone, name, type, &k->answers, &answer);
        if (k->change)
            k->change(k, name, type, &answer);
        dns_table_put(&k->table, question, &answer);
    }
    k->rounds++;
    return k->asked > before;
}
