/* net: TCP sockets, never blocking, never with Nagle's delay. */
#ifndef POSTHORN_SYS_NET_H
#define POSTHORN_SYS_NET_H

#include "base/ip.h"

/* Binds and listens (SO_REUSEADDR). An IPv6 socket takes IPv6 only. detail tells what to do when it fails. */
NODISCARD enum err net_listen(const struct ip *ip, uint16_t port, int *out_fd, struct err_detail *detail);
/* Binds a UDP socket that says of each datagram which of our addresses it came to (IP_PKTINFO), so that the
 * answer can leave from there. */
NODISCARD enum err net_datagrams(const struct ip *ip, uint16_t port, int *out_fd, struct err_detail *detail);
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

/* A datagram: where from, and which address of ours it came to. */
struct net_datagram {
    struct ip peer, local;
    uint16_t peer_port;
    size_t n;
};
/* Takes one: ERR_AGAIN when none waits. What is longer than cap is cut. */
NODISCARD enum err net_receive(int fd, void *p, size_t cap, struct net_datagram *out);
/* Sends s back to where it came from, out of the address it came to. ERR_AGAIN when there is no room. */
NODISCARD enum err net_answer(int fd, const struct net_datagram *to, slice s);
/* A UDP socket that speaks with one peer only. */
NODISCARD enum err net_connect_datagrams(const struct ip *ip, uint16_t port, int *out_fd);

#endif
