/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/encode.h"

#include "base/limits.h"
#include "frame/given.h"

#include <errno.h>
#include <stdlib.h>

#define IMAGE_SMALL 256u /* larger structs are copied to the heap on their way */

static int reserve(const struct encoder *encoder, const char *what, uint64_t bytes, uint32_t limit,
                   uint32_t *cursor, uint32_t *ret_at)
{
    uint64_t at = ((uint64_t)*cursor + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
    if (at > limit || bytes > limit - at) {
        return encode_refuse(
            encoder, -E2BIG,
            "needs %llu bytes of the %s, which holds %u in all (LIMIT_FRAME_BYTES)",
            (unsigned long long)bytes, what, limit);
    }
    *cursor = (uint32_t)(at + bytes);
    *ret_at = (uint32_t)at;
    return 0;
}

int encode_reserve_request(struct encoder *encoder, uint64_t bytes, uint32_t *ret_at)
{
    uint32_t before = encoder->request_at;
    int r =
        reserve(encoder, "request", bytes, encoder->request_limit, &encoder->request_at, ret_at);
    if (r == 0) {
        /* Nothing of an earlier call shows between the parts of this one. */
        memset(encoder->space->request + before, 0, *ret_at - before);
    }
    return r;
}

int encode_reserve_reply(struct encoder *encoder, uint64_t bytes, uint32_t *ret_at)
{
    return reserve(encoder, "reply", bytes, encoder->reply_limit, &encoder->reply_at, ret_at);
}

int encode_callback(struct encoder *encoder, const struct cordon_plan_type *type,
                    const struct cordon_value *value, uint64_t *ret_word)
{
    const struct frame_hooks *hooks = encoder->hooks;
    if (!hooks || !hooks->callback_to_word) {
        return encode_refuse(encoder, -EINVAL, "is a callback, and none can be passed here");
    }
    return hooks->callback_to_word(hooks->context, encoder->plan, type->target, value, ret_word,
                                   encoder->why);
}

/* An image on its way into the request: its pointers become places before it can be seen there. */
struct image_encoder {
    struct encoder *encoder;
    uint8_t *image;
};

static int spot_count(struct encoder *encoder, const struct frame_spot *spot, const uint8_t *image,
                      const void *memory, uint64_t *ret_count)
{
    if (spot->type->flags & CORDON_PLAN_NULL_ENDED) {
        *ret_count = null_ended_count(memory, arena_room(&encoder->space->arena, memory, SIZE_MAX));
        return 0;
    }
    if (spot->type->code == CORDON_PLAN_NONE) {
        *ret_count = 1;
        return 0;
    }
    struct frame_scope scope = encoder->scope;
    scope.owner = spot->owner;
    scope.image = image + spot->owner_at;
    int r = scope_evaluate(&scope, spot->type->code, ret_count);
    return r < 0 ? encode_refuse_code(encoder, spot->type, spot->owner, r) : 0;
}

static int spot_string(struct encoder *encoder, const struct frame_spot *spot, const uint8_t *image,
                       const char *memory, uint64_t *ret_place)
{
    uint64_t capacity = 0;
    if (spot->type->code != CORDON_PLAN_NONE) {
        int r = spot_count(encoder, spot, image, memory, &capacity);
        if (r < 0) {
            return r;
        }
    }
    size_t most = spot->type->code == CORDON_PLAN_NONE ? LIMIT_STRING_BYTES + 1ull : capacity;
    size_t length = 0;
    if (spot->type->direction & CORDON_PLAN_IN) {
        most = arena_room(&encoder->space->arena, memory, most);
        length = strnlen(memory, most);
        if (length == most && most <= LIMIT_STRING_BYTES) {
            return encode_refuse(encoder, -EINVAL, "has a member that is a string without an end");
        }
    }
    if (spot->type->code == CORDON_PLAN_NONE) {
        capacity = length + 1;
    }
    return encode_string(encoder, spot->type, memory, length, capacity, ret_place);
}

static int encode_spot(void *context, const struct frame_spot *spot)
{
    struct image_encoder *image = context;
    struct encoder *encoder = image->encoder;
    uint8_t *member = image->image + spot->at;
    void *memory = pointer_at(member);
    uint64_t word = 0;
    uint64_t count = 0;
    int r = 0;
    switch (spot->type->kind) {
    case CORDON_PLAN_POINTER:
        if (memory) {
            r = spot_count(encoder, spot, image->image, memory, &count);
            r = r < 0 ? r : encode_block(encoder, spot->type, memory, count, &word);
        }
        break;
    case CORDON_PLAN_STRING:
        if (memory) {
            r = spot_string(encoder, spot, image->image, memory, &word);
        }
        break;
    case CORDON_PLAN_HANDLE:
        r = object_to_word(encoder->hooks, encoder->plan, spot->type, memory, &word);
        break;
    case CORDON_PLAN_CALLBACK:
        if (memory) {
            struct cordon_value value = cordon_function_pointer(memory);
            r = encode_callback(encoder, spot->type, &value, &word);
        }
        break;
    default: /* a pointer into an argument only comes back; `...` is no member */
        break;
    }
    if ((spot->type->kind == CORDON_PLAN_POINTER || spot->type->kind == CORDON_PLAN_STRING) &&
        !encoder->replaced) {
        given_add(encoder->request, encoder->depth + 1, given_mark(memory, word));
    }
    put_word(member, word);
    return r;
}

static int encode_copy(struct encoder *encoder, const struct cordon_plan_type *type, uint8_t *copy)
{
    struct image_encoder image = {.encoder = encoder, .image = copy};
    const struct image_walk walk = {
        .plan = encoder->plan,
        .visit = encode_spot,
        .context = &image,
        .image = copy,
        .clean = copy,
        .unknown = -EBADR,
    };
    int r = image_walk(&walk, type);
    return r == -EBADR
               ? encode_refuse(encoder, -EINVAL, "has a union whose selector is none of its cases")
               : r;
}

int encode_image(struct encoder *encoder, const struct cordon_plan_type *type, const void *memory,
                 uint32_t at)
{
    uint8_t small[IMAGE_SMALL];
    uint8_t *copy = type->size <= sizeof small ? small : malloc(type->size);
    if (!copy) {
        return encode_refuse(encoder, -ENOMEM, "cannot be copied: no memory");
    }
    memcpy(copy, memory, type->size);
    int r = encode_copy(encoder, type, copy);
    if (r == 0) {
        memcpy(encoder->space->request + at, copy, type->size);
    }
    if (copy != small) {
        free(copy);
    }
    return r;
}

static int encode_images(struct encoder *encoder, const struct cordon_plan_type *target,
                         const uint8_t *memory, uint64_t count, uint32_t at)
{
    if (encoder->depth >= FRAME_DEPTH_MAX && !image_is_plain(encoder->plan, target)) {
        return encode_refuse(encoder, -E2BIG, "nests more than %u pointers (FRAME_DEPTH_MAX)",
                             FRAME_DEPTH_MAX);
    }
    encoder->depth++;
    int r = 0;
    for (uint64_t i = 0; i < count && r == 0; i++) {
        size_t offset = (size_t)i * target->size;
        r = encode_image(encoder, target, memory + offset, at + (uint32_t)offset);
    }
    encoder->depth--;
    return r;
}

int encode_block(struct encoder *encoder, const struct cordon_plan_type *type, void *memory,
                 uint64_t count, uint64_t *ret_place)
{
    const struct cordon_plan_type *target = pointer_target(encoder->plan, type);
    bool ended = type->flags & CORDON_PLAN_NULL_ENDED;
    uint64_t bytes;
    if (__builtin_mul_overflow(count, element_bytes(target), &bytes) ||
        __builtin_add_overflow(bytes, ended ? sizeof(void *) : 0, &bytes)) {
        return encode_refuse(encoder, -EOVERFLOW, "is larger than memory can be");
    }
    if (arena_holds(&encoder->space->arena, (uintptr_t)memory, bytes)) {
        *ret_place = FRAME_IN_ARENA | (uintptr_t)memory;
        return 0;
    }
    uint32_t in_at = 0;
    uint32_t out_at = 0;
    int r = 0;
    if (type->direction & CORDON_PLAN_OUT) {
        r = encode_reserve_reply(encoder, bytes, &out_at);
    }
    if (r == 0 && type->direction & CORDON_PLAN_IN) {
        r = encode_reserve_request(encoder, bytes, &in_at);
    }
    if (r < 0) {
        return r;
    }
    *ret_place = in_at | (uint64_t)out_at << 32;
    if (!(type->direction & CORDON_PLAN_IN)) {
        return 0;
    }
    if (ended) {
        put_word(encoder->space->request + in_at + bytes - sizeof(void *), 0);
    }
    if (!image_is_bytes(target) &&
        (!image_is_plain(encoder->plan, target) || image_is_loose(encoder->plan, target))) {
        return encode_images(encoder, target, memory, count, in_at);
    }
    if (bytes > 0) {
        memcpy(encoder->space->request + in_at, memory, bytes);
    }
    return 0;
}

int encode_string(struct encoder *encoder, const struct cordon_plan_type *type, const char *memory,
                  uint64_t length, uint64_t capacity, uint64_t *ret_place)
{
    bool in = type->direction & CORDON_PLAN_IN;
    bool out = type->direction & CORDON_PLAN_OUT;
    if (length > LIMIT_STRING_BYTES || (out && capacity > LIMIT_STRING_BYTES + 1ull)) {
        return encode_refuse(encoder, -E2BIG,
                             "is a string of more than %u bytes (LIMIT_STRING_BYTES)",
                             LIMIT_STRING_BYTES);
    }
    if (in && out && capacity <= length) {
        return encode_refuse(encoder, -EINVAL, "has no NUL within its %llu bytes",
                             (unsigned long long)capacity);
    }
    uint64_t span = out ? capacity : length + 1;
    if (arena_holds(&encoder->space->arena, (uintptr_t)memory, span) &&
        (!in || memory[length] == '\0')) {
        *ret_place = FRAME_IN_ARENA | (uintptr_t)memory;
        return 0;
    }
    uint32_t in_at = 0;
    uint32_t out_at = 0;
    int r = out ? encode_reserve_reply(encoder, capacity, &out_at) : 0;
    if (r == 0 && in) {
        r = encode_reserve_request(encoder, length + 1, &in_at);
    }
    if (r < 0) {
        return r;
    }
    if (in) {
        memcpy(encoder->space->request + in_at, memory, length);
        encoder->space->request[in_at + length] = '\0';
    }
    *ret_place = in_at | (uint64_t)out_at << 32;
    return 0;
}
