/* rotation_words: posthorn dkim list, show, check, rotate and import: the keys of a domain, in rows. A key
 * that is imported passes through as a descriptor; its bytes are not for this role. */
#include "ipc/admin_words.h"
#include "ipc/doctor_keys.h"
#include "proc/doctor/rotation.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "text/date.h"

#include <stdio.h>
#include <stdlib.h>

struct words {
    struct doctor *doctor;
    struct doctor_call *call; /* NULL: nobody waits any more */
    bool force, look;
    size_t page; /* of all keys: rows that still fit */
    int fd;      /* a private key on its way to keys, or -1 */
    char domain[ROTATION_DOMAIN_MAX + 1], selector[ROTATION_SELECTOR_MAX + 1];
    char said[400]; /* what keys said of an imported key */
};

#define WORDS_IMPORT_MS (30 * MS_SECOND)
#define WORDS_PAGE      1000 /* rows of one call; src/tool/cmd_dkim.c asks again behind the last */

static void words_gone(void *arg)
{
    struct words *w = arg;
    w->call = NULL;
}

static void words_end(struct words *w, enum err e, const char *text)
{
    if (w->call)
        doctor_end(w->call, e, slice_str(text));
    fd_done(&w->fd);
    free(w);
}

/* ---- rows */

static void words_text(struct buf *b, const char *name, slice value)
{
    buf_print(b, "%s\"%s\":", b->p[b->n - 1] == '{' ? "" : ",", name);
    journal_event_json(b, value);
}

static void words_time(struct buf *b, const char *name, time_ms at)
{
    struct buf iso CLEANUP(buf_done) = {.max = 64};
    if (at >= 0 && date_print_iso(at, &iso) == OK)
        words_text(b, name, buf_view(&iso));
}

static void words_row(struct words *w, slice domain, const struct rotation_found_key *k,
                      const struct rotation_note *note)
{
    static const char *const algorithms[] = {"?", "rsa", "ed25519"};
    static const char *const states[] = {"?", "waiting", "signing", "resting"};
    static const char *const seen[] = {"unknown", "equal", "different", "missing", "partly"};
    static const char *const weights[] = {"fine", "do", "bad"};
    struct buf b CLEANUP(buf_done) = {.max = ADMIN_WORDS_JSON_MAX};
    const struct rotation_key *key = &k->key;
    buf_byte(&b, '{');
    words_text(&b, "domain", domain);
    words_text(&b, "selector", key->selector);
    words_text(&b, "algorithm",
               slice_str(key->algorithm < ARRAY_LEN(algorithms) ? algorithms[key->algorithm] : "?"));
    words_text(&b, "state",
               slice_str(key->damaged                     ? "damaged"
                         : key->state < ARRAY_LEN(states) ? states[key->state]
                                                          : "?"));
    if (!key->damaged) {
        words_time(&b, "made", key->made_at);
        words_time(&b, "since", key->state_at);
        words_text(&b, "record", k->record);
    }
    if (note) {
        if (!key->damaged && key->state != ROTATION_RESTING)
            words_text(&b, "dns", slice_str(seen[key->seen]));
        words_text(&b, "weight", slice_str(weights[note->weight]));
        words_text(&b, "note", slice_str(note->text));
        if (note->until)
            words_time(&b, "until", note->until);
    }
    buf_byte(&b, '}');
    if (!buf_failed(&b))
        doctor_row(w->call, buf_view(&b));
}

static void words_found(void *arg, const struct rotation_found *f)
{
    struct words *w = arg;
    if (!w->call || f->err) {
        char text[512];
        snprintf(text, sizeof text, "%.*s", SLICE_FMT(f->text));
        words_end(w, f->err, text);
        return;
    }
    if (f->changed)
        doctor_changed(w->doctor, &doctor_rotation_part);
    if (f->waiting)
        rotation_hot(w->doctor, slice_str(w->domain));
    if (w->force && !f->changed)
        snprintf(w->said, sizeof w->said,
                 "No key was made; the last column says what the next ones wait for.");
    for (size_t i = 0; i < f->n_keys; i++)
        words_row(w, slice_str(w->domain), &f->keys[i], i < f->plan->n_notes ? &f->plan->notes[i] : NULL);
    words_end(w, OK, w->said);
}

static void words_imported(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct words *w = arg;
    const struct doctor_key_done *m = message;
    struct rotation_ask ask = {.domain = slice_str(w->domain)};
    char text[512];
    (void)fds, (void)n_fds;
    if (e) {
        words_end(
            w, e,
            "keys does not answer; see posthorn status, and posthorn dkim list for whether it has the key");
        return;
    }
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(slice_sub(m->text, 0, sizeof w->said - 1)));
    if (m->err) {
        words_end(w, err_from_wire(m->err), text);
        return;
    }
    snprintf(w->said, sizeof w->said, "%.*s", (int)(sizeof w->said - 1), text);
    doctor_changed(w->doctor, &doctor_rotation_part);
    rotation_job(w->doctor, &ask, words_found, w); /* signs at once when its record is there */
}

static void words_import_send(struct words *w)
{
    struct doctor_key_import m = {slice_str(w->domain), slice_str(w->selector), clock_unix()};
    enum err e = role_call(w->doctor->role, ROLE_KEYS, DOCTOR_KEYS_IMPORT, &m, &w->fd, 1, WORDS_IMPORT_MS,
                           words_imported, w);
    fd_done(&w->fd);
    if (e)
        words_end(w, e, "keys does not answer; see posthorn status");
}

static void words_domain(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct words *w = arg;
    struct rotation_ask ask = {.domain = slice_str(w->domain), .look = w->look, .force = w->force};
    char text[400];
    if (!w->call || e || n != 1) {
        snprintf(text, sizeof text,
                 e == ERR_NOT_FOUND ? "there is no domain %s here; see posthorn domain list"
                                    : "directory does not say how %s is set; see posthorn status",
                 w->domain);
        words_end(w, e ? e : ERR_BUG, text);
        return;
    }
    if (!w->look && !slice_eq(doctor_domain_setting(&domains[0], "sign", SLICE("on")), SLICE("on"))) {
        snprintf(text, sizeof text,
                 "mail of %s is not signed; switch it on with: posthorn domain unset %s sign", w->domain,
                 w->domain);
        words_end(w, ERR_STATE, text);
        return;
    }
    if (w->selector[0])
        words_import_send(w);
    else
        rotation_job(w->doctor, &ask, words_found, w);
}

static void words_begin(struct doctor *d, struct doctor_call *call, bool look, bool force)
{
    struct words *w = calloc(1, sizeof *w);
    struct dns_name name;
    must(w);
    *w = (struct words){.doctor = d, .call = call, .look = look, .force = force, .fd = doctor_take_fd(call)};
    if (dns_name_parse(doctor_arg(call, 0), &name) != OK) {
        words_end(w, ERR_SYNTAX, "that is no domain name; write it like example.org");
        return;
    }
    snprintf(w->domain, sizeof w->domain, "%s", name.text);
    if (doctor_args(call) > 1) {
        if (w->fd < 0 || dns_name_parse(doctor_arg(call, 1), &name) != OK || name.n == 0 ||
            name.n > ROTATION_SELECTOR_MAX) {
            words_end(
                w, ERR_SYNTAX,
                w->fd < 0
                    ? "no key came with the call; use posthorn dkim import DOMAIN SELECTOR FILE"
                    : "that is no selector; it is what stands before ._domainkey in the name of the record");
            return;
        }
        snprintf(w->selector, sizeof w->selector, "%.*s", (int)(sizeof w->selector - 1), name.text);
    }
    doctor_on_gone(call, words_gone, w);
    doctor_domains(d, slice_str(w->domain), words_domain, w);
}

/* ---- all keys, without a look at the DNS */

static void words_all_next(struct words *w, slice after);

static void words_all_key(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct words *w = arg;
    const struct doctor_key *m = message;
    struct rotation_found_key k = {0};
    (void)fds, (void)n_fds;
    if (!e && m->err != ERR_CORRUPT)
        e = err_from_wire(m->err);
    if (e || !w->call) {
        words_end(w, e == ERR_NOT_FOUND ? OK : e, e == ERR_NOT_FOUND ? "" : "keys does not answer");
        return;
    }
    k.record = m->record;
    k.key = (struct rotation_key){.selector = m->selector,
                                  .algorithm = m->algorithm,
                                  .state = m->state,
                                  .damaged = m->err != OK,
                                  .made_at = m->made_at,
                                  .state_at = m->state_at};
    words_row(w, m->domain, &k, NULL);
    if (--w->page)
        words_all_next(w, m->id);
    else
        words_end(w, OK, "");
}

static void words_all_next(struct words *w, slice after)
{
    struct doctor_key_list m = {after};
    enum err e =
        role_call(w->doctor->role, ROLE_KEYS, DOCTOR_KEYS_LIST, &m, NULL, 0, MS_MINUTE, words_all_key, w);
    if (e)
        words_end(w, e, "keys does not answer; see posthorn status");
}

/* ---- verbs */

/* "dkim list DOMAIN", or "dkim list * [DOMAIN,SELECTOR]": a page of all keys, those behind that one. */
static void words_list(struct doctor *d, struct doctor_call *call)
{
    struct words *w;
    if (doctor_args(call) && !slice_eq(doctor_arg(call, 0), SLICE("*"))) {
        words_begin(d, call, true, false);
        return;
    }
    w = calloc(1, sizeof *w);
    must(w);
    *w = (struct words){.doctor = d, .call = call, .fd = -1, .page = WORDS_PAGE};
    doctor_on_gone(call, words_gone, w);
    words_all_next(w, doctor_arg(call, 1));
}

static void words_show(struct doctor *d, struct doctor_call *call)
{
    words_begin(d, call, true, false);
}

static void words_check(struct doctor *d, struct doctor_call *call)
{
    words_begin(d, call, false, false);
}

static void words_rotate(struct doctor *d, struct doctor_call *call)
{
    words_begin(d, call, false, true);
}

static void words_import(struct doctor *d, struct doctor_call *call)
{
    words_begin(d, call, false, false);
}

const struct doctor_verb rotation_verbs[ROTATION_VERBS] = {{"dkim list", 0, 2, words_list},
                                                           {"dkim show", 1, 1, words_show},
                                                           {"dkim check", 1, 1, words_check},
                                                           {"dkim rotate", 1, 1, words_rotate},
                                                           {"dkim import", 2, 2, words_import}};
