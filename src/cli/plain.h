/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PLAIN_H
#define CLI_PLAIN_H

/*
 * Plain text: what others wrote - a daemon, a library - as it may stand on a terminal: no control characters,
 * nothing that is not seen, nothing that is no UTF-8, '?' in their place; and how wide it is there. Where the locale is not UTF-8, everything
 * beyond ASCII becomes '?' too.
 */

#include <stdbool.h>
#include <stddef.h>

/* Take the locale of the environment, for characters only. Before the others; again is fine. */
void plain_start(void);

/* Whether the terminal shows more than ASCII. */
bool plain_is_utf8(void);

/* Copy @text, cut at the room and never in the middle of a character. Returns the bytes written, without the NUL. */
size_t plain_copy(char *to, size_t room, const char *text, size_t length);

/* Make @length bytes harmless where they lie: line ends and tabs stay, everything else as above. */
void plain_filter(char *text, size_t length);

/* Columns that plain text takes; bytes of it that fit into @columns. */
size_t plain_columns(const char *text);
size_t plain_fitting(const char *text, size_t columns);

#endif
