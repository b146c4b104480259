/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_COMPILE_H
#define PROTOTYPE_COMPILE_H

/*
 * Compile: syntax to a plan's tables.
 *
 *   compile.c          functions, parameters, which of them are filled in
 *   compile_type.c     scalars, structs, arrays, callbacks
 *   compile_pointer.c  what a pointer means: array, string, handle, token, within, one value
 *   compile_length.c   expressions to postfix code
 *
 * Functions return CORDON_PLAN_NONE or false once the unit is refused.
 */

#include "prototype/builder.h"
#include "prototype/syntax.h"

/* Where a declaration stands: it decides what an unadorned pointer means. */
enum place {
    PLACE_PARAM,
    PLACE_RESULT,
    PLACE_FIELD,
    PLACE_ELEMENT, /* of an array of pointers, or behind `in T **` */
    PLACE_GIVEN,   /* behind `out T **`: the library gives the pointer */
};

/* What names in lengths can mean: a function's parameters, or a struct's members. */
struct scope {
    const struct signature *signature; /* NULL inside a struct */
    const struct ctype *result;
    const struct record *record;
    struct scope *outer; /* of a callback: the function that takes it */
    uint32_t function;   /* index in the plan */
    uint32_t param;      /* being compiled; CORDON_PLAN_NONE: the result */
    uint64_t exact_uses; /* parameters that are the plain length of an array that goes in */
    uint64_t other_uses; /* parameters that lengths use in any other way */
    uint32_t filled_by[CORDON_PLAN_PARAMS_MAX];
};

struct compiler {
    struct unit *unit;
    struct builder builder;
    struct scope *scope;
    uint32_t depth;
    uint32_t callbacks;
};

/* Plan of one function, or of a named type, in @pool; NULL once refused. */
void *compile_function(struct compiler *compiler, const struct function *source, struct pool *pool,
                       uint32_t *ret_bytes);
void *compile_named_type(struct compiler *compiler, const struct named_type *named,
                         struct pool *pool, uint32_t *ret_bytes);

/* Index of the function record of a callback; @notes: fails, escape. */
uint32_t compile_callback(struct compiler *compiler, const struct ctype *type,
                          const struct notes *notes, const char *name, uint32_t at);

/* A record of @kind as a pointer-sized IN type; the rest is empty. */
struct cordon_plan_type type_blank(enum cordon_plan_kind kind);
uint32_t compile_type(struct compiler *compiler, const struct ctype *type,
                      const struct notes *notes, enum place place, const char *name, uint32_t at);
uint32_t compile_record(struct compiler *compiler, const struct ctype *type, uint32_t at);
/* A pointer, or an array that is one, to @target; @length NULL: none was given. */
uint32_t compile_pointer(struct compiler *compiler, const struct ctype *target,
                         const struct length *length, const struct notes *notes, enum place place,
                         const char *name, uint32_t at);

/* When a length is wanted: what is known then. */
enum phase { PHASE_BEFORE, PHASE_AFTER };

/*
 * Code of @length for memory of @direction into @type->code and length_code.
 * @given  the library gives the memory: the length is wanted after the call only.
 */
bool compile_length(struct compiler *compiler, const struct length *length,
                    enum cordon_plan_direction direction, bool given,
                    struct cordon_plan_type *type);

/* Index of parameter @name in the scope at hand; refuses at @at what is none. */
bool compile_parameter_index(struct compiler *compiler, const char *name, uint32_t at,
                             const char *what, uint32_t *ret_index);

#endif
