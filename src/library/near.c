/* SPDX-License-Identifier: Apache-2.0 */
#include "library/near.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "library/elf.h"

struct candidate {
    unsigned distance;
    char name[ELF_NAME_BYTES + 1];
};

/* The nearest so far, nearest first. */
struct search {
    const char *symbol;
    unsigned most;
    unsigned count;
    struct candidate found[NEAR_NAMES_MAX];
};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Three rows of the usual table: the one being filled and the two above it. */
unsigned near_distance(const char *a, const char *b, unsigned most)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    size_t difference = a_length > b_length ? a_length - b_length : b_length - a_length;
    if (difference > most || a_length > ELF_NAME_BYTES || b_length > ELF_NAME_BYTES) {
        return most + 1;
    }
    unsigned rows[3][ELF_NAME_BYTES + 1];
    for (unsigned j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i - 1) % 3];
        const unsigned *above_that = rows[(i + 1) % 3];
        unsigned best = row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], above_that[j - 2] + 1);
            }
            best = least(best, row[j]);
        }
        if (best > most) {
            return most + 1;
        }
    }
    return least(rows[a_length % 3][b_length], most + 1);
}

static bool consider(void *context, const char *name)
{
    struct search *search = context;
    unsigned distance = near_distance(search->symbol, name, search->most);
    unsigned at = search->count;
    while (at > 0 && search->found[at - 1].distance > distance) {
        at--;
    }
    bool known = at > 0 && strcmp(search->found[at - 1].name, name) == 0;
    if (distance > search->most || at == NEAR_NAMES_MAX || known) {
        return true; /* too far, or another version of the same name */
    }
    unsigned last = least(search->count, NEAR_NAMES_MAX - 1);
    memmove(&search->found[at + 1], &search->found[at], (last - at) * sizeof search->found[0]);
    search->found[at].distance = distance;
    memcpy(search->found[at].name, name, strlen(name) + 1);
    search->count = last + 1;
    return true;
}

void near_suggest(int fd, const char *symbol, struct message *why)
{
    struct search search = {.symbol = symbol, .most = 1 + (unsigned)least(strlen(symbol), 24) / 4};
    if (elf_functions(fd, consider, &search) < 0 || search.count == 0) {
        return;
    }
    message_add(why, "; did you mean '%s'", search.found[0].name);
    for (unsigned i = 1; i < search.count; i++) {
        message_add(why, "%s'%s'", i + 1 == search.count ? " or " : ", ", search.found[i].name);
    }
    message_add(why, "?");
}
