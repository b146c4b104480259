/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_CLOSURES_H
#define INVOKE_CLOSURES_H

/*
 * Closure: a trampoline, which is code that the library calls as the function pointer it was given
 * and that leads to one callback of the host.
 *
 * All trampolines are made at the start, since a sandbox forbids executable memory later. They lie
 * in memory that is mapped twice, once to be written and once to be executed, so that no page is
 * both; where that cannot be had (memfd or executable shared memory is forbidden), in one mapping
 * that is. A closure that is no longer referenced is used again as late as possible: a library
 * that calls it all the same is found out rather than served by a stranger.
 *
 * Threads: one takes and releases; any may run into a trampoline.
 */

#include <ffi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "frame/frame.h"
#include "invoke/binding.h"

struct engine;
struct closures;

struct closure {
    struct engine *engine;
    void *code; /* what the library calls */
    struct binding *binding;
    uint32_t function; /* the callback's shape: index in the binding's plan */
    uint32_t callback_id;
    uint32_t references; /* 0: free, and nobody may call it */
    bool is_kept;        /* beyond the call that passed it */
    struct frame_outer
        outer; /* the call that passed it, as lengths see it; words are the copy below */
    uint64_t outer_words[CORDON_PLAN_WORDS_MAX];
    struct closure *next;
};

/* What a trampoline leads to; libffi's signature, @user is the struct closure. */
typedef void closure_handler(ffi_cif *cif, void *ret_value, void **arguments, void *user);

/* @max trampolines. Returns 0, -ENOMEM or what mmap() said, with @why. */
int closures_new(struct engine *engine, uint32_t max, closure_handler *handler,
                 struct closures **ret_closures, struct message *why);
void closures_free(struct closures *closures);

/*
 * A closure for callback @callback_id in the shape of @function of @binding's plan, with one
 * reference. Returns 0, -E2BIG (LIMIT_CLOSURES), -ENOTSUP, with @why.
 */
int closures_take(struct closures *closures, struct binding *binding, uint32_t function,
                  uint32_t callback_id, struct closure **ret_closure, struct message *why);

/* The kept closure of the same callback in the same shape, or NULL. */
struct closure *closures_find_kept(struct closures *closures, const struct binding *binding,
                                   uint32_t function, uint32_t callback_id);

/* Give one reference back. */
void closures_release(struct closures *closures, struct closure *closure);

#endif
