/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_ATTEMPT_H
#define SANDBOX_ATTEMPT_H

/*
 * Attempts: each tries one mechanism on the calling thread, for real, and says how that ended: 0 or a
 * negative errno. What is done cannot be undone: call in a child that ends afterwards.
 */

/* Afterwards the other attempts are allowed to an ordinary user. */
int attempt_no_new_privs(void);

/* A domain that forbids to make device files, and nothing else. */
int attempt_landlock(void);

/*
 * A filter that allows everything. @flags: of SECCOMP_SET_MODE_FILTER; with NEW_LISTENER the descriptor
 * is closed again.
 */
int attempt_filter(unsigned flags);

/* This one undoes itself. */
int attempt_guard_pages(void);

#endif
