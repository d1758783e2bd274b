/* subject: the base subject by which messages are threaded and sorted (RFC 5256 §2.1). */
#ifndef POSTHORN_CORE_MAIL_SUBJECT_H
#define POSTHORN_CORE_MAIL_SUBJECT_H

#include "base/arena.h"

/* text is the decoded subject. *out is a copy in the arena; *out_reply tells whether a reply or forward mark
 * was removed. Linear. False at the arena's cap. */
NODISCARD bool subject_base(slice text, struct arena *a, slice *out, bool *out_reply);

#endif
