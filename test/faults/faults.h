/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FAULTS_H
#define TEST_FAULTS_H

/*
 * Functions that misbehave, one file and one misdeed each. All are `int fault_NAME(int value)`; those
 * that come back at all return @value. libfaults.so holds all of them; unit tests compile them in.
 */

#define FAULT_EXPORT __attribute__((visibility("default")))

FAULT_EXPORT int fault_none(int value);        /* behaves */
FAULT_EXPORT int fault_null_read(int value);   /* SIGSEGV at 0 */
FAULT_EXPORT int fault_null_write(int value);  /* SIGSEGV at 0 */
FAULT_EXPORT int fault_wild_write(int value);  /* SIGSEGV at an address that no process has */
FAULT_EXPORT int fault_code_write(int value);  /* SIGSEGV: writes into its own code */
FAULT_EXPORT int fault_bus(int value);         /* SIGBUS: a mapped file without content */
FAULT_EXPORT int fault_fpe(int value);         /* SIGFPE: division by zero */
FAULT_EXPORT int fault_ill(int value);         /* SIGILL */
FAULT_EXPORT int fault_abort(int value);       /* SIGABRT by abort() */
FAULT_EXPORT int fault_double_free(int value); /* SIGABRT by the allocator */
FAULT_EXPORT int fault_overflow(int value);    /* SIGSEGV: endless recursion */
FAULT_EXPORT int fault_raise_segv(int value);  /* SIGSEGV sent to its own thread */
FAULT_EXPORT int fault_kill_self(int value);   /* SIGKILL to its process */
FAULT_EXPORT int fault_spin(int value);        /* never returns, all CPU */
FAULT_EXPORT int fault_pause(int value);       /* never returns, no CPU */
FAULT_EXPORT int fault_exit7(int value);       /* exit(7) */
FAULT_EXPORT int fault_quick_exit7(int value); /* _exit(7) */

#endif
