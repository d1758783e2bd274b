/* password: gets one (prompt, standard input, or made here) and turns it into what directory keeps. */
#ifndef POSTHORN_TOOL_PASSWORD_H
#define POSTHORN_TOOL_PASSWORD_H

#include "base/buf.h"
#include "base/secret.h"
#include "tool/tool.h"

#define PASSWORD_MIN 8 /* bytes of a chosen one */

/* A password of 130 random bits: 26 letters and digits in groups. */
void password_random(struct secret *out);
/* By --stdin (the first line), --random, or by asking twice on the terminal. False after having said why not.
 */
bool password_get(const struct tool *t, const char *address, struct secret *out);
/* The SCRAM verifier as text, with a new salt. False after having said what is wrong with the password. */
bool password_verifier(const struct secret *password, struct buf *out);

#endif
