/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SETTINGS_CHANGES_H
#define CONFIG_SETTINGS_CHANGES_H

/* What differs between two settings, the cells left aside, by the names that the configuration has for it. */

#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"

#define SETTINGS_CHANGES_MAX 32u

struct settings_change {
    const char *name; /* "limits.clients" */
    bool at_start; /* it can come into force when the daemon is started anew, and does not before */
};

/* A socket that @after does not name is no change. Returns how many were written to @ret_changes. */
size_t settings_changes(const struct settings *before, const struct settings *after,
                        struct settings_change ret_changes[SETTINGS_CHANGES_MAX]);

#endif
