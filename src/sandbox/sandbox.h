/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

/*
 * Sandbox: everything that a worker gives up, in the order that works.
 *
 * Entered completely before the library is loaded, because constructors are the library's code;
 * sealed when it is loaded. Each mechanism asked for is in force afterwards, or the call fails.
 *
 * Threads: enter while the process has one.
 */

#include <stdint.h>

#include "base/message.h"
#include "lane/errand.h"

struct sandbox_wish {
    enum errand_policy policy;
    uint32_t mechanisms;   /* enum errand_mechanism */
    uint64_t memory_bytes; /* address space beyond what is mapped now; 0: no limit */
    const char *library;   /* soname or path, may be empty */
};

/*
 * Three steps: become an ordinary user (before what such a change undoes: PDEATHSIG), enter, seal.
 * Each returns 0, or a negative errno with the mechanism that could not be had in @why.
 */
int sandbox_leave_root(const struct sandbox_wish *wish, struct message *why);
int sandbox_enter(const struct sandbox_wish *wish, struct message *why);
int sandbox_seal(const struct sandbox_wish *wish, struct message *why);

#endif
