/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/generate.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/command.h"
#include "cli/file.h"
#include "cli/output.h"

static const struct generator *const generators[] = {
    &go_generator,
    &python_generator,
};

enum {
    OPTION_PACKAGE,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_PACKAGE] = {"package", "NAME", "what the package is called; else as the file is"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

enum { PACKAGE_BYTES = 64 };

static const struct generator *generator_of(const char *language)
{
    for (size_t i = 0; i < sizeof generators / sizeof generators[0]; i++) {
        if (strcmp(generators[i]->language, language) == 0) {
            return generators[i];
        }
    }
    return NULL;
}

/* What is a name in every language: a letter, then letters and digits. */
static bool is_package(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return islower((unsigned char)*name) && name[length] == '\0' && length < PACKAGE_BYTES;
}

/* "libpng16" of "interfaces/libpng16.cordon". */
static void package_of(const char *path, char name[PACKAGE_BYTES])
{
    const char *slash = strrchr(path, '/');
    size_t length = 0;
    for (const char *at = slash ? slash + 1 : path; *at && *at != '.'; at++) {
        if (isalnum((unsigned char)*at) && length < PACKAGE_BYTES - 1) {
            name[length++] = (char)tolower((unsigned char)*at);
        }
    }
    name[length] = '\0';
}

/* Nothing is written unless all of it can be. */
static int write_all(const struct generator *generator, struct generation *generation)
{
    struct message why;
    char *made = NULL;
    size_t length = 0;
    generation->out = open_memstream(&made, &length);
    if (!generation->out) {
        return command_fail(EXIT_COULD_NOT, "no memory");
    }
    int r = generator->write(generation, &why);
    bool whole = fclose(generation->out) == 0;
    if (r < 0) {
        r = command_fail(EXIT_USAGE, "%s", why.text);
    } else {
        r = whole ? output_write(made, length) : command_fail(EXIT_COULD_NOT, "no memory");
    }
    free(made);
    return r;
}

static int generate(const struct generator *generator, const char *path, const char *name)
{
    struct cordon_interface *interface_ = NULL;
    struct cordon_error error;
    struct message why;
    char own_name[PACKAGE_BYTES];
    void *bytes = NULL;
    size_t length = 0;
    if (!name) {
        package_of(path, own_name);
        name = own_name;
    }
    if (!is_package(name)) {
        return command_fail(EXIT_USAGE, "'%s' cannot be a package's name; --package gives another",
                            name);
    }
    if (file_read(path, LIMIT_PROTOTYPE_BYTES, &bytes, &length, &why) < 0) {
        return command_fail(EXIT_COULD_NOT, "%s", why.text);
    }
    char *text = strndup(bytes, length);
    free(bytes);
    if (!text) {
        return command_fail(EXIT_COULD_NOT, "no memory");
    }
    int r = cordon_interface_parse(path, text, length, &interface_, &error);
    if (r < 0) {
        r = command_fail(EXIT_USAGE, "%s", error.text);
    } else {
        struct generation generation = {.name = name, .text = text, .interface_ = interface_};
        r = write_all(generator, &generation);
    }
    cordon_interface_free(interface_);
    free(text);
    return r;
}

static int run_generate(const struct command *command, int argc, char *const *argv)
{
    struct options options = {.specs = option_specs, .argc = argc, .argv = argv};
    const char *operands[2] = {NULL, NULL};
    const char *package = NULL;
    const char *value = NULL;
    struct message why;
    for (int option; (option = options_next(&options, &value, &why)) != OPTIONS_END;) {
        if (option == OPTIONS_WRONG) {
            return command_fail(EXIT_USAGE, "%s", why.text);
        }
        if (option == OPTION_HELP) {
            return command_help(command);
        }
        if (option == OPTION_PACKAGE) {
            package = value;
        } else if (operands[1]) {
            return command_fail(EXIT_USAGE, "generate takes a LANGUAGE and one FILE");
        } else {
            operands[operands[0] ? 1 : 0] = value;
        }
    }
    if (!operands[1]) {
        return command_fail(EXIT_USAGE, "generate needs a LANGUAGE and a FILE");
    }
    const struct generator *generator = generator_of(operands[0]);
    return generator ? generate(generator, operands[1], package)
                     : command_fail(EXIT_USAGE,
                                    "no generator for '%s'; 'cordon generate --help' lists them",
                                    operands[0]);
}

const struct command generate_command = {
    .name = "generate",
    .operands = "LANGUAGE FILE",
    .summary = "Write source that calls what an interface declares",
    .details =
        "LANGUAGE is go: a package with a typed function for each of the interface's, over the\n"
        "package of cordon. Or python: a module whose open() gives a cell with typed functions.\n",
    .options = option_specs,
    .run = run_generate,
};
