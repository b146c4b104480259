/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

/*
 * Settings: what a daemon is to do, from a configuration file or the command line, complete: every
 * default filled in, every text owned. Read-only once made.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/message.h"
#include "cordon/cell.h"
#include "config/daemon_limits.h"
#include "config/log_choice.h"
#include "json/method.h"

struct method_settings {
    char *name;                  /* what clients call it */
    char *function;              /* of the cell's interface */
    char *fixed;                 /* JSON object: parameters that clients do not send; or NULL */
    char *result;                /* "return", or an output's name; NULL: by rule */
    enum json_encoding encoding; /* of bytes that come back */
    bool pinned;                 /* session: client. State of the library belongs to who called */
    bool tells_errno;            /* errno stands beside the result */
    uint64_t deadline_ms;        /* 0: the cell's */
};

/* A call that each worker begins with. */
struct start_settings {
    char *function;
    char *arguments; /* JSON object; or NULL */
};

struct cell_settings {
    char *name;
    char *reason; /* why it may be trusted, or go without a limit; or NULL */
    /* As cordon_cell_open() takes them. All texts are owned by these settings. */
    struct cordon_cell_options options;
    uint32_t workers;         /* shared by clients; 1 to 256 */
    uint32_t client_sessions; /* workers of single clients (handles, pinned methods) */
    uint32_t leases;          /* lanes of attached clients; 0: none */
    uint64_t lease_idle_ms;
    uint32_t queue;      /* requests that wait for its workers; 0: as many as there may be */
    bool every_function; /* of the interface is a method of its own name; others are in @methods */
    struct start_settings *starts;
    size_t start_count;
    struct method_settings *methods;
    size_t method_count;
    size_t added_count; /* of them, the last ones: functions, by @every_function (house_open()) */
};

struct settings {
    char *socket;  /* path */
    uid_t *users;  /* who may connect, beside the daemon's own user and root, who always may */
    gid_t *groups; /* members too: primary or supplementary */
    size_t user_count;
    size_t group_count;
    char *http;               /* "127.0.0.1:9464", "unix:/path"; NULL: off */
    uint64_t drain_ms;        /* how long a stop waits for calls */
    enum log_level log_level; /* LOG_LEVEL_DEFAULT, where nothing is said */
    enum log_form log_form;
    struct gateway_limits limits;
    struct cell_settings *cells;
    size_t cell_count;
};

/* All zero is fine. */
void settings_deinit(struct settings *settings);
/* The same, and the memory itself; NULL is fine. */
void settings_free(struct settings *settings);
void cell_settings_deinit(struct cell_settings *cell);

/* Whether a cell with settings @a does what one with settings @b does: a reload may keep it. */
bool cell_settings_equal(const struct cell_settings *a, const struct cell_settings *b);

#endif
