/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/decode.h"

#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>

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

/* Pointers before the NULL of a list that was sent: in the arena it may have changed since. */
static uint64_t list_count(const struct decoder *decoder, uint64_t place)
{
    if (place & FRAME_IN_ARENA) {
        const void *list = pointer_from_word(place & ~FRAME_IN_ARENA);
        return null_ended_count(list, arena_room(&decoder->arena, list, decoder->arena.bytes));
    }
    uint32_t at = place_request(place);
    return at ? null_ended_count(decoder->request_memory + at, decoder->request->frame_bytes - at)
              : 0;
}

/* Elements that were sent, or that there was room for. */
static uint64_t sent_count(const struct decoder *decoder, const struct sent *sent)
{
    uint64_t count = 1;
    if (sent->type->flags & CORDON_PLAN_NULL_ENDED) {
        return list_count(decoder, sent->place);
    }
    if (sent->type->code != CORDON_PLAN_NONE &&
        scope_evaluate(&sent->before, sent->type->code, &count) < 0) {
        count = sent->given;
    }
    return count;
}

/*
 * Elements that are there now, at most @room. A length that came out negative means none; one that
 * cannot be computed says nothing, and all are copied.
 */
static uint64_t returned_count(const struct sent *sent, uint64_t room)
{
    uint32_t code = scope_length_code(sent->type);
    uint64_t count;
    if (code == CORDON_PLAN_NONE || sent->moved) {
        return room;
    }
    int r = scope_evaluate(&sent->after, code, &count);
    return r == -ERANGE ? 0 : r < 0 || count > room ? room : count;
}

/* Bytes of a string that came back: to its NUL, and never less than was sent. */
static int decode_string(const struct decoder *decoder, const struct sent *sent)
{
    uint32_t out_at = place_reply(sent->place);
    uint64_t room = 0;
    uint64_t sent_bytes = 0;
    if (sent->type->direction & CORDON_PLAN_IN) {
        const char *string = (const char *)decoder->request_memory + place_request(sent->place);
        sent_bytes = strlen(string) + 1;
    }
    room =
        sent->type->code == CORDON_PLAN_NONE && sent_bytes ? sent_bytes : sent_count(decoder, sent);
    if (out_at == 0 || room == 0 || room > decoder->request->reply_fixed - out_at) {
        return 0;
    }
    uint64_t most = room;
    if (sent->type->length_code != CORDON_PLAN_NONE) {
        most = returned_count(sent, room);
    }
    char *copy = malloc(most + 1);
    if (!copy) {
        return -ENOMEM;
    }
    copy_out(copy, decoder->reply + out_at, most);
    uint64_t bytes = strnlen(copy, most);
    bytes += bytes < most ? 1 : 0;
    bytes = sent_bytes > bytes && sent_bytes <= most ? sent_bytes : bytes;
    memcpy(sent->memory, copy, bytes);
    if (bytes == most && most < room) {
        sent->memory[most] = '\0'; /* the length told where it ends */
    }
    free(copy);
    return 0;
}

static int decode_sent(struct decoder *decoder, const struct sent *sent)
{
    if (sent->place == 0 || sent->place & FRAME_IN_ARENA || !sent->memory) {
        return 0;
    }
    bool out = sent->type->direction & CORDON_PLAN_OUT;
    if (sent->type->kind == CORDON_PLAN_STRING) {
        return out ? decode_string(decoder, sent) : 0;
    }
    const struct cordon_plan_type *target = pointer_target(decoder->plan, sent->type);
    uint64_t room = sent_count(decoder, sent);
    if (!image_is_plain(decoder->plan, target)) {
        uint64_t back = out ? returned_count(sent, room) : room;
        return decode_images(decoder, target, back, sent->place, sent->memory, out);
    }
    uint64_t bytes = out ? returned_count(sent, room) * element_bytes(target) : 0;
    uint32_t out_at = place_reply(sent->place);
    if (bytes > 0 && bytes <= decoder->request->reply_fixed - out_at) {
        copy_out(sent->memory, decoder->reply + out_at, bytes);
    }
    return 0;
}

/* One image on its way back to the caller. */
struct image_decoder {
    struct decoder *decoder;
    const uint8_t *request; /* the image as it was sent, places inside; NULL: only room was sent */
    uint8_t *memory;        /* the caller's */
    uint8_t *fresh;         /* private copy of what came back, or NULL: nothing does */
};

static struct sent sent_spot(const struct image_decoder *image, const struct frame_spot *spot)
{
    struct sent sent = {
        .type = spot->type,
        .memory = pointer_at(image->memory + spot->at),
        .before = image->decoder->before,
        .after = image->decoder->after,
    };
    if (image->request && !spot->other) {
        sent.place = word_at(image->request + spot->at);
        sent.before.image = image->request + spot->owner_at;
    }
    sent.before.owner = spot->owner;
    sent.after.owner = spot->owner;
    sent.after.image = image->fresh ? image->fresh + spot->owner_at : sent.before.image;
    return sent;
}

/* A string that was sent, with its NUL. In the arena it may have changed since. */
static uint64_t string_bytes(const struct decoder *decoder, const struct sent *sent)
{
    if (sent->place & FRAME_IN_ARENA) {
        return strnlen((const char *)sent->memory,
                       arena_room(&decoder->arena, sent->memory, LIMIT_STRING_BYTES)) +
               1;
    }
    return strlen((const char *)decoder->request_memory + place_request(sent->place)) + 1;
}

/* Bytes that a sent pointer points to: what the callee may have moved it over. */
static uint64_t sent_bytes(const struct decoder *decoder, const struct sent *sent)
{
    uint64_t bytes;
    if (sent->place == 0) {
        return 0;
    }
    if (sent->type->kind == CORDON_PLAN_STRING) {
        uint64_t room = 0;
        if (sent->type->code != CORDON_PLAN_NONE) {
            room = sent_count(decoder, sent);
        }
        if (sent->type->direction & CORDON_PLAN_IN) {
            uint64_t string = string_bytes(decoder, sent);
            room = string > room ? string : room;
        }
        return room;
    }
    return __builtin_mul_overflow(sent_count(decoder, sent),
                                  element_bytes(pointer_target(decoder->plan, sent->type)), &bytes)
               ? 0
               : bytes;
}

/*
 * What the caller's pointer becomes: NULL, moved on, or left as it is where the callee's lies
 * elsewhere.
 */
static void move_pointer(const struct image_decoder *image, const struct frame_spot *spot,
                         struct sent *sent)
{
    uint64_t word = word_at(image->fresh + spot->at);
    uint8_t *pointer = sent->memory;
    if (word == 0 || sent->place == 0) {
        pointer = NULL;
    } else if (word - 1 <= sent_bytes(image->decoder, sent)) {
        pointer += word - 1;
        sent->moved = word != 1;
    }
    memcpy(image->fresh + spot->at, &pointer, sizeof pointer);
}

/* Members that are no memory of the caller's. */
static int decode_member(const struct image_decoder *image, const struct frame_spot *spot)
{
    uint8_t *member = image->fresh + spot->at;
    uint64_t word = word_at(member);
    void *object = pointer_at(image->memory + spot->at);
    int r = 0;
    switch (spot->type->kind) {
    case CORDON_PLAN_HANDLE:
        r = word_to_object(image->decoder->hooks, image->decoder->plan, spot->type, word, &object,
                           image->decoder->why);
        memcpy(member, &object, sizeof object);
        break;
    case CORDON_PLAN_WITHIN: /* behind a pointer; members of structs are refused by plans */
        /* A place outside is none. */
        put_word(member,
                 decode_is_within(image->decoder, spot->type, word) ? word - 1 : UINT64_MAX);
        break;
    default: /* callbacks stay what the caller made them */
        if (!image->request || spot->other) {
            object = NULL;
        }
        memcpy(member, &object, sizeof object);
        break;
    }
    return r;
}

static int decode_spot(void *context, const struct frame_spot *spot)
{
    const struct image_decoder *image = context;
    if (spot->type->kind != CORDON_PLAN_POINTER && spot->type->kind != CORDON_PLAN_STRING) {
        return image->fresh ? decode_member(image, spot) : 0;
    }
    struct sent sent = sent_spot(image, spot);
    if (image->fresh) {
        move_pointer(image, spot, &sent);
    }
    return decode_sent(image->decoder, &sent);
}

/* Which members of unions are in use, the object that came back tells; the rest of them is zeroed. */
static int decode_image(struct image_decoder *image, const struct cordon_plan_type *target)
{
    const struct image_walk walk = {
        .plan = image->decoder->plan,
        .visit = decode_spot,
        .context = image,
        .image = image->fresh ? image->fresh : image->request,
        .before = image->request,
        .clean = image->fresh,
    };
    return image_walk(&walk, target);
}

int decode_images(struct decoder *decoder, const struct cordon_plan_type *target, uint64_t count,
                  uint64_t place, uint8_t *memory, bool back)
{
    uint32_t in_at = place_request(place);
    uint32_t out_at = place_reply(place);
    uint64_t bytes = count * element_bytes(target);
    if (back && (out_at == 0 || bytes > decoder->request->reply_fixed - out_at)) {
        return 0;
    }
    uint8_t *fresh = NULL;
    if (back) {
        fresh = malloc(bytes + 1);
        if (!fresh) {
            return -ENOMEM;
        }
        copy_out(fresh, decoder->reply + out_at, bytes);
    }
    int r = 0;
    for (uint64_t i = 0; i < count && r == 0; i++) {
        size_t offset = (size_t)i * target->size;
        struct image_decoder image = {
            .decoder = decoder,
            .request = in_at ? decoder->request_memory + in_at + offset : NULL,
            .memory = memory + offset,
            .fresh = fresh ? fresh + offset : NULL,
        };
        r = image.request || image.fresh ? decode_image(&image, target) : 0;
    }
    if (back && r == 0 && bytes > 0) {
        memcpy(memory, fresh, bytes);
    }
    free(fresh);
    return r;
}

int decode_argument(struct decoder *decoder, uint32_t index, const struct cordon_value *value)
{
    const struct cordon_plan_param *param =
        plan_function_param(decoder->plan, decoder->function, index);
    return decode_sent(decoder, &(struct sent){
                                    .type = plan_type(decoder->plan, param->type),
                                    .place = decoder->request->words[param->in_word],
                                    .memory = value->memory,
                                    .given = value->count,
                                    .before = decoder->before,
                                    .after = decoder->after,
                                });
}

uint64_t decode_argument_bytes(const struct decoder *decoder, uint32_t index,
                               const struct cordon_value *value)
{
    const struct cordon_plan_param *param =
        plan_function_param(decoder->plan, decoder->function, index);
    if (param->passing != CORDON_PLAN_PASS_BYTES || !value || value->kind != CORDON_VALUE_MEMORY) {
        return 0;
    }
    return sent_bytes(decoder, &(struct sent){
                                   .type = plan_type(decoder->plan, param->type),
                                   .place = decoder->request->words[param->in_word],
                                   .memory = value->memory,
                                   .given = value->count,
                                   .before = decoder->before,
                                   .after = decoder->after,
                               });
}
