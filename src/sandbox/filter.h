/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

/* What the generator of filters and the code that sets them agree on. */

#include <stdint.h>

#define FILTER_OWN_PID   0x7fedcba9u /* stands for the process's own id, above every pid_max */
#define FILTER_COUNT_MAX 1536u       /* instructions of one filter, what is put in front included */

/* Newer system calls are answered ENOSYS, as on an older kernel: nobody has judged them. */
#define FILTER_NEWEST 450u /* set_mempolicy_home_node */

/*
 * Why a call is asked about. A question is a SECCOMP_RET_TRACE whose data name class and call; it
 * never reaches the kernel: an answer is put in its place first.
 */
enum filter_class {
    FILTER_FORBIDDEN = 1, /* only by its own name */
    FILTER_UNREADABLE,    /* the same; answers ENOSYS */
    FILTER_PROCESSES,
    FILTER_THREADS,
    FILTER_SIGNALS, /* to others */
    FILTER_MAKES_FILES,
    FILTER_MARKS_FILES,
    FILTER_OPEN_WRITING,
    FILTER_CONNECTS,
    FILTER_BINDS,
    FILTER_LISTENS,
    FILTER_FAST_OPEN,
    FILTER_EXITS,
};

static inline uint32_t filter_question(enum filter_class class, uint32_t number)
{
    return (uint32_t) class << 10 | number;
}

static inline enum filter_class filter_question_class(uint32_t data)
{
    return (enum filter_class)(data >> 10);
}

static inline uint32_t filter_question_number(uint32_t data)
{
    return data & 0x3ffu;
}

#endif
