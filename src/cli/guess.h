/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_GUESS_H
#define CLI_GUESS_H

/* Guess: which of several names was meant. */

#include <stddef.h>

#define GUESS_NAME_MAX 64u /* longer names are nobody's typing mistake */

struct guess {
    const char *wanted;
    size_t length;
    const char *best;
    size_t distance;
};

/* Guesses are at most a third of @wanted's @length edits away. */
struct guess guess_start(const char *wanted, size_t length);
void guess_consider(struct guess *guess, const char *candidate);
/* The best candidate, borrowed from its caller, or NULL. */
const char *guess_found(const struct guess *guess);

#endif
