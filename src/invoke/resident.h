/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_RESIDENT_H
#define INVOKE_RESIDENT_H

/*
 * Resident object: an object that the caller declares (regex_t, z_stream) and that lives here at a
 * fixed address until its handle ends. Its pointer members are never shown: they read as 0, writes
 * leave them as they are, and resident_point() alone sets them.
 *
 * Threads: one.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "prototype/plan.h"

struct resident {
    const struct plan *plan; /* own copy */
    const struct cordon_plan_type *type;
    uint8_t *object;       /* zeroed at first */
    struct resident *next; /* of those that have ended and are not freed yet */
};

/*
 * An object of the type that the plan at @bytes describes. Returns 0, -EINVAL (a plan of a
 * function, or a type that is no struct), what plan_validate() says, -ENOMEM, with @why.
 */
int resident_new(const void *bytes, size_t length, struct resident **ret_resident,
                 struct message *why);
void resident_free(struct resident *resident);

/* FNV-1a 32 of the struct's name, as in the types of handles: functions take the object by it. */
uint32_t resident_tag(const struct resident *resident);

/* -EINVAL with @why unless the object has @bytes at @offset. */
int resident_check(const struct resident *resident, uint64_t offset, uint64_t bytes,
                   struct message *why);

/* Both after resident_check(). */
void resident_read(const struct resident *resident, uint64_t offset, uint64_t bytes, uint8_t *to);
void resident_write(struct resident *resident, uint64_t offset, uint64_t bytes,
                    const uint8_t *from);

/* Set the pointer member at @offset. -EINVAL with @why if there is none. */
int resident_point(struct resident *resident, uint64_t offset, void *to, struct message *why);

#endif
