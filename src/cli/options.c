/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <string.h>

#include "cli/guess.h"

static int unknown(const struct options *options, const char *argument, struct message *why)
{
    struct guess guess = guess_start(argument + 2, strcspn(argument + 2, "="));
    for (const struct option_spec *spec = options->specs; spec->name; spec++) {
        guess_consider(&guess, spec->name);
    }
    (void)message_set(why, -EINVAL, "unknown option '%s'", argument);
    if (guess_found(&guess)) {
        message_add(why, "; did you mean '--%s'?", guess_found(&guess));
    } else {
        message_add(why, "; '--' goes before arguments that begin with dashes");
    }
    return OPTIONS_WRONG;
}

static int take_value(struct options *options, int index, const char *equals,
                      const char **ret_value, struct message *why)
{
    const struct option_spec *spec = &options->specs[index];
    if (!spec->value_name) {
        *ret_value = NULL;
        if (equals) {
            (void)message_set(why, -EINVAL, "option '--%s' takes no value", spec->name);
            return OPTIONS_WRONG;
        }
        return index;
    }
    if (!equals && options->next == options->argc) {
        (void)message_set(why, -EINVAL, "option '--%s' needs a value: %s", spec->name,
                          spec->value_name);
        return OPTIONS_WRONG;
    }
    *ret_value = equals ? equals + 1 : options->argv[options->next++];
    return index;
}

int options_next(struct options *options, const char **ret_value, struct message *why)
{
    if (options->next == options->argc) {
        return OPTIONS_END;
    }
    const char *argument = options->argv[options->next++];
    if (options->ended || strncmp(argument, "--", 2) != 0) {
        *ret_value = argument;
        return OPTIONS_OPERAND;
    }
    if (argument[2] == '\0') {
        options->ended = true;
        return options_next(options, ret_value, why);
    }
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument - 2) : strlen(argument + 2);
    for (int i = 0; options->specs[i].name; i++) {
        const char *name = options->specs[i].name;
        if (strlen(name) == length && memcmp(name, argument + 2, length) == 0) {
            return take_value(options, i, equals, ret_value, why);
        }
    }
    return unknown(options, argument, why);
}
