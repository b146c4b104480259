/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_EXPORT_H
#define FRAME_EXPORT_H

/*
 * Export: native memory of unknown length into the reply, as DYNAMIC words. Pointers inside are
 * followed; in the reply they are DYNAMIC words too. Private to src/frame.
 */

#include "frame/walk.h"

struct exporter {
    const struct frame_call *call;
    const struct cordon_plan_function *function;
    struct frame_scope scope;
    uint32_t at; /* first free byte of the reply */
    uint32_t depth;
    struct message *why;
};

/*
 * What @pointer points to, as @type (STRING, POINTER) says. @ret_word 0: NULL.
 * Returns 0, -ENOSPC (no room, the limit is named), -E2BIG, or what a length or hook returned.
 */
int export_pointer(struct exporter *exporter, const struct cordon_plan_type *type, void *pointer,
                   uint64_t *ret_word);

/* One object of @type (a struct returned by value). */
int export_object(struct exporter *exporter, const struct cordon_plan_type *type,
                  const void *object, uint64_t *ret_word);

#endif
