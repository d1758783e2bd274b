/* seen: does every name server show the record of a key? The resolver's answer came from one of them; before
 * a key takes over from another, all should have it.
 *
 * The servers of the zone that the name lies in are found by resolver and asked directly. What one of them
 * does not say (it is silent, or not the zone's server) does not count, nor does an alias, whose end the
 * resolver has followed. Loopback and private addresses are not asked (THREATS 36), but by tests.
 *
 * Limits: SEEN_SERVERS_MAX servers, one address of each. */
#ifndef POSTHORN_PROC_DOCTOR_SEEN_H
#define POSTHORN_PROC_DOCTOR_SEEN_H

#include "proc/doctor/doctor.h"

#define SEEN_SERVERS_MAX 8

/* behind: a server that does not show the record, or empty; it lives until the callback returns. */
typedef void (*seen_fn)(void *arg, slice behind);
/* name: of the TXT record; record: its text. fn is called once, never before this returns. */
void seen_everywhere(struct doctor *d, slice name, slice record, seen_fn fn, void *arg);

#endif
