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

/* Objects of the library whose members are known are seen through one as well, made for a moment. */
struct resident {
    const struct plan *plan; /* own copy, where the object is ours */
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

/* What a pointer member leads to. view.object NULL: the pointer is; view.type NULL: not known. */
struct resident_target {
    struct resident view;
    const char *name;
    uint32_t tag;
};

/* Follow the pointer member at @offset to a struct. -EINVAL with @why if it leads to none. */
int resident_follow(const struct resident *resident, uint64_t offset,
                    struct resident_target *ret_target, struct message *why);

/* A part of what a pointer member points to. */
struct resident_range {
    uint64_t at;
    uint64_t bytes;
};

/*
 * Copy @range of the memory behind the pointer member at @offset, which is as long as the member's
 * declared length, or a string: of that what is there, its NUL included. Pointers inside read as 0.
 *
 * Returns 0, -ENOENT (NULL, or no declared length), -EINVAL (no pointer, or beyond the length), or
 * what the length's evaluation says, with @why.
 */
int resident_fetch(const struct resident *resident, uint64_t offset,
                   const struct resident_range *range, uint8_t *to, uint64_t *ret_bytes,
                   struct message *why);

#endif
