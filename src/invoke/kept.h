/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_KEPT_H
#define INVOKE_KEPT_H

/*
 * Kept: memory and trampolines that the library may hold on to.
 *
 * While a call's arguments are built its items are fresh, in a list of the call. When the native
 * function has run, kept_commit() lets them live as long as their mode says; when it never ran,
 * kept_drop() forgets them and what was kept before stays. An item that has ended is only doomed:
 * results may still point into it, so kept_reap() frees it when the answer has been copied.
 *
 * Threads: one.
 */

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "cordon/plan.h"

struct closure;

/* What an item was passed as. */
struct kept_key {
    const void *place; /* plan, or resident object */
    uint32_t param;    /* parameter, or offset of a member */
    uint64_t owner;    /* handle with which the item ends; 0: none */
};

struct kept_item {
    struct kept_item *next;
    struct kept_key key;
    enum cordon_plan_keep mode;
    uint64_t call; /* which call made it: items of one call do not replace each other */
    size_t bytes;
    struct closure *closure; /* released with the item; NULL: memory */
    alignas(max_align_t) unsigned char memory[];
};

#define KEPT_BUCKETS 64u

struct kept {
    size_t bytes; /* fresh and doomed items included, those of mode CALL not */
    size_t bytes_max;
    void (*release)(void *context, struct closure *closure);
    void *context;
    struct kept_item *buckets[KEPT_BUCKETS]; /* by owner */
    struct kept_item *doomed;
};

/*
 * A fresh item with @bytes of zeroed memory, put in front of *@fresh.
 * Returns 0, -E2BIG (LIMIT_KEPT_BYTES), -ENOMEM, with @why.
 */
int kept_add(struct kept *kept, struct kept_item **fresh, const struct kept_key *key,
             enum cordon_plan_keep mode, size_t bytes, struct kept_item **ret_item,
             struct message *why);

/* The refusal of @bytes more: -E2BIG with the sentence that names LIMIT_KEPT_BYTES. */
int kept_refuse(const struct kept *kept, size_t bytes, struct message *why);

/* Take over the list *@fresh of call number @call; items of mode CALL are freed. */
void kept_commit(struct kept *kept, struct kept_item **fresh, uint64_t call);

/* Free the list *@fresh. */
void kept_drop(struct kept *kept, struct kept_item **fresh);

/* The item kept under @key, or NULL. Borrowed. */
struct kept_item *kept_find(const struct kept *kept, const struct kept_key *key);

/* End the item of @key, if there is one. */
void kept_forget(struct kept *kept, const struct kept_key *key);

/* End what was kept for handle @owner. */
void kept_end(struct kept *kept, uint64_t owner);

/* How many items are kept. */
uint64_t kept_count(const struct kept *kept);

/* Free what has ended. */
void kept_reap(struct kept *kept);

/* Free everything. Closures are not released. */
void kept_deinit(struct kept *kept);

#endif
