#include "proc/reporter/reporter.h"

int main(void)
{
    return role_main(&reporter_spec);
}
