/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

/*
 * Child: a program that the benchmark starts and drives: the daemon, the server that one writes first, Python.
 * It ends with the benchmark, however that ends.
 *
 * Life: all zero, opened, closed. Threads: the one that opened it, which must not end before.
 */

#include <stdio.h>
#include <sys/types.h>

struct bench_child {
    pid_t pid;
    FILE *to; /* its standard input and output, if asked for */
    FILE *from;
    char log[160]; /* where its standard error goes */
};

/*
 * Start @argv (@argv[0] is a path, or a name to be looked for in PATH). @log: where its complaints go; the file is
 * left to whoever has the directory. @talks: it is spoken to by @to and @from. Returns 0 or a negative errno.
 */
int child_open(struct bench_child *child, const char *const *argv, const char *log, int talks);

/* It is there: @path exists. -ETIMEDOUT, -ECHILD: it ended instead. */
int child_await_file(struct bench_child *child, const char *path);

/* The first line that it complained by, into @text. */
void child_complaint(const struct bench_child *child, char *text, size_t text_bytes);

/* Ask it to stop, and wait. All zero is fine. */
void child_close(struct bench_child *child);

/* All threads that it has now run on @cpu only. Returns 0 or a negative errno. */
int child_pin(const struct bench_child *child, int cpu);

#endif
