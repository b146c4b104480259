/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVATE_READING_H
#define PRIVATE_READING_H

/* Reading: `cordon.reports`, one report by its id, on a thread of its own: it may be being written. */

#include <jansson.h>

struct server;

/* Returns 0, -ENOMEM, -ENOBUFS. */
int reading_take(struct server *server, json_t *id, json_t *params);

#endif
