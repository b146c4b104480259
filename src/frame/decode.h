/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_DECODE_H
#define FRAME_DECODE_H

/*
 * Decoder: one frame_decode() under way. Private to src/frame.
 *
 * What is believed: the request, in memory that the receiver cannot write, and its words. What is
 * not: reply words (a private copy) and reply bytes (copied out, then judged).
 */

#include "frame/walk.h"

struct decoder {
    const struct plan *plan;
    const struct cordon_plan_function *function;
    const struct frame_hooks *hooks;
    const struct cordon_value *args;
    size_t count;
    size_t variadic_at;
    size_t variadic_count;
    const struct frame_request *request;
    struct frame_arena arena;
    const uint8_t *request_memory;
    const uint64_t *reply_words;
    const volatile uint8_t *reply;
    struct frame_scope before; /* lengths as they were sent: capacities */
    struct frame_scope after;  /* lengths as the call left them */
    void *dynamic[CORDON_PLAN_PARAMS_MAX];
    struct message *why;
};

/* Whether @word is 0 or an offset + 1 into the argument that @type belongs to. */
bool decode_is_within(const struct decoder *decoder, const struct cordon_plan_type *type,
                      uint64_t word);

/* Copy back what BYTES parameter @index, given as @value, points to. Returns 0 or -ENOMEM. */
int decode_argument(struct decoder *decoder, uint32_t index, const struct cordon_value *value);

/*
 * @count images of @target whose request and reply places @place says, back to @memory; pointers
 * inside that went to the receiver are followed. @back: the images themselves come back, too.
 */
int decode_images(struct decoder *decoder, const struct cordon_plan_type *target, uint64_t count,
                  uint64_t place, uint8_t *memory, bool back);

/* Most that an offset into BYTES parameter @index may be; 0 if it was NULL. */
uint64_t decode_argument_bytes(const struct decoder *decoder, uint32_t index,
                               const struct cordon_value *value);

#endif
