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

/*
 * What goes to the caller's memory once all of the reply has been judged. Until then nothing of it is
 * written: places, lengths and pointers of one argument may lie in the memory of another.
 */
struct decode_write {
    struct decode_write *next;
    uint8_t *memory;
    uint64_t bytes;
    const volatile uint8_t *reply; /* plain memory, copied from there at the end; NULL: `copy` */
    const struct cordon_plan_type *target; /* of what comes from the reply */
    uint8_t copy[];
};

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
    struct frame_pointees *came;
    struct frame_scope before; /* lengths as they were sent: capacities */
    struct frame_scope after;  /* lengths as the call left them */
    struct decode_write *writes;
    struct decode_write **writes_end;
    void *dynamic[CORDON_PLAN_PARAMS_MAX];
    struct message *why;
};

/* A pointer that was sent, seen from the caller's side. */
struct sent {
    const struct cordon_plan_type *type;
    uint64_t place;
    uint8_t *memory;
    uint64_t given; /* capacity where only the caller knows it */
    bool moved; /* the callee moved the pointer on: lengths tell what is left, not what is there */
    struct frame_scope before;
    struct frame_scope after;
};

/* Whether @word is 0 or an offset + 1 into the argument that @type belongs to. */
bool decode_is_within(const struct decoder *decoder, const struct cordon_plan_type *type,
                      uint64_t word);

/* The memory that the caller gave for @param, or NULL. */
const struct cordon_value *decode_memory_of(const struct decoder *decoder,
                                            const struct cordon_plan_param *param);

/* BYTES parameter @index, given as @value. */
struct sent decode_sent_argument(const struct decoder *decoder, uint32_t index,
                                 const struct cordon_value *value);

/* What @sent points to, to be written later. Returns 0 or -ENOMEM, or what a hook returned. */
int decode_sent(struct decoder *decoder, const struct sent *sent);

/* Elements of plain memory that came back, and where in the reply they are; false: none. */
bool decode_plain(const struct decoder *decoder, const struct sent *sent,
                  const struct cordon_plan_type *target, uint64_t *ret_bytes, uint32_t *ret_at);

/* Elements that were sent, or that there was room for. */
uint64_t decode_sent_count(const struct decoder *decoder, const struct sent *sent);

/*
 * Whether the caller's memory is where it was when the call was sent, and has the room that it had: 0, or
 * -EFAULT with a sentence. Only then may its pointers be followed.
 */
int decode_check_given(struct decoder *decoder);

/* Bytes that a sent pointer points to: what the callee may have moved it over. */
uint64_t decode_sent_bytes(const struct decoder *decoder, const struct sent *sent);

/*
 * @count images of @target whose request and reply places @place says, later back to @memory; pointers
 * inside that went to the receiver are followed. @back: the images themselves come back, too.
 */
int decode_images(struct decoder *decoder, const struct cordon_plan_type *target, uint64_t count,
                  uint64_t place, uint8_t *memory, bool back);

/* Have @bytes, to be filled in, written to @memory later. NULL: no memory. */
struct decode_write *decode_write_copy(struct decoder *decoder, uint8_t *memory, uint64_t bytes);

/* Have @bytes of the reply from @at on, elements of @target, written to @memory later. */
int decode_write_plain(struct decoder *decoder, uint8_t *memory, uint32_t at, uint64_t bytes,
                       const struct cordon_plan_type *target);

/* Plain memory from the reply to the caller's, now. */
void decode_copy_plain(const struct decoder *decoder, uint8_t *memory,
                       const volatile uint8_t *reply, uint64_t bytes,
                       const struct cordon_plan_type *target);

/* Write it all (@commit), or drop it. */
void decode_write_end(struct decoder *decoder, bool commit);

#endif
