/* admin_words: verbs that directory knows only by their first word, and carries to the role whose business
 * they are (ipc/admin_words.h). The role says whether it knows the verb; its rows come one by one, the next
 * is asked for when one has come. */
#include "ipc/directory_doctor.h"
#include "ipc/directory_reporter.h"
#include "proc/directory/admin.h"
#include "sys/clock.h"
#include "text/idna.h"

#include <stdio.h>

#define WORDS_MS      (180 * MS_SECOND) /* one row: doctor waits for distant servers */
#define WORDS_SHOW_MS 200               /* a row that took longer is shown at once */
#define WORDS_ARGS    32

static const struct {
    const char *word;
    enum role role;
} words_roles[] = {
    {"dkim", ROLE_DOCTOR}, {"dns", ROLE_DOCTOR}, {"doctor", ROLE_DOCTOR}, {"reports", ROLE_REPORTER}};

/* The two channels number their messages alike, so one code serves both. */
static_assert((int)DIRECTORY_DOCTOR_CALL == (int)DIRECTORY_REPORTER_CALL, "numbered alike");
static_assert((int)DIRECTORY_DOCTOR_MORE == (int)DIRECTORY_REPORTER_MORE, "numbered alike");

static void words_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds);

static const char *words_down(const struct admin *a, enum err e, char out[TEXT_MAX + 1])
{
    snprintf(out, TEXT_MAX + 1, "%s does not answer (%s); see posthorn status", role_name(a->carrier),
             err_text(e));
    return out;
}

static enum err words_ask(struct admin *a, uint16_t type, const void *message)
{
    size_t n = a->given >= 0 && a->carrier == ROLE_DOCTOR; /* handed on unread: a private key */
    a->since = clock_mono();
    return role_call(a->keeper->role, a->carrier, type, message, &a->given, n, WORDS_MS, words_reply, a);
}

static void words_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct admin *a = arg;
    const struct words_row *row = message;
    char text[TEXT_MAX + 1] = "";
    bool slow = clock_mono() - a->since > WORDS_SHOW_MS;
    (void)fds, (void)n_fds;
    if (e != OK) {
        admin_end(a, e, words_down(a, e, text));
        return;
    }
    if (row->json.n) {
        if (a->row.n + row->json.n + 2 > a->row.max)
            admin_row_send(a);
        buf_append(admin_row_begin(a), row->json);
        if (slow)
            admin_row_send(a);
        else
            admin_row_end(a);
    }
    e = err_from_wire(row->err);
    if (e == OK && row->next) {
        struct words_more more = {row->next};
        e = words_ask(a, DIRECTORY_DOCTOR_MORE, &more);
        if (e == OK)
            return;
        words_down(a, e, text);
    } else {
        size_t n = size_min(row->text.n, TEXT_MAX);
        if (n)
            memcpy(text, row->text.p, n);
        text[n] = 0;
    }
    admin_end(a, e, e != OK && !text[0] ? err_text(e) : text);
}

/* What is no ASCII can only be the name of a domain as people write it. */
static slice words_name(slice text, uint8_t room[IDNA_DOMAIN_MAX])
{
    size_t n;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 0x80)
            return idna_to_ascii(text, room, &n) == OK ? slice_of(room, n) : text;
    return text;
}

static enum err words_run(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    struct words_arg args[WORDS_ARGS];
    uint8_t names[WORDS_ARGS][IDNA_DOMAIN_MAX];
    struct words_call call = {.verb = m->verb, .args = args, .n_args = m->n_args};
    char text[TEXT_MAX + 1];
    enum err e;
    must(m->n_args <= WORDS_ARGS);
    for (size_t i = 0; i < m->n_args; i++) {
        if (m->args[i].text.n > TEXT_MAX) {
            err_detail_set(detail, "an argument is longer than %d bytes", TEXT_MAX);
            return ERR_LIMIT;
        }
        args[i].text = words_name(m->args[i].text, names[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(words_roles); i++)
        if (slice_starts(m->verb, slice_str(words_roles[i].word)))
            a->carrier = words_roles[i].role;
    e = words_ask(a, DIRECTORY_DOCTOR_CALL, &call);
    if (e == OK)
        return ERR_MORE;
    err_detail_set(detail, "%s", words_down(a, e, text));
    return e;
}

const struct admin_verb *admin_words_verb(slice name)
{
    static const struct admin_verb carried = {"this command", 0, WORDS_ARGS, words_run};
    slice word, rest;
    if (name.n > 32)
        return NULL;
    (void)slice_split(name, ' ', &word, &rest);
    for (size_t i = 0; i < ARRAY_LEN(words_roles); i++)
        if (slice_eq(word, slice_str(words_roles[i].word)))
            return &carried;
    return NULL;
}
