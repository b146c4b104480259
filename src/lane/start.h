/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_START_H
#define LANE_START_H

/*
 * Start: what a keeper tells a worker that it is about to become, and what the worker answers.
 *
 * Both are one message each on the start socket (SOCK_SEQPACKET), which is closed as soon as the
 * answer is sent. The keeper believes the worker's answer no further than "it answered": a library's
 * constructor could have sent it.
 */

#include <stdint.h>

#include "lane/errand.h"

#define START_MAGIC   0x54525453u
#define START_VERSION 5u

/* Numbers that the keeper's fds have after exec. 0: /dev/null, 1 and 2: the host's standard error. */
enum keeper_fd {
    KEEPER_FD_SOCKET = 3,     /* errands */
    KEEPER_FD_PROGRAM = 4,    /* of the worker, to be executed */
    KEEPER_FD_HOST = 5,       /* pidfd of the host; may be missing */
    KEEPER_FD_SYMBOLIZER = 6, /* the program that writes reports; may be missing */
    KEEPER_FD_END = 7,
};

/* Its arguments: in which namespaces it was made, and what it has to do without; both in hexadecimal. */
enum keeper_argument {
    KEEPER_ARGUMENT_NAMESPACES = 1,
    KEEPER_ARGUMENT_WITHOUT = 2,
    KEEPER_ARGUMENT_COUNT = 3,
};

/*
 * Instead of namespaces: this keeper tries what the platform has (lane/examination.h), answers with one
 * message in place of the hello, and ends.
 */
#define KEEPER_EXAMINES "examine"

/* Numbers that the worker's fds have after exec. 0: /dev/null, 1 and 2: the host's standard error. */
enum start_fd {
    START_FD_H = 3,
    START_FD_W = 4,
    START_FD_SOCKET = 5,
    START_FD_EVENT = 6,     /* ERRAND_HAS_EVENT */
    START_FD_ARENA = 7,     /* ERRAND_HAS_ARENA */
    START_FD_PROVISION = 8, /* ERRAND_HAS_PROVISION */
    START_FD_END = 9,
};

struct start_order {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;      /* enum errand_flags */
    uint32_t mechanisms; /* enum errand_mechanism: all of these, or the start fails */
    uint32_t keeper_pid; /* as getppid() has to say it */
    uint32_t h_bytes;
    uint32_t w_bytes;
    uint64_t arena_base;
    uint64_t arena_bytes;
    struct policy policy;
    char library[ERRAND_LIBRARY_BYTES]; /* sent up to its NUL */
};

/*
 * The answer: one byte; after START_REFUSED an errno in one byte, and a sentence without NUL.
 *
 * START_LISTENER may come before it, once, sent before foreign code runs: one byte with one descriptor
 * (SCM_RIGHTS), the listener of the worker's seccomp filter. The keeper sends nothing back, and what
 * stands in the kernel until it looks simply waits. None comes where no listener can be had.
 *
 * START_LISTENER_HERE instead, where too many descriptors of the worker's user are in flight (ETOOMANYREFS, which any
 * process of that user can bring about): the descriptor's number in one byte. The keeper takes it, and answers
 * one byte: 0, or an errno. The worker waits for that.
 */
enum start_answer {
    START_LOADED = 'L',
    START_REFUSED = 'R',
    START_LISTENER = 'N',
    START_LISTENER_HERE = 'H',
};
#define START_ANSWER_BYTES 512u

/*
 * The system call by which a worker tells of its crash (lane/alarm.h): (signal, siginfo_t *, ucontext_t *,
 * enum start_alarm, fault address). Its number stands in no kernel's table, on no architecture: without a
 * listener it answers ENOSYS.
 */
#define START_ALARM_CALL 41000u
enum start_alarm {
    START_ALARM_ADDRESS = 1u << 0, /* it is about memory: the address means something */
    START_ALARM_WRITING = 1u << 1, /* as far as the machine tells */
    START_ALARM_EXECUTING = 1u << 2,
};

/* Exit status of a worker that could not start. */
#define START_EXIT_REFUSED 120
/* Of one that ends itself (enum lane_leaving). A library may end its worker by the same: W tells them apart. */
#define START_EXIT_BROKEN_LANE 121
#define START_EXIT_ABANDONED   122

#endif
