#include "proc/relay/relay.h"

int main(void)
{
    return role_main(&relay_spec);
}
