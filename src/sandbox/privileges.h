/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_PRIVILEGES_H
#define SANDBOX_PRIVILEGES_H

/*
 * Privileges: what a process may still do because of who it is. Giving them up is final.
 *
 * Threads: call while the process has one.
 */

#include <stdbool.h>

/* The user and group that a worker becomes when it was started as root: nobody, nogroup. */
#define PRIVILEGES_NOBODY 65534u

/* No program run from here on has more rights than this process. 0 or a negative errno. */
int privileges_forbid_new(void);

/*
 * Become an ordinary user if this process is root: no supplementary groups, nobody's ids. Clears
 * PDEATHSIG (the kernel does). 0 also when nothing had to be done, or a negative errno.
 */
int privileges_leave_root(void);

/* Whether that would succeed. */
bool privileges_can_leave_root(void);

/* Give up every capability, of this user namespace too. 0 or a negative errno. */
int privileges_drop_capabilities(void);

#endif
