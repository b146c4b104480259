/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

/*
 * Landlock: which files a process may open, which ports it may reach, whom it may signal.
 *
 * What is refused answers EACCES. It restricts the calling thread and those it makes later, so it is
 * applied while there is one. Descriptors that are open already stay usable.
 *
 * landlock.c where the build's headers know Landlock, landlock_absent.c elsewhere.
 */

#include <stdbool.h>

struct landlock_wish {
    bool all_files;      /* read and write everywhere; else read what libraries need */
    bool network;        /* TCP as well */
    const char *library; /* path or soname: its folder may be read; may be empty */
};

/* Version of the kernel's interface; 0: none. */
int landlock_version(void);

/* Restrict this thread. Needs no_new_privs or CAP_SYS_ADMIN. 0 or a negative errno. */
int landlock_apply(const struct landlock_wish *wish);

#endif
