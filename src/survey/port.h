/* survey/port: what a stranger meets at one of our ports: the greeting, STARTTLS, the certificate and its
 * chain. It says nothing but EHLO, STARTTLS and QUIT (LOGOUT), and has a bound in time and bytes. */
#ifndef POSTHORN_SURVEY_PORT_H
#define POSTHORN_SURVEY_PORT_H

#include "policy/doctor/facts.h"
#include "sys/loop.h"

#define SURVEY_PORT_MS 15000

/* Certificates that are trusted, and the TLS settings. */
struct survey_trust;
/* pem: CA certificates, one behind the other; empty: nothing is trusted. Before the lock-in. */
NODISCARD enum err survey_trust_new(slice pem, struct survey_trust **out, struct err_detail *detail);
void survey_trust_free(struct survey_trust **t);

/* Slices of the fact live in the arena. fn is called exactly once, never before this returns. */
typedef void (*survey_port_fn)(void *arg);
void survey_port_look(struct loop *loop, struct survey_trust *trust, slice hostname, struct arena *arena,
                      struct facts_port *fact, survey_port_fn fn, void *arg);

/* Only: does a connection to port come about and does an SMTP server greet? For port 25 outward. */
void survey_port_greets(struct loop *loop, const struct ip *ip, uint16_t port, time_ms ms,
                        void (*fn)(void *arg, enum err e), void *arg);

#endif
