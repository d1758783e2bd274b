/* call: asking directory: over the control socket of a running server, or of a directory process started for
 * one command when no server runs. */
#ifndef POSTHORN_TOOL_CALL_H
#define POSTHORN_TOOL_CALL_H

#include "tool/tool.h"

#include <sys/types.h>

struct call {
    int fd;         /* the channel */
    int lock;       /* -1, or held while a directory of our own runs */
    int control;    /* its control channel, or -1 */
    pid_t pid;      /* of that directory; 0: none */
    uint8_t *bytes; /* room for a message */
};

/* Connects. alone: when no server runs, start a directory just for us; else say how to start the server.
 * False after having said why not. */
bool call_open(struct call *c, const struct tool *t, bool alone);
/* Closes; ends our own directory and waits for it. Fits CLEANUP(). */
void call_close(struct call *c);
/* One call. Rows are added to the array rows (may be NULL). ERR_CLOSED when the server went away. detail
 * holds a sentence when it is not OK. */
NODISCARD enum err call_run(struct call *c, const char *verb, const char *const *args, size_t n, slice secret,
                            json_t *rows, struct err_detail *detail);

/* The same with a descriptor, which stays the caller's: a secret in a sealed memfd. */
NODISCARD enum err call_run_with(struct call *c, const char *verb, const char *const *args, size_t n, int fd,
                                 json_t *rows, struct err_detail *detail);

/* The same; each row is handed to fn as it comes. */
NODISCARD enum err call_each(struct call *c, const char *verb, const char *const *args, size_t n,
                             void (*fn)(void *arg, const json_t *row), void *arg, struct err_detail *detail);

/* Reads the configuration, asks the running server with the words of the command line, closes; says what
 * failed. done gets the sentence it answered with, or what failed. rows may be NULL. */
enum tool_exit call_server(struct tool *t, const char *verb, json_t *rows, struct err_detail *done);
/* Opens, runs one call, closes; says what failed. rows may be NULL. */
enum tool_exit call_once(const struct tool *t, bool alone, const char *verb, const char *const *args,
                         size_t n, slice secret, json_t *rows);

#endif
