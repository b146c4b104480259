/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_CALLBACK_H
#define CELL_CALLBACK_H

/*
 * Callbacks of a session: which number means which function of the host, by which shape its frames are
 * read, and which outer call's parameters are in scope. The worker knows the number alone.
 *
 * Entries live as long as their call; those of parameters that the library keeps, as long as the
 * session's worker.
 *
 * Threads: the session's holder.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "cell/station.h"
#include "cordon/callback.h"
#include "prototype/plan.h"

#define CALLBACKS_MAX 1024u

struct cordon_callback {
    cordon_callback_function *function;
    void *context;
    _Atomic uint32_t references; /* its owner, and entries */
    _Atomic bool freed;          /* by its owner */
};

void callback_release(struct cordon_callback *callback);

struct callback_entry {
    struct cordon_callback *callback; /* NULL: free */
    const struct plan *plan;
    uint32_t function;
    bool kept;
    const uint64_t *outer_words; /* of the call in whose scope it runs; NULL: none yet */
    uint64_t *own_words;         /* a kept one's copy of them, for later calls */
};

struct callback_table {
    struct callback_entry *entries;
    uint32_t count;
};

/* Number for @callback with shape @function of @plan: a kept one's old number, or a new one. */
int callback_table_add(struct callback_table *table, struct cordon_callback *callback,
                       const struct plan *plan, uint32_t function, uint32_t *ret_id,
                       struct message *why);

/*
 * A call that passed @ids may call back from now on: @words, its own and lent until the leave, are what
 * lengths that name the outer call's parameters mean. @ret_before: what they meant until now.
 */
void callback_table_enter(struct callback_table *table, const uint32_t *ids, uint32_t count,
                          const uint64_t *words, const uint64_t **ret_before);

/* It no longer may. @nested: the scope from before is back; else the words stay with what is kept. */
void callback_table_leave(struct callback_table *table, const uint32_t *ids, uint32_t count,
                          const uint64_t *const *before, bool nested);

/* The call is over: forget those of its entries that are not kept. */
void callback_table_end(struct callback_table *table, const uint32_t *ids, uint32_t count);

/* Entry of @id, or NULL: the worker invented it. */
struct callback_entry *callback_table_find(struct callback_table *table, uint32_t id);

/* True if any entry lives. */
bool callback_table_is_used(const struct callback_table *table);

void callback_table_clear(struct callback_table *table);

#endif
