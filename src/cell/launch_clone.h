/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_LAUNCH_CLONE_H
#define CELL_LAUNCH_CLONE_H

/*
 * What launches share (launch.c says how it works): clones that run in this process's memory while their
 * parent stands still. What is CHILD_SIDE makes system calls only: another thread may hold any lock.
 */

/* Children of a vfork-style clone run while their parent's frames are asleep: no instrumentation that
 * keeps books per thread. */
#define CHILD_SIDE __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

/*
 * clone(2) with a stack and a function for the child. Not glibc's clone(), which sanitizers and
 * preloaded libraries may wrap. The child's frame is a fresh one: it never returns into ours.
 */
CHILD_SIDE long launch_clone_onto(unsigned long flags, unsigned char *stack_end, int *ret_pidfd,
                                  void (*function)(void *argument), void *argument);

/* The defaults, and nothing blocked. */
CHILD_SIDE void launch_reset_signals(void);

/* @fd under @number, without CLOEXEC; -1: nothing there. Returns 0, or a negative errno. */
CHILD_SIDE int launch_place_fd(int fd, int number);

/*
 * Run @function(@argument) in a go-between, on the stack that ends at @stack_end, and wait until it is
 * gone: all signals are blocked meanwhile. It shares memory and descriptors with this process.
 * Returns 0, or a negative errno: it has not run.
 */
int launch_between(void (*function)(void *argument), void *argument, unsigned char *stack_end);

#endif
