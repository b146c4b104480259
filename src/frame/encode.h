/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_ENCODE_H
#define FRAME_ENCODE_H

/* Encoder: one frame_encode() under way. Private to src/frame. */

#include "frame/walk.h"

struct encoder {
    const struct plan *plan;
    const struct cordon_plan_function *function;
    const struct frame_hooks *hooks;
    const struct frame_space *space;
    struct frame_request *request;
    struct message *why;
    struct frame_scope scope;
    const struct cordon_value *args;
    size_t count;
    size_t variadic_at;    /* first argument of `...`; SIZE_MAX: none */
    size_t variadic_count; /* how many */
    uint32_t request_limit;
    uint32_t reply_limit;
    uint32_t request_at; /* first free byte */
    uint32_t reply_at;
    uint32_t param; /* the one being encoded: errors name it */
    uint32_t depth; /* pointers inside pointers */
    bool replaced;  /* what is being encoded will be replaced, and is never written */
    uint64_t
        pointees;  /* bit per parameter: one integer in memory, which others' lengths may name */
    bool callback; /* native code decides these arguments: NULL is always fitting */
};

/* Value that the caller gave for @param; FILLED ones have none. */
const struct cordon_value *encode_argument(const struct encoder *encoder,
                                           const struct cordon_plan_param *param);

/* @value as the word of a WORD parameter of @type. */
int encode_word(struct encoder *encoder, const struct cordon_plan_type *type,
                const struct cordon_value *value, uint64_t *ret_word);

/* The element count of the array that gives FILLED parameter @param its value. */
int encode_filled(struct encoder *encoder, const struct cordon_plan_param *param,
                  uint64_t *ret_word);

/*
 * @value of a BYTES or DYNAMIC parameter into the request; @ret_place stays as it is if nothing
 * goes in.
 */
int encode_bytes(struct encoder *encoder, const struct cordon_plan_param *param,
                 const struct cordon_plan_type *type, const struct cordon_value *value,
                 uint64_t *ret_place);

/* Refusals: -EINVAL and the sentence. They begin with "argument 2 'buf' ". */
int encode_refuse(const struct encoder *encoder, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int encode_refuse_kind(const struct encoder *encoder, const struct cordon_plan_type *type,
                       const struct cordon_value *value);
int encode_refuse_length(const struct encoder *encoder, const struct cordon_plan_type *type,
                         const struct cordon_plan_type *owner, uint64_t given, uint64_t needed);
/* What a hook said, with the argument's name before it. @error 0 or positive: nothing is said. */
int encode_refuse_hook(const struct encoder *encoder, int error);
/* The length itself could not be computed: @error from scope_evaluate(). */
int encode_refuse_code(const struct encoder *encoder, const struct cordon_plan_type *type,
                       const struct cordon_plan_type *owner, int error);

/* Take @bytes of the request, or of the reply; -E2BIG names the limit. */
int encode_reserve_request(struct encoder *encoder, uint64_t bytes, uint32_t *ret_at);
int encode_reserve_reply(struct encoder *encoder, uint64_t bytes, uint32_t *ret_at);

/*
 * @count elements at @memory, as @type (POINTER) says; @ret_place says where they went. Pointers
 * inside are followed if the memory is read at all.
 */
int encode_block(struct encoder *encoder, const struct cordon_plan_type *type, void *memory,
                 uint64_t count, uint64_t *ret_place);

/*
 * A string at @memory: @length bytes without a NUL and room for @capacity bytes on the way back.
 */
int encode_string(struct encoder *encoder, const struct cordon_plan_type *type, const char *memory,
                  uint64_t length, uint64_t capacity, uint64_t *ret_place);

/* One object of @type in C layout at @memory, copied to the request at @at, pointers followed. */
int encode_image(struct encoder *encoder, const struct cordon_plan_type *type, const void *memory,
                 uint32_t at);

int encode_callback(struct encoder *encoder, const struct cordon_plan_type *type,
                    const struct cordon_value *value, uint64_t *ret_word);

/* The arguments of `...` as a block. */
int encode_variadic(struct encoder *encoder, uint64_t *ret_place);

#endif
