#include "proc/judge/judge.h"

int main(void)
{
    return role_main(&judge_spec);
}
