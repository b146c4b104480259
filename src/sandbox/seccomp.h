/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECCOMP_H
#define SANDBOX_SECCOMP_H

/*
 * Seccomp: which system calls a worker may make. The filters are compiled when Cordon is built
 * (generate_filters.c says what they forbid, and why); here they are fitted to this process and set.
 *
 * What is forbidden answers EPERM; a system call that the build did not know answers ENOSYS.
 */

#include <stdbool.h>

#include "lane/errand.h"

/*
 * Stage one, before foreign code runs. @files_guarded: Landlock decides about opening files; without
 * it, opening for writing is refused by flags. Needs no_new_privs. 0 or a negative errno.
 */
int seccomp_enter(enum errand_policy policy, bool files_guarded);

/*
 * Stage two, when the library is loaded: takes away what only loading needed, from every thread of
 * the process (constructors may have made some). -ESRCH: a thread could not be reached.
 */
int seccomp_seal(enum errand_policy policy);

#endif
