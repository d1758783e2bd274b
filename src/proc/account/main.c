#include "proc/account/mother.h"

int main(void)
{
    return role_main(&account_spec);
}
