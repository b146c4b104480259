/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LENDING_H
#define GATEWAY_LENDING_H

/*
 * Lending: workers of the houses for clients that attach (cordon.attach, docs/protocol/attach.md). The lender of
 * libcordon does it; here it gets its turns in the loop, and learns of houses that come and go.
 *
 * Threads: the loop's.
 */

#include "base/message.h"

struct connection;
struct gateway;
struct house;

/* Returns 0, or a negative errno. */
int lending_start(struct gateway *gateway, struct message *why);

/* A house has come. Returns 0, or a negative errno with a sentence; one that lends nothing: 0. */
int lending_offer(struct house *house, struct message *why);

/* @house goes; @next (NULL: none) lends to its clients from now on. It is used until its last lease is over. */
void lending_replace(struct house *house, struct house *next);

/*
 * A client's end of a seat at @house, for @connection. Returns 0, -EAGAIN (as many as may), -ENOENT (it lends
 * nothing), or another negative errno, with a sentence.
 */
int lending_attach(struct house *house, const struct connection *connection, int *ret_fd,
                   struct message *why);

/* All leases end. Before the houses are closed; waits, 5 s at most. */
void lending_stop(struct gateway *gateway);

#endif
