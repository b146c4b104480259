/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

/*
 * Sandbox: everything that a worker gives up, in the order that works.
 *
 * Entered completely before the library is loaded, because constructors are the library's code;
 * sealed when it is loaded. Each mechanism asked for is in force afterwards, or the call fails.
 *
 * What bounds a hostile library is what was entered: its constructors need not return, and could do
 * themselves what sealing would follow. Sealing takes from honest libraries what they need no more.
 *
 * Threads: enter while the process has one.
 */

#include <stdint.h>

#include "base/message.h"
#include "lane/errand.h"
#include "policy/policy.h"

struct sandbox_wish {
    const struct policy *policy;
    uint32_t mechanisms; /* enum errand_mechanism */
    const char *library; /* soname or path, may be empty */
    unsigned alarm_call; /* system call that only the listener sees */
};

/* What sandbox_seal() needs; make it with SANDBOX_NONE. */
struct sandbox {
    int listener; /* of the filter, the caller's to pass on and close; -1: none */
    int seal;     /* the second layer of Landlock; -1: none */
};
#define SANDBOX_NONE                                                                               \
    {                                                                                              \
        -1, -1                                                                                     \
    }

/*
 * Three steps: become an ordinary user (before what such a change undoes: PDEATHSIG), enter, seal.
 * Each returns 0, or a negative errno with the mechanism that could not be had in @why.
 */
int sandbox_leave_root(const struct sandbox_wish *wish, struct message *why);
int sandbox_enter(const struct sandbox_wish *wish, struct sandbox *sandbox, struct message *why);
int sandbox_seal(const struct sandbox_wish *wish, struct sandbox *sandbox, struct message *why);

#endif
