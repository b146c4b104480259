/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_PROCESS_H
#define KEEPER_PROCESS_H

/*
 * Process: what /proc tells of a worker, found by its pidfd, so that no stranger is ever meant: while
 * it is not reaped, its number is nobody else's.
 *
 * /proc may be of an outer PID namespace: a process has another number there than here.
 *
 * Threads: any.
 */

#include <stdint.h>
#include <sys/types.h>

/* Its number in the /proc that this process reads, or a negative errno. Stays until it is reaped. */
int process_number(int pidfd);

/* The folder of the process in /proc, as a descriptor (O_PATH), or a negative errno. */
int process_open(int pidfd);
int process_open_number(int number);

struct process_thread {
    pid_t id;      /* as this process sees ids */
    int number;    /* in /proc */
    char name[16]; /* its own word */
};

/* Threads of a process by its folder. Returns how many, at most @most, or a negative errno. */
int process_threads(int process, struct process_thread *ret_threads, uint32_t most);

/* Where a thread stands that sleeps in the kernel. 0, or a negative errno: it runs, or /proc does not tell. */
int process_thread_place(int process, int number, uint64_t *ret_stack, uint64_t *ret_place);

/* Physical memory that it has now. 0, or a negative errno: /proc does not tell. */
int process_resident(int pidfd, uint64_t *ret_bytes);

#endif
