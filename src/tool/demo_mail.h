/* demo_mail: hands one message to the SMTP port of this machine, the way any other server would. */
#ifndef POSTHORN_TOOL_DEMO_MAIL_H
#define POSTHORN_TOOL_DEMO_MAIL_H

#include "base/err.h"
#include "base/slice.h"

/* lines: the message with CRLF ends and no line that begins with a dot. Waits at most some seconds. */
NODISCARD enum err demo_mail_send(uint16_t port, const char *from, const char *to, slice lines,
                                  struct err_detail *detail);

#endif
