/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_DAEMON_H
#define GATEWAY_DAEMON_H

/*
 * Daemon: a gateway with its socket, from start to stop: what `cordon serve` runs.
 */

#include "config/settings.h"

/* What the command line says; it outlives the daemon, and holds against the configuration at each reload, too. */
struct daemon_options {
    const char *config; /* path, read again at SIGHUP and `cordon reload`; NULL: there is none */
    const char *socket; /* path; NULL: as the settings say */
    const char *http;   /* address; NULL: as the settings say */
    const enum log_level *log_level; /* NULL: as the settings say */
    const enum log_form *log_form;   /* the same */
    /*
     * Asked for settings->socket where neither the settings, nor these options, nor a supervisor's socket say where to
     * listen. Returns 0, or a negative errno with a sentence.
     */
    int (*find_socket)(struct settings *settings, struct message *why);
};

/* @settings with what the command line says. Returns 0, -ENOMEM. */
int daemon_options_apply(const struct daemon_options *options, struct settings *settings);

/*
 * Open all cells, listen, serve until SIGTERM or SIGINT. @settings are taken over.
 * Returns 0 after a stop that answered everything; -EADDRINUSE: another daemon listens; or what opening met. The
 * sentence is in @why. A stop that cut calls off, or did not want to wait, does not return: status 3.
 */
int daemon_run(struct settings *settings, const struct daemon_options *options,
               struct message *why);

#endif
