/* Each real executable, under its rights, tries what its job does not need and must not get it. The attempts
 * are sys/probe.c; a call that only an intruder makes ends the process (SIGSYS), any other fails. */
#include "jail/roles.h"
#include "lib/test.h"

#include "ipc/accounts_account.h"
#include "ipc/accounts_mother.h"
#include "sys/fd.h"
#include "sys/probe.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KILLED (1000 + SIGSYS)

struct inmate {
    enum role role;
    bool connects, forks; /* its job has it */
};

static const struct inmate inmates[] = {
    {ROLE_EDGE, false, false},       {ROLE_DIRECTORY, false, false}, {ROLE_ACCOUNTS, false, false},
    {ROLE_ACCOUNT, false, true},     {ROLE_JUDGE, false, false},     {ROLE_RELAY, true, false},
    {ROLE_RESOLVER, true, false},    {ROLE_FETCHER, true, false},    {ROLE_KEYS, false, false},
    {ROLE_JOURNAL, false, false},    {ROLE_DOCTOR, true, false},     {ROLE_REPORTER, false, false},
    {ROLE_NAMESERVER, false, false},
};

static void must_fail(enum role role, const char *what, int64_t result)
{
    if (result >= 0 && result != KILLED)
        fail_msg("%s could %s (result %lld)", role_name(role), what, (long long)result);
}

/* The attempts that end the process come last, each in a process of its own. */
static void deadly(enum role role, uint32_t what, const char *words)
{
    struct played p;
    int64_t result;
    played_start(&p, role);
    played_ready(&p);
    result = played_probe(&p, what);
    if (result != KILLED)
        fail_msg("%s could %s, or was not ended for trying (result %lld)", role_name(role), words,
                 (long long)result);
    played_end(&p);
}

static void nobody_does_more_than_its_job(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(inmates); i++) {
        const struct inmate *m = &inmates[i];
        struct played p;
        int64_t r;
        played_start(&p, m->role);
        played_ready(&p);
        must_fail(m->role, "open /etc/passwd", played_probe(&p, PROBE_OPEN_PASSWD));
        must_fail(m->role, "open the folder above its own", played_probe(&p, PROBE_OPEN_OTHER));
        must_fail(m->role, "write to /tmp", played_probe(&p, PROBE_WRITE_TMP));
        must_fail(m->role, "bind a port", played_probe(&p, PROBE_BIND));
        must_fail(m->role, "talk to a Unix socket", played_probe(&p, PROBE_UNIX_CONNECT));
        must_fail(m->role, "kill its parent", played_probe(&p, PROBE_KILL));
        must_fail(m->role, "make memory executable", played_probe(&p, PROBE_MEMORY_EXEC));
        r = played_probe(&p, PROBE_CONNECT);
        if (m->connects)
            assert_int_equal(r, -ECONNREFUSED); /* it got as far as the closed port */
        else
            must_fail(m->role, "connect outward", r);
        r = played_probe(&p, PROBE_FORK);
        if (m->forks)
            assert_true(r > 0 && r != KILLED);
        else
            must_fail(m->role, "fork", r);
        played_end(&p);
        deadly(m->role, PROBE_EXEC, "exec");
        deadly(m->role, PROBE_PTRACE, "ptrace another process");
    }
}

/* A child of the mother, for account 7; returns our end of its broker channel. */
static int child_of(struct played *mother, int mother_channel, uint64_t account)
{
    struct mother_spawn m = {account};
    struct arena a;
    const struct mother_spawned *reply;
    int fds[2];
    arena_init(&a, "jail", 1 << 20);
    (void)mother;
    assert_int_equal(chan_pair(fds), OK);
    assert_int_equal(chan_write_wait(mother_channel, &accounts_mother_channel, ACCOUNTS_MOTHER_SPAWN, account,
                                     &m, &fds[1], 1),
                     OK);
    fd_done(&fds[1]);
    reply =
        played_read(mother_channel, &accounts_mother_channel, IPC_A, &a, ACCOUNTS_MOTHER_SPAWNED, NULL, NULL);
    assert_int_equal(reply->err, OK);
    arena_done(&a);
    return fds[0];
}

static int64_t child_probe(int child, uint32_t what)
{
    struct control_probe m = {what};
    struct arena a;
    static uint8_t bytes[IPC_BYTES_MAX];
    const struct ipc_message *row;
    uint64_t id;
    void *reply;
    int fds[IPC_FDS_MAX];
    size_t n;
    int64_t result = KILLED;
    enum err e;
    arena_init(&a, "jail", 1 << 20);
    assert_int_equal(
        chan_write_wait(child, &accounts_account_channel, ACCOUNTS_ACCOUNT_PROBE, 1, &m, NULL, 0), OK);
    do
        e = chan_read_wait(child, &accounts_account_channel, IPC_A, 20000, bytes, &a, &row, &id, &reply, fds,
                           &n);
    while (!e && row->type != ACCOUNTS_ACCOUNT_PROBED);
    if (!e)
        result = ((const struct control_probed *)reply)->result;
    else
        assert_int_equal(e, ERR_CLOSED);
    arena_done(&a);
    return result;
}

static void an_account_reaches_its_own_folder_only(void **state)
{
    struct played mother;
    int channel, child;
    char other[128];
    struct stat st;
    (void)state;
    played_start(&mother, ROLE_ACCOUNT);
    channel = played_channel(&mother, ROLE_ACCOUNTS, &accounts_mother_channel, false);
    played_ready(&mother);
    child = child_of(&mother, channel, 7);
    must_fail(ROLE_ACCOUNT, "open /etc/passwd", child_probe(child, PROBE_OPEN_PASSWD));
    must_fail(ROLE_ACCOUNT, "open the folder of all accounts", child_probe(child, PROBE_OPEN_OTHER));
    must_fail(ROLE_ACCOUNT, "write to /tmp", child_probe(child, PROBE_WRITE_TMP));
    must_fail(ROLE_ACCOUNT, "connect outward", child_probe(child, PROBE_CONNECT));
    must_fail(ROLE_ACCOUNT, "bind a port", child_probe(child, PROBE_BIND));
    must_fail(ROLE_ACCOUNT, "kill the mother", child_probe(child, PROBE_KILL));
    must_fail(ROLE_ACCOUNT, "make memory executable", child_probe(child, PROBE_MEMORY_EXEC));
    must_fail(ROLE_ACCOUNT, "fork", child_probe(child, PROBE_FORK));
    assert_int_equal(child_probe(child, PROBE_EXEC), KILLED);
    fd_done(&child);
    child = child_of(&mother, channel, 8);
    assert_int_equal(child_probe(child, PROBE_PTRACE), KILLED);
    fd_done(&child);
    (void)snprintf(other, sizeof other, "%s/7", mother.folder);
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    fd_done(&channel);
    played_end(&mother);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_does_more_than_its_job),
        cmocka_unit_test(an_account_reaches_its_own_folder_only),
    };
    played_build = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
