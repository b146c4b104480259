/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIBRARY_ELF_H
#define LIBRARY_ELF_H

/*
 * ELF files, judged before anybody maps or runs them: read by pread, every number checked.
 *
 * Threads: any.
 */

#include <stddef.h>

#include "base/message.h"

/*
 * Whether the file can be a shared library of this machine.
 *
 * @name  for the sentence.
 * Returns 0; -ENOEXEC with the reason in @why: not ELF, of another machine, no library, truncated; or
 * the negative errno of reading.
 */
int elf_check(int fd, const char *name, struct message *why);

/*
 * Show @visit the name of each function that the file defines for others, in the file's order, until
 * it returns false. Names are NUL-terminated and at most ELF_NAME_BYTES long; longer ones are left out.
 * Returns 0, -ENOEXEC for a file without a usable symbol table, or the negative errno of reading.
 */
#define ELF_NAME_BYTES 255u
int elf_functions(int fd, _Bool (*visit)(void *context, const char *name), void *context);

#endif
