/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

/*
 * Landlock: which files a process may open, which ports it may reach, whom it may signal.
 *
 * What is refused answers EACCES. It restricts the calling thread and those it makes later, so it is
 * applied while there is one. Descriptors that are open already stay usable. Two layers: what loading
 * reads and the grants, from before foreign code runs; the grants alone, from when it is loaded.
 *
 * landlock.c where the build's headers know Landlock, landlock_absent.c elsewhere.
 */

#include "policy/policy.h"

#define LANDLOCK_PORTS 4 /* the version that looks at TCP ports */

/* Version of the kernel's interface; 0: none. */
int landlock_version(void);

/*
 * Restrict this thread to what the policy grants and loading @library (a path or soname, may be empty)
 * needs. Needs no_new_privs or CAP_SYS_ADMIN. 0 or a negative errno.
 */
int landlock_enter(const struct policy *policy, const char *library);

/*
 * The second layer: made, and its paths found, before foreign code runs, and applied behind it.
 * prepare: a descriptor that the caller owns; -1: the policy limits no files; or another negative errno
 * in @ret_fd's place: returns 0 or it.
 */
int landlock_prepare_seal(const struct policy *policy, int *ret_fd);
int landlock_seal(int fd);

#endif
