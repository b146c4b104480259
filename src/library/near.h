/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIBRARY_NEAR_H
#define LIBRARY_NEAR_H

/*
 * Near names: what a person may have meant who wrote a function's name a little wrong.
 *
 * Threads: any.
 */

#include <link.h>

#include "base/message.h"

#define NEAR_NAMES_MAX 3u

/*
 * Add "; did you mean 'x' or 'y'?" if functions of the loaded library @map come near @symbol. Read from its
 * own tables in memory: where this is asked, no file may be opened any more. A library that has written
 * over them hurts the process that it lives in.
 */
void near_suggest(const struct link_map *map, const char *symbol, struct message *why);

#endif
