/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIBRARY_NEAR_H
#define LIBRARY_NEAR_H

/*
 * Near names: what a person may have meant who wrote a function's name a little wrong.
 *
 * Threads: any.
 */

#include "base/message.h"

#define NEAR_NAMES_MAX 3u

/* Add "; did you mean 'x' or 'y'?" if functions of the ELF file come near @symbol. */
void near_suggest(int fd, const char *symbol, struct message *why);

#endif
