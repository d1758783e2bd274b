/* conf__value: values of settings, for this folder only. */
#ifndef POSTHORN_CONF_CONF_VALUE_H
#define POSTHORN_CONF_CONF_VALUE_H

#include "conf/conf.h"

/* A host name, written lower case and without a final dot. */
bool conf__host_parse(slice s, char out[CONF_NAME_MAX]);
/* HOST SEP PORT; *out_v6: HOST is an IPv6 address (in brackets when SEP is ':'). */
bool conf__host_port_split(slice s, uint8_t sep, slice *out_host, bool *out_v6, uint16_t *out_port);
/* A numeric address and a port. */
bool conf__address_parse(slice s, uint8_t sep, struct conf_address *out);

#endif
