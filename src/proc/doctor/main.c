#include "proc/doctor/doctor.h"

int main(void)
{
    return role_main(&doctor_spec);
}
