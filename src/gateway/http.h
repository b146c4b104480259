/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HTTP_H
#define GATEWAY_HTTP_H

/*
 * HTTP: /metrics for Prometheus, the status page at /, and its data at /stats. It has threads of its own, which ask the
 * loop for a text and wait for it, a second at most: nothing of the gateway is touched by them.
 */

#include <uv.h>

#include "base/message.h"

struct gateway;
struct http;

/*
 * @address  "127.0.0.1:9464", "[::1]:9464", or "unix:/path". Names are not looked up, and only loopback addresses
 *           are taken: what is shown is for those who are on this machine.
 * Returns 0, -EINVAL, or what binding met, with a sentence.
 */
int http_start(struct gateway *gateway, const char *address, struct http **ret_http,
               struct message *why);

/* In the loop, while it still turns. NULL is fine. */
void http_stop(struct http *http);

#endif
