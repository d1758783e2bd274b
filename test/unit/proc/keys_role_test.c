/* The real posthorn-keys under its rights, with peers that were taken over: an edge cannot have mail signed,
 * a judge cannot have handshakes signed; doctor makes keys and moves them along, also through a kill at any
 * moment; others are answered while a key is being made (THREATS 50, 51, 53). argv[1]: the build folder. */
#include "jail/roles.h"
#include "lib/test.h"

#include "crypto/digest.h"
#include "crypto/public_key.h"
#include "ipc/doctor_keys.h"
#include "ipc/x_keys.h"
#include "sys/fd.h"
#include "sys/tls_scheme.h"
#include "text/base64.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct house {
    struct played keys;
    int edge, relay, judge, doctor;
    uint64_t next_id;
    struct arena a;
};

static void send_to(int fd, const struct ipc_channel *def, uint16_t type, uint64_t id, const void *m)
{
    assert_int_equal(chan_write_wait(fd, def, type, id, m, NULL, 0), OK);
}

static const void *ask(struct house *h, int fd, const struct ipc_channel *def, uint16_t type, const void *m,
                       uint16_t answer)
{
    uint64_t id = ++h->next_id, got = 0;
    const void *reply;
    arena_reset(&h->a);
    send_to(fd, def, type, id, m);
    reply = played_read(fd, def, IPC_A, &h->a, answer, &got, NULL);
    assert_int_equal(got, id);
    return reply;
}

static void join(struct house *h)
{
    h->edge = played_channel(&h->keys, ROLE_EDGE, &x_keys_channel, false);
    h->relay = played_channel(&h->keys, ROLE_RELAY, &x_keys_channel, false);
    h->judge = played_channel(&h->keys, ROLE_JUDGE, &x_keys_channel, false);
    h->doctor = played_channel(&h->keys, ROLE_DOCTOR, &doctor_keys_channel, false);
    played_ready(&h->keys);
}

static int begin(void **state)
{
    static struct house h;
    memset(&h, 0, sizeof h);
    arena_init(&h.a, "answers", 1 << 20);
    played_start(&h.keys, ROLE_KEYS);
    join(&h);
    *state = &h;
    return 0;
}

static void leave(struct house *h)
{
    fd_done(&h->edge);
    fd_done(&h->relay);
    fd_done(&h->judge);
    fd_done(&h->doctor);
}

static int end(void **state)
{
    struct house *h = *state;
    leave(h);
    arena_done(&h->a);
    played_end(&h->keys);
    return 0;
}

/* ---- what the peers say */

static enum err make(struct house *h, const char *domain, const char *selector, enum dkim_key_algorithm a)
{
    struct doctor_key_make m = {slice_str(domain), slice_str(selector), (uint8_t)a, 1000};
    const struct doctor_key_done *d =
        ask(h, h->doctor, &doctor_keys_channel, DOCTOR_KEYS_MAKE, &m, DOCTOR_KEYS_DONE);
    assert_true(d->err == OK || d->text.n > 0);
    return err_from_wire(d->err);
}

static enum err set(struct house *h, const char *id, enum dkim_key_state s)
{
    struct doctor_key_set m = {slice_str(id), (uint8_t)s, 2000};
    const struct doctor_key_done *d =
        ask(h, h->doctor, &doctor_keys_channel, DOCTOR_KEYS_SET, &m, DOCTOR_KEYS_DONE);
    return err_from_wire(d->err);
}

static const struct doctor_key *next(struct house *h, const char *after)
{
    struct doctor_key_list m = {slice_str(after)};
    return ask(h, h->doctor, &doctor_keys_channel, DOCTOR_KEYS_LIST, &m, DOCTOR_KEYS_ROW);
}

static const struct signature *sign_mail(struct house *h, int fd, const char *domain, const char *selector)
{
    static const uint8_t digest[32] = {9, 8, 7};
    struct dkim_sign_ask m = {slice_str(domain), slice_str(selector), slice_of(digest, 32)};
    return ask(h, fd, &x_keys_channel, X_KEYS_DKIM_SIGN, &m, X_KEYS_SIGNATURE);
}

static size_t signers(struct house *h, int fd, const char *domain)
{
    struct dkim_keys_ask m = {slice_str(domain)};
    return ((const struct dkim_keys *)ask(h, fd, &x_keys_channel, X_KEYS_DKIM_ASK, &m, X_KEYS_DKIM))->n_keys;
}

static enum err sign_handshake(struct house *h, int fd)
{
    uint8_t text[64 + 34 + 32];
    struct sign_ask m = {.key = 0, .algorithm = TLS_ECDSA_P256_SHA256, .data = slice_of(text, sizeof text)};
    memset(text, ' ', 64);
    memcpy(text + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(text + 98, 7, 32);
    return err_from_wire(
        ((const struct signature *)ask(h, fd, &x_keys_channel, X_KEYS_SIGN, &m, X_KEYS_SIGNATURE))->err);
}

/* ---- */

static void a_key_signs_what_its_record_verifies(void **state)
{
    static const uint8_t digest[32] = {9, 8, 7};
    struct house *h = *state;
    for (enum dkim_key_algorithm a = DKIM_KEY_RSA; a <= DKIM_KEY_ED25519; a++) {
        struct buf raw CLEANUP(buf_done) = {.max = 1024};
        const struct doctor_key *row;
        const struct signature *s;
        struct public_key *k = NULL;
        char selector[8], id[32];
        snprintf(selector, sizeof selector, "k%d", a);
        snprintf(id, sizeof id, "example.org,k%d", a);
        assert_int_equal(make(h, "example.org", selector, a), OK);
        assert_int_equal(make(h, "example.org", selector, a), ERR_EXISTS);
        assert_int_equal(signers(h, h->judge, "example.org"), a - 1);
        assert_int_equal(sign_mail(h, h->judge, "example.org", selector)->err, ERR_STATE);
        assert_int_equal(set(h, id, DKIM_KEY_SIGNING), OK);
        assert_int_equal(signers(h, h->judge, "example.org"), a);
        row = next(h, a == DKIM_KEY_RSA ? "" : "example.org,k1");
        assert_slice(row->id, id);
        assert_int_equal(
            base64_decode(slice_from(row->record, slice_find(row->record, SLICE("p=")) + 2), &raw), OK);
        assert_int_equal(a == DKIM_KEY_RSA ? public_key_rsa(buf_view(&raw), &k)
                                           : public_key_ed25519(buf_view(&raw), &k),
                         OK);
        s = sign_mail(h, h->judge, "example.org", selector);
        assert_int_equal(s->err, OK);
        assert_true(public_key_verify(k, digest, s->bytes));
        public_key_free(&k);
    }
    assert_int_equal(next(h, "example.org,k2")->err, ERR_NOT_FOUND);
}

static void nobody_signs_with_anothers_keys(void **state)
{
    struct house *h = *state;
    assert_int_equal(make(h, "example.org", "a", DKIM_KEY_ED25519), OK);
    assert_int_equal(set(h, "example.org,a", DKIM_KEY_SIGNING), OK);
    assert_int_equal(sign_mail(h, h->judge, "example.org", "a")->err, OK);
    assert_int_equal(sign_mail(h, h->edge, "example.org", "a")->err, ERR_DENIED);
    assert_int_equal(sign_mail(h, h->relay, "example.org", "a")->err, ERR_DENIED);
    assert_int_equal(signers(h, h->edge, "example.org"), 0);
    assert_int_equal(sign_handshake(h, h->edge), OK);
    assert_int_equal(sign_handshake(h, h->relay), OK);
    assert_int_equal(sign_handshake(h, h->judge), ERR_DENIED);
    assert_int_equal(sign_mail(h, h->judge, "example.net", "a")->err, ERR_NOT_FOUND);
}

/* A dozen RSA keys are asked for at once; handshakes and mail are signed before the last is there. */
static void others_are_answered_meanwhile(void **state)
{
    struct house *h = *state;
    char selector[16];
    size_t between = 0;
    assert_int_equal(make(h, "example.org", "first", DKIM_KEY_ED25519), OK);
    assert_int_equal(set(h, "example.org,first", DKIM_KEY_SIGNING), OK);
    for (unsigned i = 10; i < 22; i++) {
        struct doctor_key_make m = {SLICE("many.test"), {0}, DKIM_KEY_RSA, 1000};
        snprintf(selector, sizeof selector, "s%u", i);
        m.selector = slice_str(selector);
        send_to(h->doctor, &doctor_keys_channel, DOCTOR_KEYS_MAKE, 1000 + i, &m);
    }
    while (next(h, "many.test,s20")->err == ERR_NOT_FOUND) { /* s21 is made last */
        const struct signature *m = sign_mail(h, h->judge, "example.org", "first");
        enum err e;
        assert_true(m->err == OK || m->err == ERR_BUSY); /* busy: as many as a second may have */
        e = sign_handshake(h, h->edge);
        assert_true(e == OK || e == ERR_BUSY);
        between++;
    }
    assert_true(between > 3);
}

/* Killed while keys are being made: what is there afterwards is whole, and more can be made. */
static void killed_while_making(void **state)
{
    struct house *h = *state;
    for (unsigned round = 0; round < 8; round++) {
        char selector[16], after[64] = "";
        size_t whole = 0;
        for (unsigned i = 0; i < 4; i++) {
            struct doctor_key_make m = {SLICE("example.org"), {0}, DKIM_KEY_ED25519, 1000};
            snprintf(selector, sizeof selector, "r%u-%u", round, i);
            m.selector = slice_str(selector);
            send_to(h->doctor, &doctor_keys_channel, DOCTOR_KEYS_MAKE, 1 + i, &m);
        }
        /* let it get further from round to round */
        for (unsigned i = 0; i < round; i++)
            (void)sign_handshake(h, h->edge);
        assert_int_equal(kill(h->keys.pid, SIGKILL), 0);
        assert_int_equal(waitpid(h->keys.pid, NULL, 0), h->keys.pid);
        leave(h);
        played_again(&h->keys);
        join(h);
        for (;;) {
            const struct doctor_key *row = next(h, after);
            if (row->err == ERR_NOT_FOUND)
                break;
            assert_int_equal(row->err, OK);
            snprintf(after, sizeof after, "%.*s", SLICE_FMT(row->id));
            assert_int_equal(set(h, after, DKIM_KEY_SIGNING), OK);
            whole++;
        }
        assert_true(whole <= 4 * (round + 1));
    }
    assert_int_equal(make(h, "example.org", "last", DKIM_KEY_ED25519), OK);
}

static void files_are_ours_alone(void **state)
{
    struct house *h = *state;
    char path[128];
    struct stat st;
    assert_int_equal(make(h, "example.org", "a", DKIM_KEY_ED25519), OK);
    snprintf(path, sizeof path, "%s/dkim", h->keys.folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/dkim/example.org,a", h->keys.folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {T(a_key_signs_what_its_record_verifies),
                                       T(nobody_signs_with_anothers_keys), T(others_are_answered_meanwhile),
                                       T(killed_while_making), T(files_are_ours_alone)};
    played_build = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
