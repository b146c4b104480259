/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_OWN_H
#define GATEWAY_OWN_H

/* The daemon's own methods: cordon.ping, cordon.cells, ... */

#include <stdbool.h>
#include <stddef.h>

#include "json/document.h"

struct gateway;
struct request;

/* Answer @request if @name is one of them; false: it is not. @params: an object, an array or nothing. */
bool own_take(struct gateway *gateway, struct request *request, const char *name, size_t length,
              struct json_value params);

/* cordon.reports: {"cell","count"} lists them, {"id"} is one. Answered later. */
void own_take_reports(struct gateway *gateway, struct request *request, struct json_value params);

#endif
