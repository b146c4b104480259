/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/message.h"
#include "cli/command.h"
#include "cli/file.h"
#include "cordon/interface.h"
#include "gateway/daemon.h"

enum {
    OPTION_INTERFACE,
    OPTION_SOCKET,
    OPTION_HTTP,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_INTERFACE] =
        {"interface", "FILE",
         "serve this interface's library, each function a method; may be repeated"},
    [OPTION_SOCKET] = {"socket", "PATH", "listen there"},
    [OPTION_HTTP] = {"http", "ADDRESS", "status page and /metrics at 127.0.0.1:PORT or unix:PATH"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

/* "zlib" of "interfaces/zlib.cordon". */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return strndup(name, strcspn(name, "."));
}

static int add_interface(struct settings *settings, const char *path, struct message *why)
{
    struct cell_settings *cells =
        realloc(settings->cells, (settings->cell_count + 1) * sizeof *cells);
    void *text;
    size_t length;
    if (!cells) {
        return message_set(why, -ENOMEM, "not enough memory");
    }
    settings->cells = cells;
    int r = file_read(path, LIMIT_PROTOTYPE_BYTES, &text, &length, why);
    if (r != 0) {
        return r;
    }
    struct cell_settings *cell = &cells[settings->cell_count];
    *cell = (struct cell_settings){
        .name = name_of(path),
        .options = CORDON_CELL_OPTIONS,
        .workers = LIMIT_WORKERS,
        .client_sessions = LIMIT_SESSIONS,
        .leases = LIMIT_WORKERS,
        .every_function = true,
    };
    cell->options.deadline_ms = 3000;
    cell->options.interface_text = strndup(text, length);
    cell->options.interface_name = strdup(path);
    free(text);
    settings->cell_count++;
    return 0;
}

/* A private directory of this user's. */
static int default_socket(struct settings *settings, struct message *why)
{
    char directory[256];
    char path[300];
    struct stat there;
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (!runtime && geteuid() != 0) {
        return message_set(why, -EINVAL, "XDG_RUNTIME_DIR is not set: give --socket PATH");
    }
    int length = snprintf(directory, sizeof directory, "%s/cordon", runtime ? runtime : "/run");
    if (length < 0 || (size_t)length >= sizeof directory) {
        return message_set(why, -ENAMETOOLONG, "XDG_RUNTIME_DIR is too long: give --socket PATH");
    }
    (void)snprintf(path, sizeof path, "%s/gateway.sock", directory);
    if (mkdir(directory, 0700) < 0 && errno != EEXIST) {
        return message_set(why, -errno, "cannot make %s: %s", directory, strerror(errno));
    }
    if (lstat(directory, &there) < 0 || !S_ISDIR(there.st_mode) || there.st_uid != geteuid() ||
        (there.st_mode & 077) != 0) {
        return message_set(why, -EPERM,
                           "%s is not a directory of this user's alone (mode 0700): give --socket "
                           "PATH",
                           directory);
    }
    settings->socket = strdup(path);
    return settings->socket ? 0 : message_set(why, -ENOMEM, "not enough memory");
}

static int parse(struct settings *settings, int argc, char *const *argv, struct message *why)
{
    struct options options = {.specs = option_specs, .argc = argc, .argv = argv};
    const char *value;
    for (;;) {
        int option = options_next(&options, &value, why);
        switch (option) {
        case OPTIONS_END:
            return settings->cell_count > 0
                       ? 0
                       : message_set(why, -EINVAL, "nothing to serve: give --interface FILE");
        case OPTION_INTERFACE: {
            int r = add_interface(settings, value, why);
            if (r != 0) {
                return r;
            }
            break;
        }
        case OPTION_SOCKET:
            free(settings->socket);
            settings->socket = strdup(value);
            break;
        case OPTION_HTTP:
            free(settings->http);
            settings->http = strdup(value);
            break;
        case OPTION_HELP:
            return 1;
        default:
            return option == OPTIONS_OPERAND
                       ? message_set(why, -EINVAL, "unexpected operand '%s'", value)
                       : -EINVAL;
        }
    }
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct message why = {.text = ""};
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings) {
        return command_fail(EXIT_COULD_NOT, "not enough memory");
    }
    settings->limits = (struct gateway_limits)GATEWAY_LIMITS;
    settings->drain_ms = GATEWAY_DRAIN_MS;
    int r = parse(settings, argc, argv, &why);
    if (r == 0 && !settings->socket) {
        r = default_socket(settings, &why);
    }
    if (r != 0) {
        settings_free(settings);
        return r == 1 ? command_help(command) : command_fail(EXIT_USAGE, "%s", why.text);
    }
    struct daemon_options options = {0};
    r = daemon_run(settings, &options, &why);
    return r == 0 ? EXIT_DONE : command_fail(EXIT_COULD_NOT, "%s", why.text);
}

const struct command serve_command = {
    .name = "serve",
    .operands = "",
    .summary = "Offer native libraries on a Unix socket",
    .details = NULL,
    .options = option_specs,
    .run = run,
};
