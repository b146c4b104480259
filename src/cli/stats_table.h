/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STATS_TABLE_H
#define CLI_STATS_TABLE_H

/* The table of methods, as `cordon stats` prints it. */

#include "cli/snapshot.h"

/*
 * Methods that were called since @before (NULL: since the daemon's start), most calls first, to standard output.
 *
 * @cell  this one alone, named "method"; NULL: all, named "cell.method".
 * @all   also those without calls.
 *
 * Returns an enum command_exit.
 */
int stats_table_print(const struct snapshot *before, const struct snapshot *now, const char *cell,
                      bool all);

#endif
