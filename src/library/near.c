/* SPDX-License-Identifier: Apache-2.0 */
#include "library/near.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/spelling.h"
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

static bool consider(void *context, const char *name)
{
    struct search *search = context;
    unsigned distance = spelling_distance(search->symbol, name, search->most);
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
