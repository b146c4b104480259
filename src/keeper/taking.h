/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_TAKING_H
#define KEEPER_TAKING_H

/*
 * Taking: a capture in the making, behind the verdict and before the kill. The threads are stopped by
 * ptrace; while one after the other stops, the keeper goes on serving others.
 *
 * Life: begun with a reason; perhaps told of a crash by the thread that had it; threads stopped; each
 * taken when it stands; ended. What cannot be had leaves a sentence.
 *
 * Threads: the keeper's only one. Nothing is allocated.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/listener.h"
#include "keeper/process.h"
#include "lane/keeper.h"
#include "report/capture.h"

#define TAKING_PATIENCE_NS 50000000ull /* for all threads to stand */

struct taking_subject {
    pid_t pid;
    int process; /* its folder in /proc; -1: not known */
    const struct lane_ward *lane;
};

enum taking_state {
    TAKING_RUNS = 0, /* nobody stopped it */
    TAKING_WAITS,    /* it will stand soon */
    TAKING_TAKEN,
};

struct taking_thread {
    struct process_thread is;
    enum taking_state state;
};

struct taking {
    struct capture capture;
    int fd;          /* owned; -1: not begun */
    uint32_t missed; /* reports of its cell that it tells of */
    pid_t pid;
    uint32_t thread_count;
    uint32_t waiting; /* threads in TAKING_WAITS */
    struct taking_thread threads[CAPTURE_THREADS_MAX];
};

/* 0, or a negative errno: there is no memory for it. */
int taking_begin(struct taking *taking, const struct taking_subject *subject,
                 const struct capture_reason *reason);

/* What the handler of a crash handed over; read with listener_waits() true afterwards. */
struct taking_alarm {
    int signal; /* 1-64, or 0: it lied */
    bool has_siginfo;
    bool has_context;
    int code;
    uint64_t address; /* fault; meaningful for SIGSEGV, SIGBUS */
    _Alignas(16) uint8_t siginfo[128];
    _Alignas(16) uint8_t context[1024]; /* as much of ucontext_t as it takes to know registers */
};
void taking_read_alarm(const struct notice *notice, struct taking_alarm *ret_alarm);

/* Registers, stack, siginfo, and what lies around the fault. */
void taking_add_alarm(struct taking *taking, pid_t thread, const struct taking_alarm *alarm);

/* The thread that makes a call which the listener was told of, as far as can be seen without stopping it. */
void taking_add_standing(struct taking *taking, int process, const struct notice *notice);

/* Stop all threads. True: some will stand soon, taking_stopped() is to be told. */
bool taking_stop(struct taking *taking, bool may_trace);

/* A thread stands. True: it is one of these. */
bool taking_stopped(struct taking *taking, pid_t thread, pid_t blamed);

/* Returns the capture, which the caller owns from now on, or a negative errno. */
int taking_end(struct taking *taking);

#endif
