/* net: TCP sockets, never blocking, never with Nagle's delay. */
#ifndef POSTHORN_SYS_NET_H
#define POSTHORN_SYS_NET_H

#include "base/ip.h"

/* Binds and listens (SO_REUSEADDR). An IPv6 socket takes IPv6 only. detail tells what to do when it fails. */
NODISCARD enum err net_listen(const struct ip *ip, uint16_t port, int *out_fd, struct err_detail *detail);
/* The port a listening socket got (0 asked for any). */
uint16_t net_port(int fd);
/* Takes one connection: ERR_AGAIN when none waits, ERR_BUSY when descriptors run out, else OK. */
NODISCARD enum err net_accept(int listener, int *out_fd, struct ip *out_ip, uint16_t *out_port);
/* Starts a connection; the socket becomes writable when it stands or failed: then ask net_connected(). */
NODISCARD enum err net_connect(const struct ip *ip, uint16_t port, int *out_fd);
/* OK, or why the connection did not come about. */
NODISCARD enum err net_connected(int fd);
/* The local address of a connected socket. */
void net_local(int fd, struct ip *out_ip, uint16_t *out_port);

/* Reads what is there. OK with *out_n > 0; ERR_AGAIN; ERR_CLOSED at the end or when the peer is gone. */
NODISCARD enum err net_read(int fd, void *p, size_t cap, size_t *out_n);
/* Writes what fits; *out_n may be less than s.n. ERR_AGAIN when nothing fits. */
NODISCARD enum err net_write(int fd, slice s, size_t *out_n);

#endif
