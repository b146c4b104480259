/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_EXITS_H
#define CELL_EXITS_H

/*
 * Exits: a library of this process (thread, inline) that ends the program, or the thread, by exit(),
 * _exit(), _Exit(), quick_exit() or pthread_exit(). Where the library itself calls one of them in a guarded
 * run, only that run ends, as FAULT_HIT with `exited`: no handler of atexit() has run, nothing is flushed or
 * destroyed. On any other thread, and in a callback, the call does what it always does.
 *
 * It is done by the library's own table of functions, in which these names get functions of ours. What the
 * library calls that calls them (err(), libraries it depends on), and what it does in its constructors, is
 * not caught.
 *
 * Threads: any.
 */

/* For a loaded library, as dlopen() gave it. Idempotent. Best effort: what cannot be had stays as it is. */
void exits_catch(void *handle);

/* What is to be called instead of @address: another address, or the same. */
void *exits_instead(void *address);

#endif
