#include "proc/nameserver/nameserver.h"

int main(void)
{
    return role_main(&nameserver_spec);
}
