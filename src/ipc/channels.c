#include "ipc/channels.h"

#include "ipc/accounts_account.h"
#include "ipc/accounts_mother.h"
#include "ipc/control.h"
#include "ipc/directory_accounts.h"
#include "ipc/directory_doctor.h"
#include "ipc/directory_journal.h"
#include "ipc/directory_relay.h"
#include "ipc/directory_reporter.h"
#include "ipc/doctor_judge.h"
#include "ipc/doctor_keys.h"
#include "ipc/doctor_nameserver.h"
#include "ipc/reporter_journal.h"
#include "ipc/tool_directory.h"
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

const struct ipc_channel *const ipc_channels[] = {
    &control_channel,          &x_directory_channel,
    &x_accounts_channel,       &accounts_mother_channel,
    &accounts_account_channel, &directory_accounts_channel,
    &x_judge_channel,          &x_relay_channel,
    &x_keys_channel,           &x_resolver_channel,
    &x_fetcher_channel,        &x_journal_channel,
    &directory_relay_channel,  &directory_journal_channel,
    &tool_directory_channel,   &x_settings_channel,
    &doctor_keys_channel,      &doctor_nameserver_channel,
    &directory_doctor_channel, &directory_reporter_channel,
    &x_intake_channel,         &x_reporter_channel,
    &reporter_journal_channel, &doctor_judge_channel,
};
const size_t ipc_channels_n = ARRAY_LEN(ipc_channels);

const struct ipc_channel *ipc_channel_find(slice name)
{
    for (size_t i = 0; i < ipc_channels_n; i++)
        if (slice_eq(name, slice_str(ipc_channels[i]->name)))
            return ipc_channels[i];
    return NULL;
}
