/* settings: what is set for our domains: answered to judge, doctor and reporter; and word to doctor when it
 * changed. */
#include "ipc/directory_doctor.h"
#include "ipc/x_settings.h"
#include "policy/domain_setting.h"
#include "proc/directory/admin.h"

#define SETTINGS_TELL_MS (60 * MS_SECOND)

/* Copies into the message's arena: what a statement gives lives until its next row only. */
static slice settings_dup(struct house_keeper *k, slice s)
{
    uint8_t *p = arena_alloc(&k->scratch, s.n + 1);
    if (!p)
        return (slice){0};
    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

/* ---- pages of names */

struct settings_page {
    struct house_keeper *keeper;
    struct settings_name names[X_SETTINGS_PAGE];
    size_t n;
};

static void settings_page_add(void *arg, slice name)
{
    struct settings_page *p = arg;
    must(p->n < X_SETTINGS_PAGE);
    p->names[p->n++].name = settings_dup(p->keeper, name);
}

static void settings_domains_answer(struct house_keeper *k, struct chan *c, uint64_t id,
                                    const struct settings_domains_ask *ask)
{
    struct settings_page page = {.keeper = k};
    struct settings_domains m = {0};
    enum err e =
        directory_domain_names(k->store, ask->after, X_SETTINGS_PAGE, settings_page_add, &page, &m.more);
    m.err = (uint32_t)e;
    m.domains = page.names;
    m.n_domains = e == OK ? page.n : 0;
    IGNORE_RESULT(chan_reply(c, id, X_SETTINGS_DOMAINS, &m, NULL, 0), "who asked asks again");
}

/* ---- one domain */

struct settings_found {
    struct house_keeper *keeper;
    struct settings_value values[DOMAIN_SETTING__COUNT];
    size_t n;
};

static void settings_found_add(void *arg, slice name, slice value)
{
    struct settings_found *f = arg;
    must(f->n < DOMAIN_SETTING__COUNT);
    f->values[f->n++] =
        (struct settings_value){settings_dup(f->keeper, name), settings_dup(f->keeper, value)};
}

static void settings_domain_answer(struct house_keeper *k, struct chan *c, uint64_t id,
                                   const struct settings_domain_ask *ask)
{
    struct settings_found found = {.keeper = k};
    struct settings_domain m = {0};
    enum err e = directory_settings(k->store, ask->domain, settings_found_add, &found);
    m.err = (uint32_t)e;
    m.values = found.values;
    m.n_values = e == OK ? found.n : 0;
    IGNORE_RESULT(chan_reply(c, id, X_SETTINGS_DOMAIN, &m, NULL, 0), "who asked asks again");
}

void settings_message(struct house_keeper *k, struct chan *c, uint16_t type, uint64_t id, const void *message)
{
    if (type == X_SETTINGS_DOMAINS_ASK)
        settings_domains_answer(k, c, id, message);
    else if (type == X_SETTINGS_DOMAIN_ASK)
        settings_domain_answer(k, c, id, message);
}

/* ---- word of changes */

static void settings_told(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    (void)arg, (void)e, (void)message, (void)fds, (void)n_fds; /* it looks by itself every hour */
}

void settings_changed(struct house_keeper *k, const struct admin_arg *domains, size_t n)
{
    struct words_arg args[32];
    struct words_call call = {.verb = SLICE("domains-changed"), .args = args};
    if (n <= ARRAY_LEN(args))
        for (size_t i = 0; i < n; i++)
            args[call.n_args++].text = domains[i].text;
    IGNORE_RESULT(role_call(k->role, ROLE_DOCTOR, DIRECTORY_DOCTOR_CALL, &call, NULL, 0, SETTINGS_TELL_MS,
                            settings_told, k),
                  "no server runs, or doctor is just starting and looks then");
}
