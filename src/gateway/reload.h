/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RELOAD_H
#define GATEWAY_RELOAD_H

/*
 * Reload: the configuration is read again, and the difference applied, while calls go on. Reading, judging and opening
 * cells is done in the pool; the switch in the loop, at once. Either all of it comes into force or nothing.
 *
 *   idle --asked--> running --done--> idle
 *                      | asked: once more, when this one is done
 *
 * Who asks while one runs is answered by the next, which reads what is there by then.
 *
 * Threads: the loop's.
 */

#include "json/document.h"

struct daemon;
struct gateway;
struct reload;
struct request;

/* NULL: no memory. */
struct reload *reload_new(struct daemon *daemon);
/* Once the loop has ended. NULL is fine. */
void reload_free(struct reload *reload);

/* Somebody wants it (SIGHUP). */
void reload_ask(struct reload *reload);

/* cordon.reload: the request is answered when it is done, with what has changed or why nothing has. */
void own_take_reload(struct gateway *gateway, struct request *request, struct json_value params);

#endif
