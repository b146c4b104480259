/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

/*
 * Configuration: cordon.yaml, read, judged and made into settings. Keys and defaults: cordon-yaml(5).
 *
 * The file is trusted to mean well, not to be right: everything that is wrong is a finding, and every finding
 * is told, not the first alone. What is read is bounded (CONFIG_...).
 */

#include <stddef.h>

#include "config/findings.h"
#include "config/settings.h"

#define CONFIG_BYTES_MAX   (1u << 20) /* of the file, and of an interface */
#define CONFIG_NODES_MAX   65536u     /* values and keys in it */
#define CONFIG_NESTING_MAX 32u        /* lists and mappings inside each other */

/*
 * Read @path and all files that it names.
 *
 * @settings  all zero; filled on success only: for settings_deinit(). What the file leaves out has its default;
 *            `socket` is NULL if it names none. Texts are owned by it: the file may change.
 * @findings  added to and sorted; notes on success, too.
 *
 * Returns 0; -EINVAL: findings refuse it; -ENOMEM; or what reading the file met, which is a finding as well.
 * Blocks on the files. Threads: any.
 */
int config_load(const char *path, struct settings *settings, struct findings *findings);

/* The same of a text, which findings call @name; relative paths are below @directory. */
int config_read(const char *name, const char *directory, const char *text, size_t length,
                struct settings *settings, struct findings *findings);

#endif
