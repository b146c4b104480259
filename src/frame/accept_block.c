/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/accept.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* A place taken apart and judged; each half is only set if its direction is there. */
struct place {
    uint8_t *arena;
    const uint8_t *request;
    uint8_t *reply;
    uint32_t reply_at;
};

/*
 * Every byte looked at or copied is paid for: a small request whose pointers all name the same
 * bytes cannot cause more work than its size allows.
 */
static int charge(struct acceptor *acceptor, uint64_t bytes)
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

static int judge_place(struct acceptor *acceptor, uint64_t word, uint8_t direction,
                       uint64_t in_bytes, uint64_t out_bytes, struct place *ret_place)
{
    *ret_place = (struct place){0};
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

/* Private memory for a copy: with the lifetime that @type says, or of this call. */
static int take_copy(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t bytes,
                     void **ret_copy)
{
    const struct frame_hooks *hooks = acceptor->call->hooks;
    int r = charge(acceptor, bytes);
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

/* Have @native copied to its place in the reply after the call. */
static int remember(struct acceptor *acceptor, const struct frame_block *block)
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

/* Bytes without pointers inside. */
static int accept_plain(struct acceptor *acceptor, const struct cordon_plan_type *type,
                        const struct place *place, uint64_t in_bytes, uint64_t out_bytes,
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
        int r = take_copy(acceptor, type, bytes, &memory);
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
    return place->reply && kept ? remember(acceptor,
                                           &(struct frame_block){
                                               .bytes = out_bytes,
                                               .native = memory,
                                               .reply_at = place->reply_at,
                                           })
                                : 0;
}

/* An image whose places become pointers. */
struct image_acceptor {
    struct acceptor *acceptor;
    uint8_t *image;
    uint8_t *extents;
};

static int accept_spot(void *context, const struct frame_spot *spot)
{
    struct image_acceptor *image = context;
    struct acceptor *acceptor = image->acceptor;
    struct frame_call *call = acceptor->call;
    struct frame_scope scope = acceptor->scope;
    scope.owner = spot->owner;
    scope.image = image->image + spot->owner_at;
    uint64_t word = word_at(image->image + spot->at);
    void *native = NULL;
    uint64_t bytes = 0;
    int r = 0;
    switch (spot->type->kind) {
    case CORDON_PLAN_POINTER:
        r = accept_pointer(acceptor, spot->type, word, &scope, &native, &bytes);
        break;
    case CORDON_PLAN_STRING:
        r = accept_string(acceptor, spot->type, word, &scope, &native, &bytes);
        break;
    case CORDON_PLAN_HANDLE:
        r = word_to_object(call->hooks, call->plan, spot->type, word, &native, acceptor->why);
        break;
    case CORDON_PLAN_CALLBACK:
        r = accept_callback(acceptor, spot->type, word, &native);
        break;
    default:
        break;
    }
    memcpy(image->image + spot->at, &native, sizeof native);
    if (image->extents) {
        put_word(image->extents + spot->at, bytes);
    }
    return r;
}

static int patch_images(struct acceptor *acceptor, const struct cordon_plan_type *target,
                        uint64_t count, uint8_t *images, uint8_t *extents)
{
    if (acceptor->scratch->depth >= FRAME_DEPTH_MAX) {
        return accept_refuse(acceptor, "nests pointers deeper than FRAME_DEPTH_MAX");
    }
    acceptor->scratch->depth++;
    int r = 0;
    for (uint64_t i = 0; i < count && r == 0; i++) {
        size_t offset = (size_t)i * target->size;
        struct image_acceptor image = {
            .acceptor = acceptor,
            .image = images + offset,
            .extents = extents ? extents + offset : NULL,
        };
        const struct image_walk walk = {
            .plan = acceptor->call->plan,
            .visit = accept_spot,
            .context = &image,
            .image = image.image,
            .clean = image.image,
            .unknown = -EBADR,
        };
        r = image_walk(&walk, target);
        if (r == -EBADR) {
            r = accept_refuse(acceptor, "has a union whose selector is none of its cases");
        }
    }
    acceptor->scratch->depth--;
    return r;
}

static int accept_images(struct acceptor *acceptor, const struct cordon_plan_type *type,
                         const struct cordon_plan_type *target, const struct place *place,
                         uint64_t count, uint64_t bytes, void **ret_native)
{
    void *native;
    int r = take_copy(acceptor, type, bytes, &native);
    if (r < 0) {
        return r;
    }
    *ret_native = native;
    if (place->request) {
        memcpy(native, place->request, bytes);
    } else {
        memset(native, 0, bytes);
    }
    if (!place->reply) {
        return patch_images(acceptor, target, count, native, NULL);
    }
    r = charge(acceptor, 2 * bytes);
    uint8_t *original = r < 0 ? NULL : scratch_take(acceptor->scratch, bytes);
    uint8_t *extents = r < 0 ? NULL : scratch_take(acceptor->scratch, bytes);
    if (!original || !extents) {
        return r < 0 ? r : -ENOMEM;
    }
    memset(extents, 0, bytes);
    r = place->request ? patch_images(acceptor, target, count, native, extents) : 0;
    if (r < 0) {
        return r;
    }
    memcpy(original, native, bytes);
    return remember(acceptor, &(struct frame_block){
                                  .target = target,
                                  .count = count,
                                  .bytes = bytes,
                                  .native = native,
                                  .original = original,
                                  .extents = extents,
                                  .reply_at = place->reply_at,
                              });
}

/* Elements of pointers up to their NULL, which must be there. */
static int ended_count(struct acceptor *acceptor, uint64_t place, uint64_t *ret_count)
{
    const struct frame_call *call = acceptor->call;
    uint64_t at = place_request(place);
    *ret_count = 0;
    if (place & FRAME_IN_ARENA || at == 0) {
        return 0;
    }
    for (; at + sizeof(void *) <= call->request_bytes; at += sizeof(void *)) {
        if (word_at(call->request + at) == 0) {
            return charge(acceptor, *ret_count * sizeof(void *));
        }
        ++*ret_count;
    }
    return accept_refuse(acceptor, "has no NULL at its end");
}

/* Whether the sender is trusted: a worker believes its host, a host nothing that a worker sends. */
static bool is_worker(const struct acceptor *acceptor)
{
    return holds_objects(acceptor->call->hooks);
}

static int accept_count(struct acceptor *acceptor, const struct cordon_plan_type *type,
                        uint64_t place, const struct frame_scope *scope, uint64_t *ret_count)
{
    if (type->flags & CORDON_PLAN_NULL_ENDED) {
        return ended_count(acceptor, place, ret_count);
    }
    *ret_count = 1;
    if (type->code == CORDON_PLAN_NONE) {
        return 0;
    }
    int r = scope_evaluate(scope, type->code, ret_count);
    if (r == -ENODATA && !(type->direction & CORDON_PLAN_IN) && is_worker(acceptor)) {
        *ret_count = 0; /* told after the call: the sender's own room is the limit */
        return 0;
    }
    return r < 0 ? accept_refuse(acceptor, "has a length that cannot be computed") : 0;
}

int accept_pointer(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place,
                   const struct frame_scope *scope, void **ret_native, uint64_t *ret_bytes)
{
    *ret_native = NULL;
    *ret_bytes = 0;
    if (place == 0) {
        return 0;
    }
    const struct cordon_plan_type *target = pointer_target(acceptor->call->plan, type);
    uint64_t count;
    uint64_t bytes;
    int r = accept_count(acceptor, type, place, scope, &count);
    if (r < 0) {
        return r;
    }
    bool ended = type->flags & CORDON_PLAN_NULL_ENDED;
    if (__builtin_mul_overflow(count, element_bytes(target), &bytes)) {
        return accept_refuse(acceptor, "is larger than memory can be");
    }
    bytes += ended ? sizeof(void *) : 0; /* a count that was found in the request is small */
    struct place judged;
    r = judge_place(acceptor, place, type->direction, bytes, bytes, &judged);
    if (r < 0) {
        return r;
    }
    *ret_bytes = bytes;
    if (bytes == 0 && !is_worker(acceptor)) {
        /* `*name` in another length reads one element: at the end of a reply or arena there is none. */
        r = charge(acceptor, element_bytes(target));
        *ret_native = r < 0 ? NULL : scratch_take(acceptor->scratch, element_bytes(target));
        if (*ret_native) {
            memset(*ret_native, 0, element_bytes(target));
        }
        return r < 0 ? r : *ret_native ? 0 : -ENOMEM;
    }
    if (judged.arena && ended && !is_worker(acceptor)) {
        return accept_refuse(acceptor, "ends by a NULL in the arena that may go while it is read");
    }
    if (judged.arena) {
        *ret_native = judged.arena;
        return 0;
    }
    bool tidies = !is_worker(acceptor) && image_is_loose(acceptor->call->plan, target);
    return image_is_plain(acceptor->call->plan, target) && !tidies
               ? accept_plain(acceptor, type, &judged, bytes, bytes, ret_native)
               : accept_images(acceptor, type, target, &judged, count, bytes, ret_native);
}

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
    int r = take_copy(acceptor, type, bytes, ret_native);
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
    struct place judged;
    int r = judge_place(acceptor, place, type->direction, in ? 1 : 0, 0, &judged);
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
    r = charge(acceptor, judged.arena ? 0 : in_bytes);
    uint64_t out_bytes = !out ? 0 : type->code != CORDON_PLAN_NONE ? capacity : in_bytes;
    if (r == 0 && out && in_bytes > out_bytes) {
        r = accept_refuse(acceptor, "is a string longer than its room");
    }
    r = r < 0 ? r : judge_place(acceptor, place, type->direction, in_bytes, out_bytes, &judged);
    if (r < 0) {
        return r;
    }
    *ret_bytes = in_bytes > out_bytes ? in_bytes : out_bytes;
    if (judged.arena) {
        return accept_arena_string(acceptor, type, judged.arena, *ret_bytes, ret_native);
    }
    return accept_plain(acceptor, type, &judged, in_bytes, out_bytes, ret_native);
}

int accept_struct(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place,
                  void **ret_native)
{
    struct place judged;
    if (place & FRAME_IN_ARENA) {
        return accept_refuse(acceptor, "is a struct by value, but its place is in the arena");
    }
    int r = judge_place(acceptor, place, CORDON_PLAN_IN, type->size, 0, &judged);
    return r < 0 ? r : accept_images(acceptor, type, type, &judged, 1, type->size, ret_native);
}
