#include "proc/directory/directory.h"

int main(void)
{
    return role_main(&directory_spec);
}
