/* settle: gives back the pages of code that only starting touched.
 *
 * A program linked with large libraries maps megabytes of their code while it starts (relocation,
 * constructors) and then uses little of it. The pages of read-only segments are the file's, so they can be
 * forgotten at any time and come back by themselves when they are used. For roles that mostly wait; calling
 * it costs about 50 us and some faults later. */
#ifndef POSTHORN_SYS_SETTLE_H
#define POSTHORN_SYS_SETTLE_H

void settle(void);

#endif
