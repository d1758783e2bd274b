#include "proc/accounts/broker.h"

int main(void)
{
    return role_main(&accounts_spec);
}
