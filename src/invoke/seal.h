/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_SEAL_H
#define INVOKE_SEAL_H

/*
 * Seal: from some moment on an engine learns nothing new. Functions that are bound can be called, objects of
 * types that were declared can be made, and that is all: for callers who shall not choose what a library is
 * asked for (docs/protocol/attach.md).
 *
 * Life: all zero is open. Threads: one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"

struct engine;
struct seal_type;

struct seal {
    bool closed;
    struct seal_type *types; /* declared; owned */
};

void seal_deinit(struct seal *seal);

/* Declare the type that the plan at @bytes describes. -EPERM: closed. */
int seal_declare(struct seal *seal, const void *bytes, size_t length, struct message *why);

/* May an object of the type at @bytes be made? 0, or -EPERM. */
int seal_allows_type(const struct seal *seal, const void *bytes, size_t length,
                     struct message *why);

/* May @bytes be bound as @id? 0; -EPERM: closed, and that is not bound there already. */
int seal_allows_binding(const struct engine *engine, uint64_t id, const void *bytes, size_t length,
                        struct message *why);

#endif
