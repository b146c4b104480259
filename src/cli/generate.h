/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_GENERATE_H
#define CLI_GENERATE_H

/* Generate: source in another language that calls what an interface declares; a file for each language. */

#include <stddef.h>
#include <stdio.h>

#include "base/message.h"
#include "cordon/interface.h"

/* What is generated from, and where it goes. */
struct generation {
    const char *name; /* of the package or module: what the file is called, or --package */
    const char *text; /* the declarations, as they stand in the file; NUL-terminated */
    const struct cordon_interface *interface_;
    FILE *out; /* memory: writing does not fail before it is closed */
};

struct generator {
    const char *language; /* "go", "python" */
    /* Returns 0, or a negative errno with a sentence in @why: a name that the language has no way to say. */
    int (*write)(const struct generation *generation, struct message *why);
};

extern const struct generator go_generator;
extern const struct generator python_generator;

#endif
