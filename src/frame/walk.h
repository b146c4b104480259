/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_WALK_H
#define FRAME_WALK_H

/*
 * What the four steps of a call share: where lengths find their values (scope), where pointers lie
 * in an image (spots), what a word of BYTES says (place). Private to src/frame.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/frame.h"
#include "frame/scalar.h"

/* OUT memory up to this size is zeroed by the receiver; of larger memory only the first byte. */
#define FRAME_ZEROED_BYTES 256u

#define FRAME_OFFSET_MASK 0x7fffffffull

/*
 * Integers that pointers of BYTES point to, as a reply says them: its decoder reads each out of it once,
 * before any length is computed from it, and never looks there again. By parameter.
 */
struct frame_pointees {
    uint64_t known; /* bit per parameter; the others' words are not set */
    uint64_t words[CORDON_PLAN_PARAMS_MAX];
};

/* Where a length's code finds its values. All zero but plan and function is a fine start. */
struct frame_scope {
    const struct plan *plan;
    const struct cordon_plan_function *function;
    const struct frame_hooks *hooks;
    const struct frame_outer *outer;

    const uint64_t *words; /* request */
    const uint8_t *request;
    uint32_t request_bytes;

    bool after;                        /* lengths of outputs: what stands below tells */
    const uint64_t *reply_words;       /* NULL: not yet */
    const struct frame_pointees *came; /* sender: what it has read out of the reply */
    const uint8_t *reply;              /* receiver: what it has written there itself */
    uint32_t reply_fixed;

    const uint64_t *storage; /* receiver: native arguments, for calls out of a length */
    void *const *natives;    /* frame_values(): instead of words */

    const struct cordon_plan_type *owner; /* the struct whose members FIELD means */
    const uint8_t *image;                 /* its bytes */
};

/* plan_evaluate() in @scope. -ENODATA: what the length names is not known (yet). */
int scope_evaluate(const struct frame_scope *scope, uint32_t code, uint64_t *ret_value);

/* Code of a pointer's length after the call. */
uint32_t scope_length_code(const struct cordon_plan_type *type);

/* The length at @code as C text ("width * height * 4"), cut at @size. Returns @text. */
const char *length_text(const struct plan *plan, const struct cordon_plan_function *function,
                        const struct cordon_plan_type *owner, uint32_t code, char *text,
                        size_t size);

/* One pointer-sized member of an image. */
struct frame_spot {
    const struct cordon_plan_type *type;
    const struct cordon_plan_type *owner; /* the struct that it is a member of, or NULL */
    size_t owner_at;                      /* bytes from the image's start */
    size_t at;
    bool other; /* inside a union whose selector tells another member in `before` */
};

typedef int frame_spot_fn(void *context, const struct frame_spot *spot);

/* An object to be walked, and what is done with it. All memory is private. */
struct image_walk {
    const struct plan *plan;
    frame_spot_fn *visit; /* NULL: plain objects, which have no spots */
    void *context;
    const uint8_t *image;  /* the object: its selectors tell which members of unions are in use */
    const uint8_t *before; /* what it was made from, or NULL: see frame_spot.other */
    uint8_t *clean;        /* what is made as tidy as image_tidy() says, unions too; or NULL */
    int unknown;           /* result for a selector that no case names */
};

/* Visit all spots of an object of @type; the first result that is not 0 ends it and is returned. */
int image_walk(const struct image_walk *walk, const struct cordon_plan_type *type);

/* Whether an object of @type can be copied as it is: no spots and no unions inside. */
bool image_is_plain(const struct plan *plan, const struct cordon_plan_type *type);

/* Whether image_tidy() finds something to do. */
bool image_is_loose(const struct plan *plan, const struct cordon_plan_type *type);

/* Whether objects of @type are nothing but numbers of any bytes: plain and never loose, as most are. */
static inline bool image_is_bytes(const struct cordon_plan_type *type)
{
    return scalar_is(type->kind) && type->kind != CORDON_PLAN_BOOL;
}

/*
 * Plain objects as C may hold them: a bool is 0 or 1, whoever wrote it, and what lies between members is 0,
 * so that nothing of the writer's stack goes along.
 */
void image_tidy(const struct plan *plan, const struct cordon_plan_type *type, uint64_t count,
                uint8_t *memory);

/* What a pointer points to, and how large one is; void counts as bytes. */
const struct cordon_plan_type *pointer_target(const struct plan *plan,
                                              const struct cordon_plan_type *type);
size_t element_bytes(const struct cordon_plan_type *target);

/*
 * The integer that a parameter of BYTES points to: the only memory of the call that a length may name
 * (`*n`, plans are checked). NULL: it does not point to one integer.
 */
static inline const struct cordon_plan_type *param_pointee(const struct plan *plan,
                                                           const struct cordon_plan_param *param)
{
    const struct cordon_plan_type *type = plan_type(plan, param->type);
    if (type->code != CORDON_PLAN_NONE || type->kind != CORDON_PLAN_POINTER ||
        param->passing != CORDON_PLAN_PASS_BYTES || type->target == CORDON_PLAN_NONE ||
        type->flags & CORDON_PLAN_NULL_ENDED) {
        return NULL;
    }
    const struct cordon_plan_type *target = plan_type(plan, type->target);
    return scalar_is_integer(target->kind) ? target : NULL;
}

/* Elements before the NULL that ends the pointers at @memory; at most what @bytes hold. */
size_t null_ended_count(const void *memory, size_t bytes);

static inline uint64_t word_at(const void *memory)
{
    uint64_t word;
    memcpy(&word, memory, sizeof word);
    return word;
}

static inline void *pointer_at(const void *memory)
{
    void *pointer;
    memcpy(&pointer, memory, sizeof pointer);
    return pointer;
}

static inline void put_word(void *memory, uint64_t word)
{
    memcpy(memory, &word, sizeof word);
}

/* Memory whose writer is somebody else, into private memory, each byte read once. */
void copy_out(void *destination, const volatile uint8_t *source, size_t bytes);

/* The two halves of a place that is not in the arena. */
static inline uint32_t place_request(uint64_t place)
{
    return (uint32_t)(place & FRAME_OFFSET_MASK);
}

static inline uint32_t place_reply(uint64_t place)
{
    return (uint32_t)(place >> 32 & FRAME_OFFSET_MASK);
}

static inline bool arena_holds(const struct frame_arena *arena, uintptr_t address, uint64_t bytes)
{
    return arena->bytes != 0 && address >= arena->base && address - arena->base <= arena->bytes &&
           bytes <= arena->bytes - (address - arena->base);
}

/*
 * How far a text at @memory may be read: @most bytes, but not beyond the arena if it begins there.
 * The other side may take the NUL of such a text away at any moment.
 */
static inline size_t arena_room(const struct frame_arena *arena, const void *memory, size_t most)
{
    uintptr_t address = (uintptr_t)memory;
    if (!arena_holds(arena, address, 0)) {
        return most;
    }
    size_t room = arena->bytes - (address - arena->base);
    return room < most ? room : most;
}

/* First byte of a reply that a buffer may take: after its words, and never 0. */
static inline uint32_t reply_start(const struct cordon_plan_function *function)
{
    uint32_t words = function->out_words > CORDON_PLAN_MAILBOX_WORDS ? function->out_words * 8u : 1;
    return (words + FRAME_ALIGN - 1) & ~(FRAME_ALIGN - 1u);
}

static inline uint32_t request_start(const struct cordon_plan_function *function)
{
    uint32_t end = (uint32_t)sizeof(struct frame_header) + function->in_words * 8u;
    return (end + FRAME_ALIGN - 1) & ~(FRAME_ALIGN - 1u);
}

/*
 * A native object and its word, on either side: where objects live the hooks translate, elsewhere
 * the word itself stands in for the pointer.
 */
int object_to_word(const struct frame_hooks *hooks, const struct plan *plan,
                   const struct cordon_plan_type *type, void *object, uint64_t *ret_word);
int word_to_object(const struct frame_hooks *hooks, const struct plan *plan,
                   const struct cordon_plan_type *type, uint64_t word, void **ret_object,
                   struct message *why);
int handle_to_word(const struct frame_hooks *hooks, const struct cordon_plan_type *type,
                   struct cordon_handle handle, uint64_t *ret_word, struct message *why);
int word_to_handle(const struct frame_hooks *hooks, const struct cordon_plan_type *type,
                   uint64_t word, struct cordon_handle *ret_handle);
/* Whether this side holds objects: there, memory of handles holds pointers. */
bool holds_objects(const struct frame_hooks *hooks);

static inline void *pointer_from_word(uint64_t word)
{
    return (void *)(uintptr_t)word;
}

#endif
