#include "proc/edge/edge_role.h"

int main(void)
{
    return role_main(&edge_spec);
}
