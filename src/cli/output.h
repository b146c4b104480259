/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

/*
 * Output: where results go. Standard output is kept for them: output_start() gives it another number
 * and lets number 1 be standard error, where then everything goes that a library prints.
 *
 * Process-wide state. Threads: one.
 */

#include <stdbool.h>
#include <stddef.h>

/*
 * Before anything else: numbers 0 to 2 are open afterwards, a closed one as /dev/null, and writing to a
 * pipe that nobody reads is an error, not a signal.
 */
void output_prepare(void);

/* Part results from what libraries print. Returns 0 or a negative errno. */
int output_start(void);

/*
 * Write all of it. Returns EXIT_DONE, or EXIT_COULD_NOT after a sentence on standard error (the disk is full,
 * standard output was closed), or EXIT_READER_GONE in silence: nobody reads the pipe any more. Once it failed it
 * fails likewise, with nothing more said: who writes much may look at the last one alone.
 */
int output_write(const void *bytes, size_t length);
int output_text(const char *text);
int output_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether results go to a terminal, and whether in colours (NO_COLOR, TERM=dumb: not). */
bool output_is_terminal(void);
bool output_has_colours(void);

#endif
