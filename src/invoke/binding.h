/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_BINDING_H
#define INVOKE_BINDING_H

/*
 * Binding: a function of the library with its plan, named by an id that the caller chose. Made
 * once, it stays as long as its table, so that trampolines and crash notes may refer to it.
 *
 * Threads: one.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "invoke/direct.h"
#include "invoke/shape.h"
#include "prototype/plan.h"

struct binding {
    uint32_t id;
    void (*code)(void);
    const char *name;
    const struct plan *plan; /* own copy */
    size_t plan_bytes;
    struct shapes *shapes;
    struct direct direct;
    size_t result_bytes; /* room that ffi_call needs for the result */
    bool releases;       /* a parameter's handle ends with the call */
    bool takes_list;     /* a parameter is a va_list */
};

/* By id, which is below LIMIT_FUNCTIONS. */
struct bindings {
    struct binding **by_id; /* NULL where nothing is bound */
    uint32_t count;
};

/* Where symbols come from: engine_config.resolve and explain. */
struct symbols {
    void *context;
    void *(*resolve)(void *context, const char *symbol);
    void (*explain)(void *context, const char *symbol, struct message *why); /* may be NULL */
};

/* Address of the function @name as code; NULL: no such symbol. */
void (*symbols_code(const struct symbols *symbols, const char *name))(void);

/*
 * Bind @id to the function that the plan at @bytes describes; the bytes are copied.
 *
 * Returns 0, also when the same plan is bound there already, -EEXIST (another one is), -E2BIG
 * (LIMIT_FUNCTIONS), -ENOENT (no such function in the library, or none that frees what it gives),
 * what plan_validate() says, -ENOTSUP, -ENOMEM, with @why.
 */
int bindings_add(struct bindings *bindings, uint32_t id, const void *bytes, size_t length,
                 const struct symbols *symbols, struct message *why);

/* The binding of @plan, which must be one of the table's. */
struct binding *bindings_of_plan(const struct bindings *bindings, const struct plan *plan);

static inline struct binding *bindings_find(const struct bindings *bindings, uint32_t id)
{
    return id < bindings->count ? bindings->by_id[id] : NULL;
}

void bindings_deinit(struct bindings *bindings);

#endif
