/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

/*
 * Options: `--name`, `--name VALUE`, `--name=VALUE`, anywhere among the operands; behind `--` there are
 * none. A single dash begins no option, so that negative numbers are operands.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/message.h"

struct option_spec {
    const char *name;       /* without the dashes; NULL ends a table */
    const char *value_name; /* NULL: takes no value */
    const char *help;
};

struct options {
    const struct option_spec *specs;
    int argc;
    char *const *argv;
    int next;
    bool ended; /* `--` was seen */
};

enum {
    OPTIONS_OPERAND = -1,
    OPTIONS_END = -2,
    OPTIONS_WRONG = -3,
};

/*
 * The next option or operand. Returns the option's index in the table with its value, or
 * OPTIONS_OPERAND with the operand, OPTIONS_END, or OPTIONS_WRONG with a sentence in @why.
 */
int options_next(struct options *options, const char **ret_value, struct message *why);

#endif
