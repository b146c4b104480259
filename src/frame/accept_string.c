/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/accept.h"

/* Bytes up to and including the NUL of the string at @at, where one byte is at least, or 0. */
static uint64_t string_bytes(const uint8_t *at, uint64_t room)
{
    const uint8_t *end = memchr(at, '\0', room);
    return end ? (uint64_t)(end - at) + 1 : 0;
}

/*
 * The other side may write the arena at any moment, so a host takes its strings out before it
 * relies on their end. A worker trusts its host and uses them where they are.
 */
static int accept_arena_string(struct acceptor *acceptor, const struct cordon_plan_type *type,
                               const uint8_t *string, uint64_t bytes, void **ret_native)
{
    if (holds_objects(acceptor->call->hooks) || !(type->direction & CORDON_PLAN_IN)) {
        *ret_native = pointer_from_word((uintptr_t)string);
        return 0;
    }
    if (type->direction & CORDON_PLAN_OUT && type->code == CORDON_PLAN_NONE) {
        return accept_refuse(acceptor, "is a string in the arena that may grow while it is read");
    }
    if (type->direction & CORDON_PLAN_OUT) {
        *ret_native = pointer_from_word((uintptr_t)string);
        return 0;
    }
    int r = accept_copy(acceptor, type, bytes, ret_native);
    if (r == 0) {
        copy_out(*ret_native, string, bytes);
        ((uint8_t *)*ret_native)[bytes - 1] = '\0';
    }
    return r;
}

int accept_string(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place,
                  const struct frame_scope *scope, void **ret_native, uint64_t *ret_bytes)
{
    *ret_native = NULL;
    *ret_bytes = 0;
    if (place == 0) {
        return 0;
    }
    bool in = type->direction & CORDON_PLAN_IN;
    bool out = type->direction & CORDON_PLAN_OUT;
    uint64_t capacity = 0;
    struct accept_place judged;
    int r = accept_judge(acceptor, place, type->direction, in ? 1 : 0, 0, &judged);
    if (r == 0 && out && type->code != CORDON_PLAN_NONE) {
        r = accept_count(acceptor, type, place, scope, &capacity);
    }
    if (r < 0) {
        return r;
    }
    const uint8_t *start = judged.arena ? judged.arena : judged.request;
    const uint8_t *limit =
        judged.arena ? pointer_from_word(acceptor->call->arena.base + acceptor->call->arena.bytes)
                     : acceptor->call->request + acceptor->call->request_bytes;
    uint64_t in_bytes = in && start ? string_bytes(start, (uint64_t)(limit - start)) : 0;
    if (in && in_bytes == 0) {
        return accept_refuse(acceptor, "is a string without an end");
    }
    r = accept_charge(acceptor, judged.arena ? 0 : in_bytes);
    uint64_t out_bytes = !out ? 0 : type->code != CORDON_PLAN_NONE ? capacity : in_bytes;
    if (r == 0 && out && in_bytes > out_bytes) {
        r = accept_refuse(acceptor, "is a string longer than its room");
    }
    r = r < 0 ? r : accept_judge(acceptor, place, type->direction, in_bytes, out_bytes, &judged);
    if (r < 0) {
        return r;
    }
    *ret_bytes = in_bytes > out_bytes ? in_bytes : out_bytes;
    if (judged.arena) {
        return accept_arena_string(acceptor, type, judged.arena, *ret_bytes, ret_native);
    }
    return accept_plain(acceptor, type, &judged, in_bytes, out_bytes, ret_native);
}
