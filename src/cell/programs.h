/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_PROGRAMS_H
#define CELL_PROGRAMS_H

/*
 * Programs: where the programs that are started come from. In this order: the path that the caller names;
 * the copy embedded in this library, run from a sealed memory (or, where the kernel forbids to
 * execute memory, from a private file that is deleted at once); the path compiled in. Never PATH.
 *
 * Threads: any.
 */

#include <stddef.h>

#include "base/message.h"

enum program {
    PROGRAM_KEEPER = 0,
    PROGRAM_WORKER = 1,
    PROGRAM_SYMBOLIZE = 2, /* makes reports; everything else works without it */
    PROGRAM_COUNT,
};

/*
 * Open a program for execveat(fd, "", ..., AT_EMPTY_PATH).
 *
 * @path  the caller's choice; NULL: see above.
 * Returns a CLOEXEC fd above 2, or a negative errno with the path or step in @why.
 */
int program_open(enum program program, const char *path, struct message *why);

/*
 * Where program_open() would take @program from when no path is given: its name, the path ("": the copy
 * embedded here, of @ret_bytes). Returns 0, or a negative errno: there is no such file.
 */
int program_origin(enum program program, const char **ret_name, const char **ret_path,
                   size_t *ret_bytes);

#endif
