/* SPDX-License-Identifier: Apache-2.0 */
/* What the real libraries do not do: follow a list of the caller's, and give objects by what a file says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

struct link {
    const struct link *next;
    int value;
};

struct thing {
    int number;
};

EXPORTED int links_sum(const struct link *first);
EXPORTED struct thing *thing_pick(const char *path);
EXPORTED struct thing *thing_new(void);
EXPORTED int thing_number(const struct thing *thing);
EXPORTED int thing_login(struct thing *thing, const char *password);
EXPORTED void thing_break(struct thing *thing);

static struct thing things[2] = {{.number = 0}, {.number = 1}};

EXPORTED int links_sum(const struct link *first)
{
    int sum = 0;
    for (const struct link *link = first; link; link = link->next) {
        sum += link->value;
    }
    return sum;
}

/* The thing that the file's first letter names. */
EXPORTED struct thing *thing_pick(const char *path)
{
    FILE *file = fopen(path, "r");
    int letter = file ? fgetc(file) : '0';
    if (file) {
        (void)fclose(file);
    }
    return &things[letter == '1'];
}

/* Never freed: each has a handle of its own. */
EXPORTED struct thing *thing_new(void)
{
    return calloc(1, sizeof(struct thing));
}

EXPORTED int thing_number(const struct thing *thing)
{
    return thing->number;
}

EXPORTED int thing_login(struct thing *thing, const char *password)
{
    thing->number += 2;
    return (int)strlen(password);
}

EXPORTED void thing_break(struct thing *thing)
{
    thing->number = 99;
    abort();
}
