/* judge: looks at one message, says what to do with it and why. It maps the sealed body it is handed, reads
 * the header, answers, and keeps nothing. */
#ifndef POSTHORN_PROC_JUDGE_JUDGE_H
#define POSTHORN_PROC_JUDGE_JUDGE_H

#include "ipc/role.h"

extern const struct rights judge_rights;
extern const struct role_spec judge_spec;

/* Gives back what start() made, for tests; a role ends with its process. */
void judge_done(struct role_self *r);

#endif
