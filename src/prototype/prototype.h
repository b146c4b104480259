/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_PROTOTYPE_H
#define PROTOTYPE_PROTOTYPE_H

/*
 * Prototype text to plans. An interface is what a text declares: an optional library name and any
 * number of functions and named types, each compiled to a plan of its own.
 *
 * Threads: parsing is pure; an interface is immutable once parsed and may be read by any thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/message.h"

struct interface;

/*
 * Compile @text (@length bytes, no NUL needed).
 *
 * @name  what to call the text in errors: a file name, or "prototype".
 * @why   on refusal: "name:line:column: sentence", the line, and a caret under the place.
 *
 * Returns 0, -EINVAL (does not parse, or a mistake), -ENOTSUP (understood, not supported: the sentence
 * says why), -E2BIG (a limit, named), -ENOMEM.
 */
int interface_parse(const char *name, const char *text, size_t length,
                    struct interface **ret_interface, struct message *why);

/* What interface_parse_some() left out, one at a time. */
struct interface_skip {
    const char *name;   /* of the function or type, or NULL: it was not read that far */
    size_t at;          /* offset in the text */
    int error;          /* as interface_parse() would return */
    const char *reason; /* a sentence without a place; borrowed until the return */
};
typedef void interface_skipped(void *context, const struct interface_skip *skip);

/*
 * As interface_parse(), for what a preprocessor made of a header (`cc -E`): a declaration that cannot be
 * compiled is left out and told to @skipped, and all others are kept. Structs that cannot be laid out, or
 * whose members say too little to be copied, are opaque: pointers to them are handles. At most LIMIT_HEADER_BYTES.
 */
int interface_parse_some(const char *name, const char *text, size_t length,
                         interface_skipped *skipped, void *context,
                         struct interface **ret_interface, struct message *why);

/* A function or a type that was compiled elsewhere: its plan, aligned to 8. */
struct interface_part {
    const char *type_name; /* "struct z_stream"; NULL: a function, whose name stands in its plan */
    const void *plan;
    size_t plan_bytes;
};

/*
 * An interface of plans that came from elsewhere, each of which is judged; they are copied. Functions keep their order.
 *
 * Returns 0, -EBADMSG (a plan is none, or of the other kind), -ENOTSUP (its version), -ENOMEM.
 */
int interface_of_plans(const struct interface_part *parts, size_t count,
                       struct interface **ret_interface, struct message *why);

void interface_free(struct interface *interface);

/* The library's name from `library "libz.so.1";`, or NULL. Borrowed. */
const char *interface_library(const struct interface *interface);

size_t interface_function_count(const struct interface *interface);

/* Plan of function @index: bytes aligned to 8, borrowed from the interface. */
const void *interface_plan(const struct interface *interface, size_t index, size_t *ret_bytes);

/* Index of the function called @name; the only function if @name is NULL. -ENOENT if there is none. */
int interface_find(const struct interface *interface, const char *name, size_t *ret_index);

/*
 * Plan that describes the named type ("struct z_stream", "point_t"), header root_type set.
 * Returns 0, -ENOENT. Borrowed from the interface.
 */
int interface_type_plan(const struct interface *interface, const char *name, const void **ret_plan,
                        size_t *ret_bytes);

/* Named types that have a plan of their own: the one with @index, as interface_type_plan() has it. */
size_t interface_type_count(const struct interface *interface);
const void *interface_type(const struct interface *interface, size_t index, const char **ret_name,
                           size_t *ret_bytes);

/* As interface_type_plan(), by the tag that handles of the type carry. */
int interface_type_by_tag(const struct interface *interface, uint32_t tag, const void **ret_plan,
                          size_t *ret_bytes);

#endif
