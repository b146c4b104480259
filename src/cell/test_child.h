/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_TEST_CHILD_H
#define CELL_TEST_CHILD_H

/*
 * A test's body in a process of its own: with the fault signals as a program starts with them (cmocka
 * takes them for itself), a time limit, and any end observable.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 20u
#define CHILD_FAILED  99

/* Like assert, in the child: says where and ends it. */
#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);              \
            _exit(CHILD_FAILED);                                                                   \
        }                                                                                          \
    } while (0)

static inline void child_signals_default(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void)signal(signals[i], SIG_DFL);
    }
}

/* Run @body in a child. Returns its wait status: 0 when the body came back. */
static inline int in_child(void (*body)(void))
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        child_signals_default();
        (void)alarm(CHILD_SECONDS);
        body();
        _exit(0);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

#endif
