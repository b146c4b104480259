/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/decode.h"
#include "frame/given.h"

#include <errno.h>

/* One look at all pointers of one depth: on the way there are only such as were found unchanged. */
struct look {
    const struct decoder *decoder;
    uint32_t depth; /* of the pointers looked at */
    uint32_t at;    /* of those met */
    uint64_t sum;
    bool shrank; /* a length is less than it was */
};

/* One object that was sent: its image, and the caller's memory that it was made from. */
struct given_object {
    struct look *look;
    const uint8_t *request;
    const uint8_t *memory;
};

static void look_at_objects(struct look *look, const struct cordon_plan_type *target,
                            uint64_t count, uint64_t place, const uint8_t *memory);

/* Whether the caller's object says of @spot that there is less than there was. */
static bool has_shrunk(const struct given_object *object, const struct frame_spot *spot)
{
    struct frame_scope scope = object->look->decoder->before;
    uint64_t was;
    uint64_t is;
    if (spot->type->code == CORDON_PLAN_NONE || !spot->owner) {
        return false;
    }
    scope.owner = spot->owner;
    scope.image = object->request + spot->owner_at;
    if (scope_evaluate(&scope, spot->type->code, &was) < 0) {
        return true;
    }
    scope.image = object->memory + spot->owner_at;
    return scope_evaluate(&scope, spot->type->code, &is) < 0 || is < was;
}

static void look_behind(const struct given_object *object, const struct frame_spot *spot,
                        uint64_t place, const uint8_t *memory)
{
    const struct decoder *decoder = object->look->decoder;
    struct sent sent = {.type = spot->type, .place = place, .before = decoder->before};
    const struct cordon_plan_type *target = pointer_target(decoder->plan, spot->type);
    if (image_is_plain(decoder->plan, target)) {
        return;
    }
    sent.before.owner = spot->owner;
    sent.before.image = object->request + spot->owner_at;
    look_at_objects(object->look, target, decode_sent_count(decoder, &sent), place, memory);
}

static int look_at_spot(void *context, const struct frame_spot *spot)
{
    const struct given_object *object = context;
    struct look *look = object->look;
    uint64_t place = word_at(object->request + spot->at);
    const uint8_t *memory = pointer_at(object->memory + spot->at);
    if (spot->type->kind != CORDON_PLAN_POINTER && spot->type->kind != CORDON_PLAN_STRING) {
        return 0;
    }
    if (look->at == look->depth) {
        look->sum += given_mark(memory, place);
        look->shrank = look->shrank || (place != 0 && has_shrunk(object, spot));
    } else if (spot->type->kind == CORDON_PLAN_POINTER) {
        look_behind(object, spot, place, memory);
    }
    return 0;
}

static void look_at_object(struct look *look, const struct cordon_plan_type *type,
                           const uint8_t *request, const uint8_t *memory)
{
    struct given_object object = {.look = look, .request = request, .memory = memory};
    (void)image_walk(&(struct image_walk){.plan = look->decoder->plan,
                                          .visit = look_at_spot,
                                          .context = &object,
                                          .image = request},
                     type);
}

/* As they were encoded: none where only room was sent, or nothing, or where both sides see them. */
static void look_at_objects(struct look *look, const struct cordon_plan_type *target,
                            uint64_t count, uint64_t place, const uint8_t *memory)
{
    uint32_t in_at = place_request(place);
    if (in_at == 0 || place & FRAME_IN_ARENA || look->at == look->depth) {
        return;
    }
    look->at++;
    for (uint64_t i = 0; i < count; i++) {
        size_t offset = (size_t)i * target->size;
        look_at_object(look, target, look->decoder->request_memory + in_at + offset,
                       memory + offset);
    }
    look->at--;
}

static void look_at_argument(struct look *look, uint32_t index)
{
    const struct decoder *decoder = look->decoder;
    const struct cordon_plan_param *param =
        plan_function_param(decoder->plan, decoder->function, index);
    const struct cordon_plan_type *type = plan_type(decoder->plan, param->type);
    const struct cordon_value *value = decode_memory_of(decoder, param);
    if (!value || param->passing != CORDON_PLAN_PASS_BYTES) {
        return;
    }
    struct sent sent = decode_sent_argument(decoder, index, value);
    if (type->kind == CORDON_PLAN_STRUCT) {
        look_at_object(look, type, decoder->request_memory + place_request(sent.place),
                       sent.memory);
    } else if (type->kind == CORDON_PLAN_POINTER) {
        const struct cordon_plan_type *target = pointer_target(decoder->plan, type);
        if (!image_is_plain(decoder->plan, target)) {
            look_at_objects(look, target, decode_sent_count(decoder, &sent), sent.place,
                            sent.memory);
        }
    }
}

static bool is_as_given(const struct decoder *decoder, uint32_t depth)
{
    if (depth == 0) {
        return given_arguments(decoder->args, decoder->count) == decoder->request->given[0];
    }
    struct look look = {.decoder = decoder, .depth = depth, .at = 1};
    for (uint32_t i = 0; i < decoder->function->param_count; i++) {
        look_at_argument(&look, i);
    }
    return look.sum == decoder->request->given[depth] && !look.shrank;
}

int decode_check_given(struct decoder *decoder)
{
    for (uint32_t depth = 0; depth < decoder->request->given_depth; depth++) {
        if (!is_as_given(decoder, depth)) {
            return message_set(decoder->why, -EFAULT,
                               "memory of an argument of '%s' was changed while the call was under "
                               "way (a pointer, a length beside one, or the list of arguments): "
                               "nothing of what came back was written",
                               plan_name(decoder->plan, decoder->function->name));
        }
    }
    return 0;
}
