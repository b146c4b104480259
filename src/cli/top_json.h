/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOP_JSON_H
#define CLI_TOP_JSON_H

#include "cli/top_source.h"

/* The last interval as one JSON object on one line (cordon-top(1)). Returns an enum command_exit. */
int top_json_print(const struct source *source);

#endif
