/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FAULTS_H
#define TEST_FAULTS_H

/*
 * Functions that misbehave, one file and one misdeed each. All are `int fault_NAME(int value)` unless they are
 * declared otherwise. libfaults.so holds all of them; unit tests compile some in. What misbehaves while it is
 * loaded is a library of its own, ctor_NAME.c.
 *
 * Those that only misbehave return @value, if they come back at all. Forbidden acts return how many of their
 * attempts succeeded. What is aimed at the lane returns @value or 0.
 */

#include <stddef.h>

#define FAULT_EXPORT __attribute__((visibility("default")))

FAULT_EXPORT int fault_none(int value);        /* behaves */
FAULT_EXPORT int fault_null_read(int value);   /* SIGSEGV at 0 */
FAULT_EXPORT int fault_null_write(int value);  /* SIGSEGV at 0 */
FAULT_EXPORT int fault_wild_write(int value);  /* SIGSEGV at an address that no process has */
FAULT_EXPORT int fault_code_write(int value);  /* SIGSEGV: writes into its own code */
FAULT_EXPORT int fault_bus(int value);         /* SIGBUS: a mapped file without content */
FAULT_EXPORT int fault_fpe(int value);         /* SIGFPE: division by zero */
FAULT_EXPORT int fault_ill(int value);         /* SIGILL */
FAULT_EXPORT int fault_trap(int value);        /* SIGTRAP: a breakpoint */
FAULT_EXPORT int fault_bad_call(int value);    /* SIGSYS by a filter, which the thread keeps */
FAULT_EXPORT int fault_abort(int value);       /* SIGABRT by abort() */
FAULT_EXPORT int fault_double_free(int value); /* SIGABRT by the allocator */
FAULT_EXPORT int fault_overflow(int value);    /* SIGSEGV: endless recursion */
FAULT_EXPORT int fault_raise_segv(int value);  /* SIGSEGV sent to its own thread */
FAULT_EXPORT int fault_kill_self(int value);   /* SIGKILL to its process */
FAULT_EXPORT int fault_spin(int value);        /* never returns, all CPU */
FAULT_EXPORT int fault_pause(int value);       /* never returns, no CPU */
FAULT_EXPORT int fault_exit7(int value);       /* exit(7) */
FAULT_EXPORT int fault_quick_exit7(int value); /* _exit(7) */

/* More that goes wrong. */
FAULT_EXPORT int fault_wild_jump(int value);
FAULT_EXPORT int fault_heap_overflow(int value);
FAULT_EXPORT int fault_use_after_free(int value);
FAULT_EXPORT int fault_assertion(int value);
FAULT_EXPORT int fault_thread_exit(int value);  /* ends the calling thread by a system call */
FAULT_EXPORT int fault_pthread_exit(int value); /* ... as libc does, by unwinding */
FAULT_EXPORT int fault_spin_blocked(int value); /* never returns, all signals blocked */
FAULT_EXPORT int fault_deadlock(int value);
FAULT_EXPORT int fault_sleep(int value);
FAULT_EXPORT int fault_stop(int value);     /* SIGSTOP to its process */
FAULT_EXPORT int fault_handlers(int value); /* takes all signals, then faults: for ever */
FAULT_EXPORT int fault_jump_out(int value); /* the second call */
FAULT_EXPORT int fault_storm(int (*callback)(int value), int value); /* calls back for ever */

/* What uses up; bounded, so that a machine survives where nothing stops it. */
FAULT_EXPORT int fault_fork_bomb(int value);
FAULT_EXPORT int fault_thread_bomb(int value);
FAULT_EXPORT int fault_memory_bomb(int value); /* 512 MiB */
FAULT_EXPORT int fault_leak(int value);        /* 32 MiB a call; returns 0 */
FAULT_EXPORT int fault_fd_leak(int value);     /* returns 0 */

/* Forbidden acts. */
FAULT_EXPORT int fault_close_all(int value); /* descriptors; returns 0 */
FAULT_EXPORT int fault_print(int value);     /* returns 0 */
FAULT_EXPORT int fault_take_stderr(int value);
FAULT_EXPORT int fault_kill_parent(int value);
FAULT_EXPORT int fault_kill_group(int value);
FAULT_EXPORT int fault_kill_everyone(int value); /* only in a PID namespace of the test's own */
FAULT_EXPORT int fault_trace(int value);
FAULT_EXPORT int fault_open_file(int value);
FAULT_EXPORT int fault_write_file(int value);
FAULT_EXPORT int fault_connect_out(int value);
FAULT_EXPORT int fault_listen_in(int value);
FAULT_EXPORT int fault_abstract_socket(int value);
FAULT_EXPORT int fault_path_socket(int value);
FAULT_EXPORT int fault_shell(int value);
FAULT_EXPORT int fault_set_limits(int value);
FAULT_EXPORT int fault_uring(int value);
FAULT_EXPORT int fault_user_faults(int value);
FAULT_EXPORT int fault_doorbell(int value); /* fills the host's eventfd; -1: it has none */

/* At the lane (lane_memory.h). */
FAULT_EXPORT int fault_lane_request(int value);
FAULT_EXPORT int fault_lane_scan(int value);
FAULT_EXPORT int fault_lane_shrink(int value);
FAULT_EXPORT int fault_lane_punch(int value);
FAULT_EXPORT int fault_lane_unmap(int value);
FAULT_EXPORT int fault_lane_scribble(int value);
FAULT_EXPORT int fault_lane_rewrite(unsigned char *bytes, size_t count, int value);
FAULT_EXPORT int fault_lane_twice(int value);
FAULT_EXPORT int fault_lane_before(int value);
FAULT_EXPORT int fault_lane_lengths(int value);
FAULT_EXPORT int fault_lane_offsets(int value);
FAULT_EXPORT int fault_lane_states(int value);
FAULT_EXPORT int fault_lane_verbs(int value);
FAULT_EXPORT void *fault_lane_handle(int value);
FAULT_EXPORT int fault_lane_use(const void *object);
FAULT_EXPORT int fault_lane_silence(int value);
FAULT_EXPORT int fault_lane_callback(int value);
FAULT_EXPORT int fault_lane_death(int value); /* behind step @value, 0 to 7 */
FAULT_EXPORT int fault_lane_orphan(int value);

#endif
