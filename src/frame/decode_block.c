/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/decode.h"

#include "base/limits.h"

#include <errno.h>

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

uint64_t decode_sent_count(const struct decoder *decoder, const struct sent *sent)
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
static int decode_string(struct decoder *decoder, const struct sent *sent)
{
    uint32_t out_at = place_reply(sent->place);
    uint64_t room = 0;
    uint64_t sent_bytes = 0;
    if (sent->type->direction & CORDON_PLAN_IN) {
        const char *string = (const char *)decoder->request_memory + place_request(sent->place);
        sent_bytes = strlen(string) + 1;
    }
    room = sent->type->code == CORDON_PLAN_NONE && sent_bytes ? sent_bytes
                                                              : decode_sent_count(decoder, sent);
    if (out_at == 0 || room == 0 || room > decoder->request->reply_fixed - out_at) {
        return 0;
    }
    uint64_t most = room;
    if (sent->type->length_code != CORDON_PLAN_NONE) {
        most = returned_count(sent, room);
    }
    struct decode_write *write = decode_write_copy(decoder, sent->memory, most + 1);
    if (!write) {
        return -ENOMEM;
    }
    copy_out(write->copy, decoder->reply + out_at, most);
    write->copy[most] = '\0'; /* written where the length tells that the text ends there */
    uint64_t bytes = strnlen((const char *)write->copy, most);
    bytes += bytes < most ? 1 : 0;
    bytes = sent_bytes > bytes && sent_bytes <= most ? sent_bytes : bytes;
    write->bytes = bytes == most && most < room ? most + 1 : bytes;
    return 0;
}

bool decode_plain(const struct decoder *decoder, const struct sent *sent,
                  const struct cordon_plan_type *target, uint64_t *ret_bytes, uint32_t *ret_at)
{
    if (sent->place == 0 || sent->place & FRAME_IN_ARENA || !sent->memory ||
        !(sent->type->direction & CORDON_PLAN_OUT)) {
        return false;
    }
    *ret_bytes = returned_count(sent, decode_sent_count(decoder, sent)) * element_bytes(target);
    *ret_at = place_reply(sent->place);
    return *ret_bytes > 0 && *ret_bytes <= decoder->request->reply_fixed - *ret_at;
}

int decode_sent(struct decoder *decoder, const struct sent *sent)
{
    if (sent->place == 0 || sent->place & FRAME_IN_ARENA || !sent->memory) {
        return 0;
    }
    bool out = sent->type->direction & CORDON_PLAN_OUT;
    if (sent->type->kind == CORDON_PLAN_STRING) {
        return out ? decode_string(decoder, sent) : 0;
    }
    const struct cordon_plan_type *target = pointer_target(decoder->plan, sent->type);
    if (!image_is_plain(decoder->plan, target)) {
        uint64_t room = decode_sent_count(decoder, sent);
        uint64_t back = out ? returned_count(sent, room) : room;
        return decode_images(decoder, target, back, sent->place, sent->memory, out);
    }
    uint64_t bytes;
    uint32_t at;
    return decode_plain(decoder, sent, target, &bytes, &at)
               ? decode_write_plain(decoder, sent->memory, at, bytes, target)
               : 0;
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

uint64_t decode_sent_bytes(const struct decoder *decoder, const struct sent *sent)
{
    uint64_t bytes;
    if (sent->place == 0) {
        return 0;
    }
    if (sent->type->kind == CORDON_PLAN_STRING) {
        uint64_t room = 0;
        if (sent->type->code != CORDON_PLAN_NONE) {
            room = decode_sent_count(decoder, sent);
        }
        if (sent->type->direction & CORDON_PLAN_IN) {
            uint64_t string = string_bytes(decoder, sent);
            room = string > room ? string : room;
        }
        return room;
    }
    return __builtin_mul_overflow(decode_sent_count(decoder, sent),
                                  element_bytes(pointer_target(decoder->plan, sent->type)), &bytes)
               ? 0
               : bytes;
}

struct sent decode_sent_argument(const struct decoder *decoder, uint32_t index,
                                 const struct cordon_value *value)
{
    const struct cordon_plan_param *param =
        plan_function_param(decoder->plan, decoder->function, index);
    return (struct sent){
        .type = plan_type(decoder->plan, param->type),
        .place = decoder->request->words[param->in_word],
        .memory = value->memory,
        .given = value->count,
        .before = decoder->before,
        .after = decoder->after,
    };
}
