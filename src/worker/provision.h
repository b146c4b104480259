/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_PROVISION_H
#define WORKER_PROVISION_H

/*
 * Provision: what a worker whose lane is a client's does before its first call (lane/provision.h). It is
 * mapped before foreign code runs, and executed behind the library's constructors, in the finished sandbox.
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

/* Execute all of it, and unmap it. Returns 0, or what the first record that has to succeed came to. */
int provision_execute(struct provision *provision, struct engine *engine, struct message *why);

#endif
