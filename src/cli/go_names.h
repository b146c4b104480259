/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_GO_NAMES_H
#define CLI_GO_NAMES_H

/* Names: what things of C are called in Go. A table keeps them apart, and finds what was named before. */

#include <stdbool.h>
#include <stddef.h>

enum { GO_NAME_BYTES = 160 };

struct go_name {
    char kind; /* of what is named; 0: taken by Go, or by us */
    char of[GO_NAME_BYTES];
    char go[GO_NAME_BYTES];
};

struct go_names {
    struct go_name *names;
    size_t count;
};

void go_names_deinit(struct go_names *names);

/* Whether a name means something in the source that is made, or in Go. */
bool go_is_reserved(const char *go);

/* Keep a name from being given. Returns 0, or -ENOMEM. */
int go_names_take(struct go_names *names, const char *go);

/*
 * "Sqlite3Open" for "sqlite3_open", and the same each time; another one if it is taken.
 *
 * @exported  else it begins with a small letter: "destLen".
 * @ret_new   that it was not named before. May be NULL.
 *
 * Returns 0 with the name, valid until another is given, or -ENOMEM.
 */
int go_names_give(struct go_names *names, char kind, const char *of, bool exported,
                  const char **ret_go, bool *ret_new);

#endif
