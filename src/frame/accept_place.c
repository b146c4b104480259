/* SPDX-License-Identifier: Apache-2.0 */
/* Places judged, and memory for what lies there. */
#include "frame/accept.h"

#include <assert.h>
#include <errno.h>

int accept_charge(struct acceptor *acceptor, uint64_t bytes)
{
    uint64_t cost = bytes + FRAME_ALIGN;
    if (cost < bytes || cost > acceptor->scratch->budget) {
        return accept_refuse(acceptor, "uses the frame's bytes too many times");
    }
    acceptor->scratch->budget -= cost;
    return 0;
}

static int judge_request(struct acceptor *acceptor, uint32_t at, uint64_t bytes,
                         const uint8_t **ret_request)
{
    const struct frame_call *call = acceptor->call;
    assert(call->request); /* the header was judged */
    if (at < request_start(acceptor->function) || at % FRAME_ALIGN != 0 ||
        at > call->request_bytes || bytes > call->request_bytes - at) {
        return accept_refuse(acceptor, "lies outside the request");
    }
    *ret_request = call->request + at;
    return 0;
}

static int judge_reply(struct acceptor *acceptor, uint32_t at, uint64_t bytes, uint8_t **ret_reply)
{
    const struct frame_call *call = acceptor->call;
    if (!call->reply || at < reply_start(acceptor->function) || at % FRAME_ALIGN != 0 ||
        at > call->reply_fixed || bytes > call->reply_fixed - at) {
        return accept_refuse(acceptor, "lies outside the reply");
    }
    *ret_reply = call->reply + at;
    return 0;
}

int accept_judge(struct acceptor *acceptor, uint64_t word, uint8_t direction, uint64_t in_bytes,
                 uint64_t out_bytes, struct accept_place *ret_place)
{
    *ret_place = (struct accept_place){0};
    if (word & FRAME_IN_ARENA) {
        uintptr_t address = (uintptr_t)(word & ~FRAME_IN_ARENA);
        if (!arena_holds(&acceptor->call->arena, address,
                         in_bytes > out_bytes ? in_bytes : out_bytes)) {
            return accept_refuse(acceptor, "lies outside the arena");
        }
        ret_place->arena = pointer_from_word(address);
        return 0;
    }
    bool in = direction & CORDON_PLAN_IN;
    bool out = direction & CORDON_PLAN_OUT;
    if (word & (1ull << 31) || (place_request(word) != 0) != in ||
        (place_reply(word) != 0) != out) {
        return accept_refuse(acceptor, "has a place that its direction does not allow");
    }
    ret_place->reply_at = place_reply(word);
    int r = in ? judge_request(acceptor, place_request(word), in_bytes, &ret_place->request) : 0;
    return r == 0 && out ? judge_reply(acceptor, ret_place->reply_at, out_bytes, &ret_place->reply)
                         : r;
}

int accept_copy(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t bytes,
                void **ret_copy)
{
    const struct frame_hooks *hooks = acceptor->call->hooks;
    int r = accept_charge(acceptor, bytes);
    if (r < 0) {
        return r;
    }
    if (type->flags & CORDON_PLAN_KEPT && hooks && hooks->keep) {
        *ret_copy = hooks->keep(hooks->context, acceptor->call->plan, type, acceptor->param, bytes);
    } else {
        *ret_copy = scratch_take(acceptor->scratch, bytes);
    }
    return *ret_copy ? 0 : message_set(acceptor->why, -ENOMEM, "no memory for an argument's copy");
}

int accept_remember(struct acceptor *acceptor, const struct frame_block *block)
{
    struct frame_block *copy = scratch_take(acceptor->scratch, sizeof *copy);
    if (!copy) {
        return -ENOMEM;
    }
    *copy = *block;
    copy->next = acceptor->scratch->blocks;
    acceptor->scratch->blocks = copy;
    return 0;
}

/* OUT memory may hold bytes of an earlier call: small objects and the start of texts look fresh. */
static void freshen(uint8_t *memory, uint64_t bytes)
{
    if (bytes > 0) {
        memset(memory, 0, bytes <= FRAME_ZEROED_BYTES ? bytes : 1);
    }
}

int accept_plain(struct acceptor *acceptor, const struct cordon_plan_type *type,
                 const struct accept_place *place, uint64_t in_bytes, uint64_t out_bytes,
                 void **ret_native)
{
    bool kept = type->flags & CORDON_PLAN_KEPT;
    uint64_t bytes = in_bytes > out_bytes ? in_bytes : out_bytes;
    if (!place->reply && !kept && acceptor->call->read_only_request &&
        type->flags & CORDON_PLAN_CONST) {
        *ret_native = pointer_from_word((uintptr_t)place->request);
        return 0;
    }
    void *memory = place->reply;
    if (!memory || kept) {
        int r = accept_copy(acceptor, type, bytes, &memory);
        if (r < 0) {
            return r;
        }
    }
    if (!place->request) {
        freshen(memory, bytes);
    } else if (in_bytes > 0) {
        memcpy(memory, place->request, in_bytes);
    }
    *ret_native = memory;
    return place->reply && kept ? accept_remember(acceptor,
                                                  &(struct frame_block){
                                                      .bytes = out_bytes,
                                                      .native = memory,
                                                      .reply_at = place->reply_at,
                                                  })
                                : 0;
}
