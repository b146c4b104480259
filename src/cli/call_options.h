/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CALL_OPTIONS_H
#define CLI_CALL_OPTIONS_H

/* The command line of `cordon call`. */

#include <stdint.h>

#include "base/message.h"
#include "cli/options.h"
#include "cordon/cell.h"

struct call_options {
    const char *library;
    const char *prototype;
    char **texts; /* the ARGs; owned array of borrowed strings */
    size_t text_count;
    const char **grants; /* owned array of borrowed strings, NULL behind the last */
    size_t grant_count;
    struct cordon_cell_options cell; /* level, policy, grants, without, paths of the programs */
    uint64_t timeout_ns;             /* 0: the default */
    const char *interface_path;
    const char *raw;
    uint64_t repeat; /* 0: not asked for */
    bool json;
    bool help;
};

extern const struct option_spec call_option_specs[];

/* Returns 0, -EINVAL with a sentence, -ENOMEM. call_options_deinit() in any case. */
int call_options_parse(int argc, char *const *argv, struct call_options *ret_options,
                       struct message *why);
void call_options_deinit(struct call_options *options);

#endif
