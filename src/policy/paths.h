/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_PATHS_H
#define POLICY_PATHS_H

/* Paths: which files the named groups stand for, and what loading a library reads. */

#include <stdbool.h>
#include <stdint.h>

struct group_path {
    uint32_t groups; /* enum policy_group: one of these reads it */
    const char *path;
};
extern const struct group_path group_paths[]; /* ends with a NULL path */

/* Folders and files that every loading reads; ends with NULL. */
extern const char *const loading_paths[];

/* @path is @folder or lies beneath it. Both absolute. */
bool path_beneath(const char *path, const char *folder);

/* Name of a group ("iconv"); NULL for others. */
const char *group_name(uint32_t group);

#endif
