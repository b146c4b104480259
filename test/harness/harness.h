/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_H
#define HARNESS_H

/*
 * Harness: whole-system test cases, each in a process of its own.
 *
 * A case is forked, runs under a time limit, and passes only if it also left nothing behind: in its own
 * process no fd, thread, child, shared memory or signal action; outside no process that descends from it
 * (keepers and workers are reparented to the test program, which waits for their end and names what stays).
 * A case that is to run at several levels appears once for each, named "case[level]".
 *
 * Inside a case cmocka's assertions are used as always. Functions below that can fail end the case.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cordon/cordon.h"

/* Bits: at which levels a case runs. */
enum harness_levels {
    HARNESS_ONCE = 0, /* without a level; harness->level is CORDON_LEVEL_PROCESS */
    HARNESS_PROCESS = 1u << CORDON_LEVEL_PROCESS,
    HARNESS_THREAD = 1u << CORDON_LEVEL_THREAD,
    HARNESS_INLINE = 1u << CORDON_LEVEL_INLINE,
    HARNESS_ALL_LEVELS = HARNESS_PROCESS | HARNESS_THREAD | HARNESS_INLINE,
};

enum harness_flags {
    HARNESS_COLD = 1u << 0, /* do not start the keeper before the state to compare with is taken */
    /* Levels thread and inline: the case leaves a runaway thread, or a call by a jump; both keep memory. */
    HARNESS_ABANDONS = 1u << 1,
    HARNESS_LEAVES_FDS =
        1u << 2, /* the library under test opens fds in this process (thread, inline) */
};

/* What a case is given. */
struct harness {
    enum cordon_level level;
    const char *level_name;
    uint32_t without; /* enum cordon_mechanism, from CORDON_TEST_WITHOUT */
};

struct harness_case {
    const char *name;
    void (*run)(const struct harness *harness);
    uint32_t levels;  /* enum harness_levels */
    uint32_t flags;   /* enum harness_flags */
    uint32_t seconds; /* time limit; 0: 30 */
};

/*
 * Run @cases and print them as cmocka does. @argv may name cases: substrings, any of which selects.
 * Returns what main() returns.
 */
int harness_main(int argc, char **argv, const struct harness_case *cases, size_t count);

/* End the case as skipped, saying why. */
void harness_skip(const char *why, ...) __attribute__((format(printf, 1, 2), noreturn));

/* True in a program that ThreadSanitizer watches: it knows no threads that start in a forked child. */
bool harness_under_tsan(void);

/* True in a program that AddressSanitizer watches. */
bool harness_under_asan(void);

/*
 * Leave out the search for leaks at the end of this process: it needs a process of its own that traces
 * this one, which the case has made impossible for good, or memory is lost here because that is what
 * the level says of it. Without effect in a program that is not searched.
 */
void harness_no_leak_search(void);

/* Options of a cell at the case's level, without the mechanisms that this run does without. */
struct cordon_cell_options harness_options(const struct harness *harness);

/* Open, bind, call; the case fails with Cordon's sentence if that fails. */
struct cordon_cell *harness_open(const struct harness *harness, const char *library,
                                 const char *interface_text);
struct cordon_cell *harness_open_with(const struct cordon_cell_options *options);
struct cordon_function *harness_bind(struct cordon_cell *cell, const char *prototype);
struct cordon_session *harness_session(struct cordon_cell *cell);

/* Call with the cell's deadline; anything but CORDON_DONE fails the case. @session may be NULL. */
struct cordon_result harness_call(struct cordon_session *session, struct cordon_function *function,
                                  const struct cordon_value *args, size_t count);
/* The same for one-liners: bind, call, and give the value alone (of a scalar, or a handle). */
struct cordon_value harness_value(struct cordon_session *session, struct cordon_function *function,
                                  const struct cordon_value *args, size_t count);

/* Fail unless @outcome is @expected, with the result's sentence. */
void harness_expect(int outcome, int expected, const struct cordon_result *result);

/* Wait for a condition, up to @ms. Returns whether it came. */
bool harness_wait(bool (*condition)(void *context), void *context, uint32_t ms);

/* True while @thread of this process waits in the kernel for a futex, as callers do for their answer. */
bool harness_thread_waits(int thread);

/* True if no process of this id exists any more (a zombie does not exist). */
bool harness_process_gone(int pid);

/*
 * Ids of living processes called @name ("cordon-keeper", "cordon-worker") that descend from process
 * @ancestor. Returns how many were found; at most @room are written.
 */
size_t harness_descendants(int ancestor, const char *name, int *ret_pids, size_t room);

/* Path of the library of misbehaving functions; the case is skipped when this build has none. */
const char *harness_faults(void);

#define HARNESS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
