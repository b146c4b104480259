/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/accept.h"

#include <errno.h>

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
                         const struct cordon_plan_type *target, const struct accept_place *place,
                         uint64_t count, uint64_t bytes, void **ret_native)
{
    void *native;
    int r = accept_copy(acceptor, type, bytes, &native);
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
    r = accept_charge(acceptor, 2 * bytes);
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
    return accept_remember(acceptor, &(struct frame_block){
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
            return accept_charge(acceptor, *ret_count * sizeof(void *));
        }
        ++*ret_count;
    }
    return accept_refuse(acceptor, "has no NULL at its end");
}

bool accept_is_worker(const struct acceptor *acceptor)
{
    return holds_objects(acceptor->call->hooks);
}

int accept_count(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place,
                 const struct frame_scope *scope, uint64_t *ret_count)
{
    if (type->flags & CORDON_PLAN_NULL_ENDED) {
        return ended_count(acceptor, place, ret_count);
    }
    *ret_count = 1;
    if (type->code == CORDON_PLAN_NONE) {
        return 0;
    }
    int r = scope_evaluate(scope, type->code, ret_count);
    if (r == -ENODATA && !(type->direction & CORDON_PLAN_IN) && accept_is_worker(acceptor)) {
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
    struct accept_place judged;
    r = accept_judge(acceptor, place, type->direction, bytes, bytes, &judged);
    if (r < 0) {
        return r;
    }
    *ret_bytes = bytes;
    if (bytes == 0 && !accept_is_worker(acceptor)) {
        /* `*name` in another length reads one element: at the end of a reply or arena there is none. */
        r = accept_charge(acceptor, element_bytes(target));
        *ret_native = r < 0 ? NULL : scratch_take(acceptor->scratch, element_bytes(target));
        if (*ret_native) {
            memset(*ret_native, 0, element_bytes(target));
        }
        return r < 0 ? r : *ret_native ? 0 : -ENOMEM;
    }
    if (judged.arena && ended && !accept_is_worker(acceptor)) {
        return accept_refuse(acceptor, "ends by a NULL in the arena that may go while it is read");
    }
    if (judged.arena) {
        *ret_native = judged.arena;
        return 0;
    }
    bool tidies = !accept_is_worker(acceptor) && image_is_loose(acceptor->call->plan, target);
    return image_is_plain(acceptor->call->plan, target) && !tidies
               ? accept_plain(acceptor, type, &judged, bytes, bytes, ret_native)
               : accept_images(acceptor, type, target, &judged, count, bytes, ret_native);
}

int accept_struct(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place,
                  void **ret_native)
{
    struct accept_place judged;
    if (place & FRAME_IN_ARENA) {
        return accept_refuse(acceptor, "is a struct by value, but its place is in the arena");
    }
    int r = accept_judge(acceptor, place, CORDON_PLAN_IN, type->size, 0, &judged);
    return r < 0 ? r : accept_images(acceptor, type, type, &judged, 1, type->size, ret_native);
}
