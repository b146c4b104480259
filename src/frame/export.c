/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/export.h"

#include "base/limits.h"
#include "frame/scratch.h"

#include <errno.h>

static int reserve(struct exporter *exporter, uint64_t bytes, uint32_t *ret_at)
{
    uint64_t at = ((uint64_t)exporter->at + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
    uint32_t limit = exporter->call->reply_bytes_max;
    if (at > limit || bytes > limit - at || !exporter->call->reply) {
        return message_set(exporter->why, -ENOSPC,
                           "'%s' returned %llu bytes, more than its reply has room for (%u bytes, "
                           "LIMIT_DYNAMIC_ROOM)",
                           plan_name(exporter->call->plan, exporter->function->name),
                           (unsigned long long)bytes, limit - exporter->call->reply_fixed);
    }
    exporter->at = (uint32_t)(at + bytes);
    *ret_at = (uint32_t)at;
    return 0;
}

static int export_string(struct exporter *exporter, const char *string, uint64_t *ret_word)
{
    uint32_t at = 0;
    size_t most = arena_room(&exporter->call->arena, string, LIMIT_STRING_BYTES + 1ull);
    size_t length = strnlen(string, most);
    if (length > LIMIT_STRING_BYTES) {
        return message_set(exporter->why, -E2BIG,
                           "'%s' returned a string of more than %u bytes (LIMIT_STRING_BYTES)",
                           plan_name(exporter->call->plan, exporter->function->name),
                           LIMIT_STRING_BYTES);
    }
    int r = reserve(exporter, length + 1, &at);
    if (r == 0) {
        memcpy(exporter->call->reply + at, string, length);
        exporter->call->reply[at + length] = '\0';
        *ret_word = at | (uint64_t)length << 32;
    }
    return r;
}

struct image_exporter {
    struct exporter *exporter;
    const uint8_t *native;
    uint8_t *reply;
};

static int export_spot(void *context, const struct frame_spot *spot)
{
    struct image_exporter *image = context;
    struct exporter *exporter = image->exporter;
    const struct frame_call *call = exporter->call;
    void *native = pointer_at(image->native + spot->at);
    uint64_t word = 0;
    int r = 0;
    if (spot->type->kind == CORDON_PLAN_POINTER || spot->type->kind == CORDON_PLAN_STRING) {
        struct frame_scope outer = exporter->scope;
        exporter->scope.owner = spot->owner;
        exporter->scope.image = image->native + spot->owner_at;
        r = export_pointer(exporter, spot->type, native, &word);
        exporter->scope = outer;
    } else if (spot->type->kind == CORDON_PLAN_HANDLE) {
        r = object_to_word(call->hooks, call->plan, spot->type, native, &word);
    }
    put_word(image->reply + spot->at, word);
    return r;
}

/* @count images at @images, copied from @memory, as they are in a reply. */
static int export_images(struct exporter *exporter, const struct cordon_plan_type *target,
                         const uint8_t *memory, uint64_t count, uint8_t *images)
{
    int r = 0;
    if (image_is_plain(exporter->call->plan, target)) {
        image_tidy(exporter->call->plan, target, count, images);
        return 0;
    }
    if (exporter->depth >= FRAME_DEPTH_MAX) {
        return message_set(
            exporter->why, -E2BIG, "'%s' returned more than %u nested pointers (FRAME_DEPTH_MAX)",
            plan_name(exporter->call->plan, exporter->function->name), FRAME_DEPTH_MAX);
    }
    exporter->depth++;
    for (uint64_t i = 0; i < count && r == 0; i++) {
        size_t offset = (size_t)i * target->size;
        struct image_exporter image = {exporter, memory + offset, images + offset};
        const struct image_walk walk = {
            .plan = exporter->call->plan,
            .visit = export_spot,
            .context = &image,
            .image = image.native,
            .clean = image.reply,
        };
        r = image_walk(&walk, target);
    }
    exporter->depth--;
    return r;
}

static int export_elements(struct exporter *exporter, const struct cordon_plan_type *target,
                           const uint8_t *memory, uint64_t count, uint64_t *ret_word)
{
    const struct frame_call *call = exporter->call;
    uint64_t bytes;
    uint32_t at = 0;
    if (count > UINT32_MAX || __builtin_mul_overflow(count, element_bytes(target), &bytes)) {
        return message_set(exporter->why, -ENOSPC, "'%s' returned %llu elements, too many",
                           plan_name(call->plan, exporter->function->name),
                           (unsigned long long)count);
    }
    int r = reserve(exporter, bytes, &at);
    if (r < 0) {
        return r;
    }
    *ret_word = at | count << 32;
    uint8_t *reply = call->reply + at;
    bool plain = image_is_plain(call->plan, target);
    if (bytes == 0) {
        return 0;
    }
    /* A host's reply can be seen while it is written: what must not be seen is taken out before. */
    bool apart = !holds_objects(call->hooks) && (!plain || image_is_loose(call->plan, target));
    uint8_t *images = apart ? scratch_take(call->scratch, bytes) : reply;
    if (!images) {
        return -ENOMEM;
    }
    memcpy(images, memory, bytes);
    r = apart || !plain ? export_images(exporter, target, memory, count, images) : 0;
    if (r == 0 && apart) {
        memcpy(reply, images, bytes);
    }
    return r;
}

int export_pointer(struct exporter *exporter, const struct cordon_plan_type *type, void *pointer,
                   uint64_t *ret_word)
{
    *ret_word = 0;
    if (!pointer) {
        return 0;
    }
    uint32_t code = scope_length_code(type);
    if (type->kind == CORDON_PLAN_STRING) {
        return export_string(exporter, pointer, ret_word);
    }
    uint64_t count = 1;
    if (type->flags & CORDON_PLAN_NULL_ENDED) {
        count = null_ended_count(pointer, arena_room(&exporter->call->arena, pointer, SIZE_MAX));
    } else if (code != CORDON_PLAN_NONE) {
        int r = scope_evaluate(&exporter->scope, code, &count);
        if (r < 0) {
            return message_set(exporter->why, r == -ENODATA ? -ERANGE : r,
                               "the length of what '%s' returned cannot be computed",
                               plan_name(exporter->call->plan, exporter->function->name));
        }
    }
    return export_elements(exporter, pointer_target(exporter->call->plan, type), pointer, count,
                           ret_word);
}

int export_object(struct exporter *exporter, const struct cordon_plan_type *type,
                  const void *object, uint64_t *ret_word)
{
    return export_elements(exporter, type, object, 1, ret_word);
}
