/* notice: one delivery status notification (RFC 3464) for all recipients of a job that have something to
 * tell. */
#ifndef POSTHORN_PROC_RELAY_NOTICE_H
#define POSTHORN_PROC_RELAY_NOTICE_H

#include "proc/relay/job.h"

/* Adds a message to the sender for the recipients that are `noted`, in the transaction that the writer
 * collects now. Does nothing when there is nobody to tell. */
void notice_send(struct job *j);

#endif
