/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_LISTENER_H
#define KEEPER_LISTENER_H

/*
 * Listener: where the kernel tells of system calls that a worker's filter did not let pass. The calling
 * thread stands in the kernel until it is answered.
 *
 * Threads: the keeper's only one.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LISTENER_ARGUMENTS 6u

/* One system call that waits for an answer. All but @id and @thread is the worker's word. */
struct notice {
    uint64_t id;
    pid_t thread; /* as this process sees ids; 0: it sees it not */
    uint32_t system_call;
    uint32_t architecture; /* AUDIT_ARCH_* */
    uint64_t instruction;
    uint64_t arguments[LISTENER_ARGUMENTS];
};

/* Ask the kernel how it does it. Once. False: it does not. */
bool listener_init(void);

/*
 * Make a descriptor ready that a worker sent. 0, or -EBADMSG: it is no listener. From then on it is
 * readable while something waits.
 */
int listener_accept(int fd);

/*
 * Receive one that waits. Never waits itself. 0; -EAGAIN: nothing waits; -ENOENT: it has ended meanwhile;
 * -EPIPE: nobody is left under the filter.
 */
int listener_receive(int fd, struct notice *ret_notice);

/* True while the thread still waits: what was read from it since was its own. */
bool listener_waits(int fd, const struct notice *notice);

/* Let it fail with @error, or go on. The thread may have ended meanwhile, then nothing happens. */
void listener_refuse(int fd, const struct notice *notice, int error);
void listener_let(int fd, const struct notice *notice);

#endif
