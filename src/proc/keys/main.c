#include "proc/keys/keys.h"

int main(void)
{
    return role_main(&keys_spec);
}
