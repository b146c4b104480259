/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_HANDLES_H
#define INVOKE_HANDLES_H

/*
 * Handle: the word by which a native object that stays here is known outside.
 *
 * A word is generation << 32 | index; 0 is NULL. An index is used again with the next generation,
 * so that a word which has ended names nothing for ever (generations wrap after 2^32 uses of one
 * index). A handle ends by handles_end(): with it end the handles borrowed from it, and every
 * other handle of the same object, since the object is what ended.
 *
 * Threads: one.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "prototype/plan.h"

struct handles;

/* An object as the table knows it. */
struct handle_object {
    void *object;
    const char *name;                    /* of its type, for errors; lives as long as the table */
    uint32_t tag;                        /* of its type: cordon_plan_type.tag */
    uint64_t owner;                      /* the handle that it is borrowed from; 0: nobody */
    void *resident;                      /* what `ended` is told; NULL: the library's own object */
    const struct plan *plan;             /* of which `type` is; lives as long as the handle */
    const struct cordon_plan_type *type; /* its members, where they are known; else NULL */
};

/* Told of each handle that ends, before the word is forgotten; not by handles_free(). */
typedef void handles_ended(void *context, uint64_t word, void *resident);

/* At most @max live handles. Returns 0 or -ENOMEM. */
int handles_new(uint32_t max, handles_ended *ended, void *context, struct handles **ret_handles);
void handles_free(struct handles *handles);

/*
 * A new handle.
 * Returns 0, -E2BIG (LIMIT_HANDLES), -ESTALE (the owner has ended), -ENOMEM, each with @why.
 */
int handles_add(struct handles *handles, const struct handle_object *what, uint64_t *ret_word,
                struct message *why);

/* A live handle of this object and tag, borrowed from *@owner if @owner is given; 0: none. */
uint64_t handles_find(const struct handles *handles, const void *object, uint32_t tag,
                      const uint64_t *owner);

/*
 * The object behind @word, which must be of type @tag, called @name in errors.
 * Returns 0 and the object, borrowed until the handle ends, -ESTALE (has ended, or never was), or
 * -EINVAL (of another type), with @why.
 */
int handles_get(const struct handles *handles, uint64_t word, uint32_t tag, const char *name,
                const struct handle_object **ret_what, struct message *why);

/* End @word and what ends with it. Returns 0, or -ESTALE if it had ended already. */
int handles_end(struct handles *handles, uint64_t word);

/* How many live. */
uint64_t handles_count(const struct handles *handles);

/* End every handle. */
void handles_end_all(struct handles *handles);

#endif
