/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/call_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/duration.h"
#include "cli/requirements.h"

enum {
    OPTION_LEVEL,
    OPTION_POLICY,
    OPTION_GRANT,
    OPTION_ON_VIOLATION,
    OPTION_TIMEOUT,
    OPTION_INTERFACE,
    OPTION_RAW,
    OPTION_REPEAT,
    OPTION_JSON,
    OPTION_REQUIRE,
    OPTION_WITHOUT,
    OPTION_REPORTS,
    OPTION_RECORD,
    OPTION_KEEPER,
    OPTION_WORKER,
    OPTION_HELP,
};

const struct option_spec call_option_specs[] = {
    [OPTION_LEVEL] = {"level", "LEVEL", "process (default), thread or inline"},
    [OPTION_POLICY] = {"policy", "POLICY", "strict (default), files, network or trusted"},
    [OPTION_GRANT] = {"grant", "GRANT",
                      "allow more: read:PATH, connect:PORT, iconv, ...; repeatable"},
    [OPTION_ON_VIOLATION] = {"on-violation", "WHAT",
                             "refuse (default) what is not granted, or kill the worker"},
    [OPTION_TIMEOUT] = {"timeout", "TIME", "end the call after 250ms, 3s (default), 2m"},
    [OPTION_INTERFACE] = {"interface", "FILE", "declarations; PROTOTYPE is then a name in FILE"},
    [OPTION_RAW] = {"raw", "NAME", "write only the bytes of output NAME, or of `return`"},
    [OPTION_REPEAT] = {"repeat", "N", "call N times; show the last result and the times"},
    [OPTION_JSON] = {"json", NULL, "one JSON object on one line, on a terminal too"},
    [OPTION_REQUIRE] = {"require", "LIST", "refuse to call without: landlock, no-writes, ..."},
    [OPTION_WITHOUT] = {"without", "LIST",
                        "as if the kernel lacked: landlock, seccomp, pidns, ..."},
    [OPTION_REPORTS] = {"reports", "DIR", "where a report of a crash goes; '': none is made"},
    [OPTION_RECORD] = {"record", NULL, "keep the session for replay: with resident objects, ..."},
    [OPTION_KEEPER] = {"keeper", "PATH", "the keeper program, instead of the built-in one"},
    [OPTION_WORKER] = {"worker", "PATH", "the worker program, instead of the built-in one"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

struct named_number {
    const char *name;
    uint32_t number;
};

static const struct named_number levels[] = {{"process", CORDON_LEVEL_PROCESS},
                                             {"thread", CORDON_LEVEL_THREAD},
                                             {"inline", CORDON_LEVEL_INLINE},
                                             {NULL, 0}};

static const struct named_number policies[] = {{"strict", CORDON_POLICY_STRICT},
                                               {"files", CORDON_POLICY_FILES},
                                               {"network", CORDON_POLICY_NETWORK},
                                               {"trusted", CORDON_POLICY_TRUSTED},
                                               {NULL, 0}};

static const struct named_number violations[] = {
    {"refuse", CORDON_REFUSE}, {"kill", CORDON_KILL}, {NULL, 0}};

static int find_named(const struct named_number *names, const char *what, const char *text,
                      size_t length, uint32_t *ret_number, struct message *why)
{
    for (const struct named_number *name = names; name->name; name++) {
        if (strlen(name->name) == length && strncmp(name->name, text, length) == 0) {
            *ret_number = name->number;
            return 0;
        }
    }
    (void)message_set(why, -EINVAL, "no %s '%.*s'; there are", what, (int)length, text);
    for (const struct named_number *name = names; name->name; name++) {
        message_add(why, "%s %s", name == names ? "" : ",", name->name);
    }
    return -EINVAL;
}

static int parse_repeat(const char *text, uint64_t *ret_repeat, struct message *why)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || number == 0 ||
        number > 10000000) {
        return message_set(why, -EINVAL, "--repeat takes a number from 1 to 10000000, not '%s'",
                           text);
    }
    *ret_repeat = number;
    return 0;
}

static int set_option(struct call_options *options, int option, const char *value,
                      struct message *why)
{
    uint32_t number = 0;
    int r = 0;
    switch (option) {
    case OPTION_LEVEL:
        r = find_named(levels, "level", value, strlen(value), &number, why);
        options->cell.level = (enum cordon_level)number;
        return r;
    case OPTION_POLICY:
        r = find_named(policies, "policy", value, strlen(value), &number, why);
        options->cell.policy = (enum cordon_policy)number;
        return r;
    case OPTION_GRANT:
        options->grants[options->grant_count++] = value;
        return 0;
    case OPTION_ON_VIOLATION:
        r = find_named(violations, "answer to violations", value, strlen(value), &number, why);
        options->cell.on_violation = (enum cordon_on_violation)number;
        return r;
    case OPTION_TIMEOUT:
        r = duration_parse(value, &options->timeout_ns);
        return r < 0 ? message_set(why, r, "--timeout takes 250ms, 3s or 2m, not '%s'", value) : 0;
    case OPTION_REPEAT:
        return parse_repeat(value, &options->repeat, why);
    case OPTION_WITHOUT:
        return requirements_parse(value, &options->cell.without, NULL, why);
    case OPTION_REQUIRE:
        return requirements_parse(value, &options->cell.require_mechanisms, &options->cell.require,
                                  why);
    case OPTION_INTERFACE:
        options->interface_path = value;
        return 0;
    case OPTION_RAW:
        options->raw = value;
        return 0;
    case OPTION_REPORTS:
        options->cell.reports = value;
        return 0;
    case OPTION_RECORD:
        options->cell.record = true;
        return 0;
    case OPTION_KEEPER:
        options->cell.keeper_path = value;
        return 0;
    case OPTION_WORKER:
        options->cell.worker_path = value;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    default:
        options->help = true;
        return 0;
    }
}

static void add_operand(struct call_options *options, const char *operand)
{
    if (!options->library) {
        options->library = operand;
    } else if (!options->prototype) {
        options->prototype = operand;
    } else {
        options->texts[options->text_count++] = (char *)(uintptr_t)operand;
    }
}

int call_options_parse(int argc, char *const *argv, struct call_options *ret_options,
                       struct message *why)
{
    struct options options = {.specs = call_option_specs, .argc = argc, .argv = argv};
    *ret_options = (struct call_options){.cell = CORDON_CELL_OPTIONS};
    ret_options->cell.spares = CORDON_NONE; /* one call, one worker */
    ret_options->texts = calloc((size_t)argc + 1, sizeof *ret_options->texts);
    ret_options->grants = calloc((size_t)argc + 1, sizeof *ret_options->grants);
    if (!ret_options->texts || !ret_options->grants) {
        return message_set(why, -ENOMEM, "no memory");
    }
    ret_options->cell.grants = ret_options->grants;
    for (;;) {
        const char *value = NULL;
        int option = options_next(&options, &value, why);
        if (option == OPTIONS_END) {
            break;
        }
        if (option == OPTIONS_WRONG) {
            return -EINVAL;
        }
        if (option == OPTIONS_OPERAND) {
            add_operand(ret_options, value);
            continue;
        }
        int r = set_option(ret_options, option, value, why);
        if (r < 0) {
            return r;
        }
    }
    if (!ret_options->help && !ret_options->prototype) {
        return message_set(why, -EINVAL, "call needs %s; see 'cordon call --help'",
                           ret_options->library ? "a PROTOTYPE" : "a LIBRARY and a PROTOTYPE");
    }
    return 0;
}

void call_options_deinit(struct call_options *options)
{
    free(options->texts);
    options->texts = NULL;
    free(options->grants);
    options->grants = NULL;
}
