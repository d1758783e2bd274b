/* local: brings a message to recipients of our own: directory says where the address leads and gives a ticket
 * for each account, accounts takes the message. An account that has it already (the same mail id) says so and
 * nothing is there twice (THREATS 62), so a repeated attempt is harmless. */
#ifndef POSTHORN_PROC_RELAY_LOCAL_H
#define POSTHORN_PROC_RELAY_LOCAL_H

#include "proc/relay/job.h"

/* Ends in job_result(), perhaps before it returns. */
void local_deliver(struct job *j, size_t at);

#endif
