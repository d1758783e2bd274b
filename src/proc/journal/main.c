#include "proc/journal/journal.h"

int main(void)
{
    return role_main(&journal_spec);
}
