/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIBRARY_LIBRARY_H
#define LIBRARY_LIBRARY_H

/*
 * Library: foreign code, found, judged and loaded into this process.
 *
 * Life: prepare (while this process may read what later it may not), open (constructors run!). There
 * is no close: a worker ends instead.
 *
 * Threads: one at a time; library_find() any.
 */

#include <stdbool.h>

#include "base/message.h"

struct library {
    const char *name; /* borrowed: a soname, a path (it has a slash), or empty: the C library */
    int file;         /* the library's own, or a copy; -1: none */
    bool copied;      /* file is a copy: the path can no longer be read */
    void *handle;     /* of dlopen; NULL: not loaded */
};

/*
 * Judge the file if @name is a path, and hold it open for library_open().
 * Returns 0, or a negative errno with the sentence: no such file, not a library (elf_check).
 */
int library_prepare(struct library *library, const char *name, struct message *why);

/*
 * Make sure that it can be loaded by who this process is now: a file that may no longer be opened is
 * copied to memory. Before a sandbox that forbids such memory. 0 or a negative errno with the sentence.
 */
int library_settle(struct library *library, struct message *why);

/*
 * Load it with all its symbols resolved: by its name as the dynamic loader finds it, or, where the
 * path can no longer be read, from the file held open. Returns 0, or -ENOENT or -ENOEXEC with the
 * loader's sentence.
 */
int library_open(struct library *library, struct message *why);

/*
 * Address of a function or object that the library, or one that it needs, defines; NULL: none. Of the
 * C library's allocator it is the function that this process uses in its place, if it does.
 */
void *library_find(const struct library *library, const char *symbol);

/*
 * Write the sentence for a symbol that is not there, with the names that come near:
 * "libz.so.1 has no function 'crc33'; did you mean 'crc32'?"
 */
void library_explain(const struct library *library, const char *symbol, struct message *why);

/* For a library that was prepared but is not going to be opened. NULL is fine. */
void library_deinit(struct library *library);

#endif
