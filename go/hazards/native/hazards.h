/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A library that does what libraries do to programs in Go: it sleeps, spins, takes signals, ends
 * the process, crashes. Each function is called twice, by cgo (before/) and behind Cordon (after/).
 */
#pragma once

#pragma GCC visibility push(default)

/* Sleep, signals or not. Returns 0. */
int hazard_sleep(int milliseconds);

/* How many threads are in hazard_sleep() now. */
int hazard_sleeping(void);

/* Read a byte of a descriptor, and wait for it. Returns how many came: 0 at its end. */
int hazard_read(int fd);

/*
 * Handle a signal, as libraries do: without SA_ONSTACK, and whoever handled it before is called
 * after it if @chain is not 0. Returns 0, or -1.
 */
int hazard_take_signal(int number, int chain);

/* How often the handler ran. */
int hazard_taken(void);

/* Have a signal ignored, or do what it does by default. Returns 0, or -1. */
int hazard_ignore(int number);
int hazard_default(int number);

/* Send this thread a signal. Returns 0, or -1. */
int hazard_raise(int number);

/* Write to address 0. */
int hazard_crash(void);

/* exit(7). */
int hazard_exit(void);

/* Never return. */
int hazard_spin(void);

/* How often the loops of hazard_spin() went round. */
unsigned long hazard_rounds(void);

/*
 * A text of a library's own. What was freed is overwritten, as its next owner would do, but stays
 * mapped, so that reading it tells.
 */
struct hazard_text;
struct hazard_text *hazard_text_new(const char *text);
const char *hazard_text_read(struct hazard_text *text);
void hazard_text_free(struct hazard_text *text);

/* How many were freed. */
int hazard_freed(void);

#pragma GCC visibility pop
