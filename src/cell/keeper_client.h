/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_KEEPER_CLIENT_H
#define CELL_KEEPER_CLIENT_H

/*
 * The host's end of its keeper: started on first use, one per host process, shared by all cells.
 *
 * Starting leaves the host as it was: a short-lived vfork-style child with exit signal 0 starts the
 * keeper, so that the host has a pidfd and no child, no SIGCHLD and no changed signal action.
 *
 * Threads: any.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "lane/errand.h"
#include "lane/examination.h"

struct keeper_client;

struct keeper_options {
    const char *keeper_path; /* NULL: the embedded copy, else the compiled-in path */
    const char *worker_path;
    uint32_t without; /* enum errand_mechanism */
};

/*
 * Start a keeper and wait for its hello (bounded by LIMIT_START_MS).
 * Returns 0, or a negative errno with @why (which program, which step).
 */
int keeper_client_start(const struct keeper_options *options, struct keeper_client **ret_client,
                        struct message *why);

/*
 * Start a keeper that examines the platform, and wait for what it found (bounded by LIMIT_START_MS) and
 * for its end. Only the paths of @options count. Returns 0, or a negative errno with @why.
 */
int keeper_client_examine(const struct keeper_options *options, struct examination *ret_examination,
                          struct message *why);

/* Mechanisms that the keeper found: enum errand_mechanism. */
uint32_t keeper_client_mechanisms(const struct keeper_client *client);

/*
 * Send one errand. @fds are borrowed. Never blocks longer than a second, a START than its start_timeout_ns.
 * Returns 0, -EPIPE when the keeper is gone, -EAGAIN when it does not read, -ETOOMANYREFS when this user's
 * programs have too many descriptors in flight.
 */
int keeper_client_send(struct keeper_client *client, const struct errand *errand, const int *fds,
                       uint32_t fd_count);

/* The same, without waiting: -EAGAIN when it does not read just now, or too many descriptors are in flight. */
int keeper_client_try_send(struct keeper_client *client, const struct errand *errand,
                           const int *fds, uint32_t fd_count);

/* Borrowed: readable once the keeper is gone. */
int keeper_client_pidfd(const struct keeper_client *client);

/* False once the keeper is gone. Cheap (one poll). */
bool keeper_client_alive(struct keeper_client *client);

/* Close the socket: the keeper ends and takes every worker along. Waits for its end (bounded), then kills it. */
void keeper_client_stop(struct keeper_client *client);

/* The keeper's process id, for people; 0: gone. */
int keeper_client_pid(const struct keeper_client *client);

/* In a forked child: forget the keeper without disturbing it. */
void keeper_client_abandon(struct keeper_client *client);

#endif
