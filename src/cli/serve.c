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
#include "cli/findings_text.h"
#include "cli/output.h"
#include "cli/plain.h"
#include "cli/socket_path.h"
#include "cordon/interface.h"
#include "config/config.h"
#include "gateway/daemon.h"
#include "gateway/log.h"

#define NAME_BYTES     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define NAME_BYTES_MAX 64u

enum {
    OPTION_CONFIG,
    OPTION_INTERFACE,
    OPTION_SOCKET,
    OPTION_HTTP,
    OPTION_LOG_LEVEL,
    OPTION_LOG_FORMAT,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_CONFIG] = {"config", "FILE", "serve what this configuration says: cordon-yaml(5)"},
    [OPTION_INTERFACE] =
        {"interface", "FILE",
         "serve this interface's library, each function a method; may be repeated"},
    [OPTION_SOCKET] = {"socket", "PATH", "listen there"},
    [OPTION_HTTP] = {"http", "ADDRESS", "status page and /metrics at 127.0.0.1:PORT or unix:PATH"},
    [OPTION_LOG_LEVEL] = {"log-level", "LEVEL", "error, warning, notice (default) or debug"},
    [OPTION_LOG_FORMAT] = {"log-format", "FORMAT",
                           "text, json or auto (default: text on a terminal)"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

/* What the command line says of the log, beside the daemon's other options. */
struct serve_options {
    struct daemon_options daemon;
    enum log_level log_level;
    enum log_form log_form;
};

/* "zlib" of "interfaces/zlib.cordon". */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return strndup(name, strcspn(name, "."));
}

/* As in a configuration: cordon-yaml(5). */
static int judge_name(const char *name, const char *path, struct message *why)
{
    char shown[256];
    (void)plain_copy(shown, sizeof shown, path, strlen(path));
    if (!*name || strlen(name) > NAME_BYTES_MAX || name[strspn(name, NAME_BYTES)]) {
        return message_set(why, -EINVAL,
                           "%s: a cell is called as its file without the ending: letters, digits, "
                           "'_' and '-', at most %u of them",
                           shown, NAME_BYTES_MAX);
    }
    return strcmp(name, "cordon") == 0
               ? message_set(why, -EINVAL, "%s: 'cordon' is the daemon's own name: rename the file",
                             shown)
               : 0;
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
    return cell->name && cell->options.interface_text && cell->options.interface_name
               ? judge_name(cell->name, path, why)
               : message_set(why, -ENOMEM, "not enough memory");
}

/* In a private directory of this user's. */
static int default_socket(struct settings *settings, struct message *why)
{
    char directory[SOCKET_PATH_BYTES];
    char path[SOCKET_PATH_BYTES];
    struct stat there;
    int r = socket_path_default(path, why);
    if (r != 0) {
        return r;
    }
    (void)snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path), path);
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

static int parse_level(struct serve_options *options, const char *value, struct message *why)
{
    options->daemon.log_level = &options->log_level;
    return log_level_parse(value, &options->log_level)
               ? 0
               : message_set(why, -EINVAL,
                             "--log-level '%s' is not one of error, warning, notice, debug", value);
}

static int parse_form(struct serve_options *options, const char *value, struct message *why)
{
    options->daemon.log_form = &options->log_form;
    return log_form_parse(value, &options->log_form)
               ? 0
               : message_set(why, -EINVAL, "--log-format '%s' is not one of text, json, auto",
                             value);
}

static int judge_options(const struct settings *settings, const struct serve_options *serve,
                         struct message *why)
{
    if (serve->daemon.config && settings->cell_count > 0) {
        return message_set(why, -EINVAL,
                           "--config and --interface exclude each other: name the interface in %s",
                           serve->daemon.config);
    }
    return serve->daemon.config || settings->cell_count > 0
               ? 0
               : message_set(why, -EINVAL,
                             "nothing to serve: give --config FILE (cordon-yaml(5)) or --interface "
                             "FILE (cordon-prototypes(5))");
}

/* Findings are told on standard error, all of them. */
static int load_config(const char *path, struct settings *settings)
{
    struct findings findings = {0};
    struct json_out text = {0};
    int r = config_load(path, settings, &findings);
    findings_to_text(&findings, isatty(STDERR_FILENO) && output_has_colours(), &text);
    if (json_out_text(&text)) {
        (void)fputs(json_out_text(&text), stderr);
    }
    if (r != 0) {
        (void)command_fail(EXIT_COULD_NOT, "%s is refused: %s", path,
                           r == -ENOMEM ? "not enough memory" : "see above");
    }
    json_out_deinit(&text);
    findings_deinit(&findings);
    return r;
}

static int parse(struct settings *settings, struct serve_options *serve, int argc,
                 char *const *argv, struct message *why)
{
    int r;
    struct options options = {.specs = option_specs, .argc = argc, .argv = argv};
    const char *value;
    for (;;) {
        int option = options_next(&options, &value, why);
        switch (option) {
        case OPTIONS_END:
            return judge_options(settings, serve, why);
        case OPTION_CONFIG:
            if (serve->daemon.config) {
                return message_set(why, -EINVAL, "there can be one --config, '%s' is another",
                                   value);
            }
            serve->daemon.config = value;
            break;
        case OPTION_INTERFACE:
            r = add_interface(settings, value, why);
            if (r != 0) {
                return r;
            }
            break;
        case OPTION_SOCKET:
            serve->daemon.socket = value;
            break;
        case OPTION_HTTP:
            serve->daemon.http = value;
            break;
        case OPTION_LOG_LEVEL:
            r = parse_level(serve, value, why);
            if (r != 0) {
                return r;
            }
            break;
        case OPTION_LOG_FORMAT:
            r = parse_form(serve, value, why);
            if (r != 0) {
                return r;
            }
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
    struct serve_options options = {.daemon.find_socket = default_socket};
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings) {
        return command_fail(EXIT_COULD_NOT, "not enough memory");
    }
    settings->limits = (struct gateway_limits)GATEWAY_LIMITS;
    settings->drain_ms = GATEWAY_DRAIN_MS;
    settings->log_level = LOG_LEVEL_DEFAULT;
    int r = parse(settings, &options, argc, argv, &why);
    if (r != 0) {
        settings_free(settings);
        return r == 1 ? command_help(command) : command_fail(EXIT_USAGE, "%s", why.text);
    }
    if (options.daemon.config) {
        settings_deinit(settings);
        r = load_config(options.daemon.config, settings);
    }
    if (r != 0) {
        settings_free(settings);
        return EXIT_COULD_NOT;
    }
    r = daemon_run(settings, &options.daemon, &why);
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
