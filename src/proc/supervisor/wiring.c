#include "proc/supervisor/wiring.h"

#include "ipc/accounts_mother.h"
#include "ipc/directory_accounts.h"
#include "ipc/directory_doctor.h"
#include "ipc/directory_journal.h"
#include "ipc/directory_relay.h"
#include "ipc/directory_reporter.h"
#include "ipc/doctor_judge.h"
#include "ipc/doctor_keys.h"
#include "ipc/doctor_nameserver.h"
#include "ipc/reporter_journal.h"
#include "ipc/x_accounts.h"
#include "ipc/x_directory.h"
#include "ipc/x_fetcher.h"
#include "ipc/x_intake.h"
#include "ipc/x_journal.h"
#include "ipc/x_judge.h"
#include "ipc/x_keys.h"
#include "ipc/x_relay.h"
#include "ipc/x_reporter.h"
#include "ipc/x_resolver.h"
#include "ipc/x_settings.h"

const struct wire wires[] = {
    {ROLE_EDGE, ROLE_DIRECTORY, &x_directory_channel},
    {ROLE_EDGE, ROLE_ACCOUNTS, &x_accounts_channel},
    {ROLE_EDGE, ROLE_JUDGE, &x_judge_channel},
    {ROLE_EDGE, ROLE_RELAY, &x_relay_channel},
    {ROLE_EDGE, ROLE_KEYS, &x_keys_channel},
    {ROLE_EDGE, ROLE_RESOLVER, &x_resolver_channel},
    {ROLE_EDGE, ROLE_REPORTER, &x_intake_channel},
    {ROLE_EDGE, ROLE_DOCTOR, &x_intake_channel},
    {ROLE_EDGE, ROLE_JOURNAL, &x_journal_channel},

    {ROLE_RELAY, ROLE_DIRECTORY, &x_directory_channel},
    {ROLE_RELAY, ROLE_ACCOUNTS, &x_accounts_channel},
    {ROLE_RELAY, ROLE_JUDGE, &x_judge_channel},
    {ROLE_RELAY, ROLE_KEYS, &x_keys_channel},
    {ROLE_RELAY, ROLE_RESOLVER, &x_resolver_channel},
    {ROLE_RELAY, ROLE_FETCHER, &x_fetcher_channel},
    {ROLE_RELAY, ROLE_REPORTER, &x_intake_channel},
    {ROLE_RELAY, ROLE_DOCTOR, &x_intake_channel},
    {ROLE_RELAY, ROLE_JOURNAL, &x_journal_channel},

    {ROLE_ACCOUNTS, ROLE_ACCOUNT, &accounts_mother_channel},
    {ROLE_ACCOUNTS, ROLE_DIRECTORY, &directory_accounts_channel},
    {ROLE_ACCOUNTS, ROLE_JOURNAL, &x_journal_channel},

    {ROLE_DIRECTORY, ROLE_RELAY, &directory_relay_channel},
    {ROLE_DIRECTORY, ROLE_JOURNAL, &directory_journal_channel},
    {ROLE_DIRECTORY, ROLE_JOURNAL, &x_journal_channel},

    {ROLE_FETCHER, ROLE_RESOLVER, &x_resolver_channel},
    {ROLE_FETCHER, ROLE_JOURNAL, &x_journal_channel},
    {ROLE_KEYS, ROLE_FETCHER, &x_fetcher_channel},
    {ROLE_KEYS, ROLE_JOURNAL, &x_journal_channel},
    {ROLE_JUDGE, ROLE_RESOLVER, &x_resolver_channel},
    {ROLE_JUDGE, ROLE_JOURNAL, &x_journal_channel},
    {ROLE_JUDGE, ROLE_KEYS, &x_keys_channel},
    {ROLE_JUDGE, ROLE_DIRECTORY, &x_settings_channel},
    {ROLE_JUDGE, ROLE_REPORTER, &x_reporter_channel},
    {ROLE_RESOLVER, ROLE_JOURNAL, &x_journal_channel},

    {ROLE_DIRECTORY, ROLE_DOCTOR, &directory_doctor_channel},
    {ROLE_DOCTOR, ROLE_DIRECTORY, &x_settings_channel},
    {ROLE_DOCTOR, ROLE_KEYS, &doctor_keys_channel},
    {ROLE_DOCTOR, ROLE_JUDGE, &doctor_judge_channel},
    {ROLE_DOCTOR, ROLE_RESOLVER, &x_resolver_channel},
    {ROLE_DOCTOR, ROLE_RELAY, &x_relay_channel},
    {ROLE_DOCTOR, ROLE_FETCHER, &x_fetcher_channel},
    {ROLE_DOCTOR, ROLE_JOURNAL, &x_journal_channel},

    {ROLE_DIRECTORY, ROLE_REPORTER, &directory_reporter_channel},
    {ROLE_REPORTER, ROLE_DIRECTORY, &x_settings_channel},
    {ROLE_REPORTER, ROLE_RESOLVER, &x_resolver_channel},
    {ROLE_REPORTER, ROLE_RELAY, &x_relay_channel},
    {ROLE_REPORTER, ROLE_JOURNAL, &reporter_journal_channel},
    {ROLE_REPORTER, ROLE_JOURNAL, &x_journal_channel},

    {ROLE_DOCTOR, ROLE_NAMESERVER, &doctor_nameserver_channel},
    {ROLE_NAMESERVER, ROLE_JOURNAL, &x_journal_channel},

    {ROLE_SUPERVISOR, ROLE_JOURNAL, &x_journal_channel},
};
const size_t wires_n = ARRAY_LEN(wires);
