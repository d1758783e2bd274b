/* demo_cert: the demo's own throw-away certificate authority and the server's certificate. */
#ifndef POSTHORN_TOOL_DEMO_CERT_H
#define POSTHORN_TOOL_DEMO_CERT_H

#include "base/err.h"

/* Makes ca.pem, cert.pem and key.pem (0600) in the folder, unless they are there and good for a week more. A
 * new CA is made together with a new certificate and its key is not kept: nothing else can ever be signed by
 * it. */
NODISCARD enum err demo_cert_make(const char *folder, struct err_detail *detail);

#endif
