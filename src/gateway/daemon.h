/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_DAEMON_H
#define GATEWAY_DAEMON_H

/*
 * Daemon: a gateway with its socket, from start to stop: what `cordon serve` runs.
 */

#include "gateway/settings.h"

struct daemon_options {
    const char *config; /* path, read again at SIGHUP and `cordon reload`; NULL: there is none */
};

/*
 * Open all cells, listen, serve until SIGTERM or SIGINT. @settings are taken over.
 * Returns 0 after a stop that answered everything; -EADDRINUSE: another daemon listens; -ETIMEDOUT: calls were cut off
 * by the stop; or what opening met. The sentence is in @why.
 */
int daemon_run(struct settings *settings, const struct daemon_options *options,
               struct message *why);

#endif
