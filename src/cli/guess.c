/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/guess.h"

#include <string.h>

struct guess guess_start(const char *wanted, size_t length)
{
    return (struct guess){.wanted = wanted, .length = length, .distance = length / 3 + 2};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace) from one name to the other. Source: Wagner and Fischer, 1974. */
static size_t edits(const char *from, size_t from_length, const char *to, size_t to_length)
{
    size_t row[GUESS_NAME_MAX + 1];
    for (size_t j = 0; j <= to_length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= from_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= to_length; j++) {
            size_t above = row[j];
            size_t replaced = diagonal + (from[i - 1] != to[j - 1]);
            row[j] = least(least(above, row[j - 1]) + 1, replaced);
            diagonal = above;
        }
    }
    return row[to_length];
}

void guess_consider(struct guess *guess, const char *candidate)
{
    size_t length = strlen(candidate);
    if (guess->length > GUESS_NAME_MAX || length > GUESS_NAME_MAX) {
        return;
    }
    size_t distance = edits(guess->wanted, guess->length, candidate, length);
    if (distance < guess->distance) {
        guess->distance = distance;
        guess->best = candidate;
    }
}

const char *guess_found(const struct guess *guess)
{
    return guess->best;
}
