/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_PROVISION_H
#define SERVE_PROVISION_H

/*
 * Provision: what a worker whose lane is a client's does before its first call (lane/provision.h). A process maps it
 * before foreign code runs, and executes it behind the library's constructors, in the finished sandbox; a thread of
 * the lender's own maps and executes it before it serves.
 */

#include <stdint.h>

#include "base/message.h"

struct engine;

struct provision {
    const void *memory; /* NULL: there is none */
    uint64_t bytes;
};

/* Judge and map the memory @fd, and close that. */
int provision_map(struct provision *provision, int fd, struct message *why);

/* Unmap it unexecuted. */
void provision_forget(struct provision *provision);

/* Execute all of it, and unmap it. Returns 0, or what the first record that has to succeed came to. */
int provision_execute(struct provision *provision, struct engine *engine, struct message *why);

#endif
