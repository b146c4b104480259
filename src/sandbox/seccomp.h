/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECCOMP_H
#define SANDBOX_SECCOMP_H

/*
 * Seccomp: which system calls a worker may make. The filter is compiled when Cordon is built, and made
 * to fit policy and process here (compose.h). A system call that the build did not know answers ENOSYS.
 */

#include <stdbool.h>

#include "policy/policy.h"

struct seccomp_wish {
    const struct policy *policy;
    bool listener;      /* have one, or fail */
    int landlock;       /* version of Landlock in force; 0: none */
    bool opens_nothing; /* once loaded: see seccomp_close_opening() */
    unsigned alarm_call;
};

/*
 * Set the filter, before foreign code runs. Needs no_new_privs. @ret_listener is the caller's to close;
 * -1: none was wished for, and what is forbidden answers EPERM. Returns 0 or a negative errno.
 */
int seccomp_enter(const struct seccomp_wish *wish, int *ret_listener);

/*
 * Close opening files, for every thread of the process. @listened: the listener of seccomp_enter(), which was
 * told of `opens_nothing` and is there, refuses by itself and knows what: closed is what does not come to it.
 * -ESRCH: a thread could not be reached.
 */
int seccomp_close_opening(bool listened);

#endif
