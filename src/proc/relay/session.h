/* session: one SMTP connection to a host of a destination: TCP, TLS where offered, and core/smtp/client. It
 * serves one delivery after another, waits a little for the next, and says QUIT. */
#ifndef POSTHORN_PROC_RELAY_SESSION_H
#define POSTHORN_PROC_RELAY_SESSION_H

#include "proc/relay/dest.h"
#include "sys/tls.h"

#define SESSION_CONNECT_MS   (30 * MS_SECOND)
#define SESSION_TLS_MS       (60 * MS_SECOND)
#define SESSION_IDLE_MS      (5 * MS_SECOND)
#define SESSION_MESSAGES_MAX 500 /* then a new connection, so that nobody is held for ever */

struct session {
    struct list link; /* dest->sessions */
    struct dest *dest;
    size_t host; /* index into dest->hosts at the time */
    struct dest_host to;
    int fd;
    struct loop_io io;
    struct loop_timer timer;
    time_ms armed;
    bool connecting /* not ready for mail yet, counted in the dest */, connected, tls_up, over, pumping;
    time_ms limit; /* for connecting and for the handshake; INT64_MAX else */
    time_ms idle_until;
    struct smtp_client_config config;
    struct smtp_client *client;
    struct tls *tls;
    struct delivery *delivery;
    struct smtp_client_mail mail;
    struct smtp_client_rcpt *rcpts;
    size_t body_at; /* of prefix and body together */
    uint32_t served;
    bool any_taken;
    char peer[DNS_NAME_MAX + IP_TEXT + 8]; /* "mx.example.org [192.0.2.7]" */
    char tls_text[160];
};

/* Starts connecting. False when no host is left to try or descriptors ran out (the dest is told). */
bool session_new(struct dest *d);
/* There may be something to do: for a session that waits. */
void session_go(struct session *s);
void session_drain(struct session *s);

#endif
