/* SPDX-License-Identifier: Apache-2.0 */
/* The request of a call: how much room it may take, and what goes there. */
#include "cell/call.h"

#include <errno.h>
#include <string.h>

#include "cell/cell.h"

static uint32_t saturating_add(uint32_t a, uint64_t b)
{
    return b > UINT32_MAX - 1u - a ? UINT32_MAX - 1u : a + (uint32_t)b;
}

/* Bytes that the arguments of a flat function may take, each way; generous by alignment. */
static uint32_t flat_bytes(const struct call *call)
{
    const struct cordon_function *function = call->function;
    uint32_t bytes = sizeof(struct frame_header) + 2 * CORDON_PLAN_WORDS_MAX * sizeof(uint64_t);
    for (uint32_t i = 0; i < function->record->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(function->plan, function->record, i);
        if (param->position >= call->count || param->passing != CORDON_PLAN_PASS_BYTES) {
            continue;
        }
        const struct cordon_plan_type *type = plan_type(function->plan, param->type);
        const struct cordon_plan_type *target =
            type->target != CORDON_PLAN_NONE ? plan_type(function->plan, type->target) : type;
        uint64_t size = type->kind == CORDON_PLAN_STRING || target->size == 0 ? 1 : target->size;
        uint64_t count = call->args[param->position].count;
        uint64_t most = count < UINT32_MAX ? size * (count + 1) : UINT32_MAX;
        bytes = saturating_add(bytes, most + 2 * FRAME_ALIGN);
    }
    return bytes;
}

/*
 * A place for the call's bytes: alone in flight it may use all there is, and gives back what it does
 * not need; beside others it must say before how much.
 */
static int take_room(struct call *call, struct message *why)
{
    struct cordon_session *session = call->session;
    bool alone = session->pending_count == 0 && session->depth == 0;
    uint32_t request = UINT32_MAX;
    uint32_t reply = UINT32_MAX;
    uint32_t share = session->cell->options.call_bytes / 16u;
    if (!alone) {
        uint32_t flat = flat_bytes(call);
        request = call->function->flat || flat > share ? flat : share;
        reply = call->function->dynamic ? saturating_add(flat, LIMIT_DYNAMIC_ROOM) : request;
    }
    int r = station_room_new(session->station, request, reply, &call->room);
    if (r != 0) {
        return message_set(why, r,
                           r == -E2BIG
                               ? "the arguments take more than the limit of %u bytes of one "
                                 "call (call_bytes)"
                               : "the calls in flight leave no room in the %u bytes of the "
                                 "lane (call_bytes)",
                           session->cell->options.call_bytes);
    }
    call->has_room = true;
    return 0;
}

/* A refusal's sentence comes where the reply would: it is cut where that ends. */
static void leave_room_for_sentence(struct call *call)
{
    struct frame_request *request = &call->request;
    uint32_t most = MESSAGE_BYTES < call->room.reply_bytes ? MESSAGE_BYTES : call->room.reply_bytes;
    if (request->frame_bytes > 0 && request->reply_bytes_max < most) {
        struct frame_header header;
        memcpy(&header, call->room.request, sizeof header);
        request->reply_bytes_max = header.reply_bytes_max = most;
        memcpy(call->room.request, &header, sizeof header);
    }
}

int call_encode(struct call *call, struct message *why)
{
    struct cordon_session *session = call->session;
    const struct cordon_function *function = call->function;
    call->space.request = NULL;
    call->space.request_bytes = 0;
    call->space.reply_bytes = 0;
    call->space.arena.base = session->arena ? arena_base(session->arena) : 0;
    call->space.arena.bytes = session->arena ? arena_bytes(session->arena) : 0;
    call->space.outer.plan = NULL;
    if (!function->mailbox) {
        int r = take_room(call, why);
        if (r != 0) {
            return r;
        }
        call->space.request = call->room.request;
        call->space.request_bytes = call->room.request_bytes;
        call->space.reply_bytes = call->room.reply_bytes;
    }
    int r = frame_encode(function->plan, 0, function->id, call->args, call->count, &session->hooks,
                         &call->space, &call->request, why);
    if (r != 0) {
        return r == -ESTALE ? CORDON_STALE : r;
    }
    if (call->has_room) {
        leave_room_for_sentence(call);
        station_room_shrink(session->station, &call->room, call->request.frame_bytes,
                            call->request.reply_bytes_max);
    }
    return 0;
}
