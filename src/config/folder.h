/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_FOLDER_H
#define CONFIG_FOLDER_H

/*
 * Who may put something else in a file's place: whoever may write a folder above it, however far above, since what lies
 * there can be renamed. A sticky folder like /tmp does not let others do that.
 */

#include <limits.h>
#include <stdbool.h>

#include "cordon/export.h"

/*
 * Finds the nearest folder above @path that everybody may write and that is not sticky: of those that the path names,
 * and of those that it leads to by symbolic links. Folders that cannot be looked at are passed over.
 *
 * @ret_folder  Its path; written if there is one.
 *
 * Returns whether there is one.
 */
CORDON_MUST_USE
bool folder_find_open(const char *path, char ret_folder[PATH_MAX]);

#endif
