#include "proc/fetcher/fetcher.h"

int main(void)
{
    return role_main(&fetcher_spec);
}
