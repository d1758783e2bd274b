#include "proc/resolver/resolver.h"

int main(void)
{
    return role_main(&resolver_spec);
}
