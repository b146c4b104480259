/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/walk.h"

#include <errno.h>

static int walk_object(const struct image_walk *walk, const struct frame_spot *spot);

static int walk_fields(const struct image_walk *walk, const struct frame_spot *spot)
{
    size_t used = 0;
    for (uint32_t i = 0; i <= spot->type->count && walk->clean; i++) {
        bool last = i == spot->type->count;
        const struct cordon_plan_field *field =
            last ? NULL : plan_field(walk->plan, spot->type->first + i);
        size_t at = last ? spot->type->size : field->offset;
        memset(walk->clean + spot->at + used, 0, at - used);
        used = last ? at : at + plan_type(walk->plan, field->type)->size;
    }
    for (uint32_t i = 0; i < spot->type->count; i++) {
        const struct cordon_plan_field *field = plan_field(walk->plan, spot->type->first + i);
        int r = walk_object(walk, &(struct frame_spot){
                                      .type = plan_type(walk->plan, field->type),
                                      .owner = spot->type,
                                      .owner_at = spot->at,
                                      .at = spot->at + field->offset,
                                      .other = spot->other,
                                  });
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

/* The field that the selector in the struct at @owner selects; NULL: none. */
static const struct cordon_plan_field *union_field(const struct plan *plan,
                                                   const struct frame_spot *spot,
                                                   const uint8_t *owner)
{
    const struct cordon_plan_field *selector =
        /* A union has an owner: plans are checked. NOLINTNEXTLINE(clang-analyzer-*) */
        plan_field(plan, spot->owner->first + spot->type->within);
    uint64_t value = scalar_load(plan_type(plan, selector->type)->kind, owner + selector->offset);
    for (uint32_t i = 0; i < spot->type->count; i++) {
        const struct cordon_plan_field *field = plan_field(plan, spot->type->first + i);
        if (field->flags & CORDON_PLAN_FIELD_DEFAULT ||
            ((uint64_t)field->value_high << 32 | field->filled_by) == value) {
            return field;
        }
    }
    return NULL;
}

/* What is not of the member in use never travels: it may be anything, pointers too. */
static int walk_union(const struct image_walk *walk, const struct frame_spot *spot)
{
    const struct cordon_plan_field *field =
        union_field(walk->plan, spot, walk->image + spot->owner_at);
    struct frame_spot member = *spot;
    size_t used = 0;
    if (field) {
        member.type = plan_type(walk->plan, field->type);
        used = member.type->size;
    }
    if (walk->clean) {
        memset(walk->clean + spot->at + used, 0, spot->type->size - used);
    }
    if (!field) {
        return walk->unknown;
    }
    if (walk->before) {
        const struct cordon_plan_field *before =
            union_field(walk->plan, spot, walk->before + spot->owner_at);
        member.other = spot->other || !before || before->type != field->type;
    }
    return walk_object(walk, &member);
}

static int walk_elements(const struct image_walk *walk, const struct frame_spot *spot)
{
    const struct cordon_plan_type *target = plan_type(walk->plan, spot->type->target);
    if (image_is_plain(walk->plan, target) &&
        !(walk->clean && image_is_loose(walk->plan, target))) {
        return 0;
    }
    for (uint32_t i = 0; i < spot->type->count; i++) {
        struct frame_spot element = *spot;
        element.type = target;
        element.at = spot->at + (size_t)i * target->size;
        int r = walk_object(walk, &element);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

/* As deep as by-value types nest: CORDON_PLAN_DEPTH_MAX. */
static int walk_object(const struct image_walk *walk, const struct frame_spot *spot)
{
    switch (spot->type->kind) {
    case CORDON_PLAN_BOOL:
        if (walk->clean) {
            walk->clean[spot->at] = walk->clean[spot->at] != 0;
        }
        return 0;
    case CORDON_PLAN_STRUCT:
        return walk_fields(walk, spot);
    case CORDON_PLAN_UNION:
        return walk_union(walk, spot);
    case CORDON_PLAN_ARRAY:
        return walk_elements(walk, spot);
    case CORDON_PLAN_POINTER:
    case CORDON_PLAN_STRING:
    case CORDON_PLAN_HANDLE:
    case CORDON_PLAN_CALLBACK:
    case CORDON_PLAN_WITHIN:
    case CORDON_PLAN_VARARGS:
        return walk->visit ? walk->visit(walk->context, spot) : 0;
    default:
        return 0;
    }
}

int image_walk(const struct image_walk *walk, const struct cordon_plan_type *type)
{
    return walk_object(walk, &(struct frame_spot){.type = type});
}

bool image_is_plain(const struct plan *plan, const struct cordon_plan_type *type)
{
    switch (type->kind) {
    case CORDON_PLAN_STRUCT:
        for (uint32_t i = 0; i < type->count; i++) {
            const struct cordon_plan_field *field = plan_field(plan, type->first + i);
            if (!image_is_plain(plan, plan_type(plan, field->type))) {
                return false;
            }
        }
        return true;
    case CORDON_PLAN_ARRAY:
        return type->target == CORDON_PLAN_NONE ||
               image_is_plain(plan, plan_type(plan, type->target));
    case CORDON_PLAN_VOID:
    case CORDON_PLAN_TOKEN:
        return true;
    default:
        return scalar_is(type->kind);
    }
}

bool image_is_loose(const struct plan *plan, const struct cordon_plan_type *type)
{
    size_t used = 0;
    switch (type->kind) {
    case CORDON_PLAN_BOOL:
        return true;
    case CORDON_PLAN_ARRAY:
        return type->target != CORDON_PLAN_NONE &&
               image_is_loose(plan, plan_type(plan, type->target));
    case CORDON_PLAN_STRUCT:
        for (uint32_t i = 0; i < type->count; i++) {
            const struct cordon_plan_field *field = plan_field(plan, type->first + i);
            const struct cordon_plan_type *member = plan_type(plan, field->type);
            if (field->offset != used || image_is_loose(plan, member)) {
                return true;
            }
            used += member->size;
        }
        return used != type->size;
    default:
        return false;
    }
}

void image_tidy(const struct plan *plan, const struct cordon_plan_type *type, uint64_t count,
                uint8_t *memory)
{
    for (uint64_t i = 0; i < count && type->kind == CORDON_PLAN_BOOL; i++) {
        memory[i] = memory[i] != 0;
    }
    if (type->kind == CORDON_PLAN_BOOL || !image_is_loose(plan, type)) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *image = memory + i * type->size;
        (void)image_walk(&(struct image_walk){.plan = plan, .image = image, .clean = image}, type);
    }
}

const struct cordon_plan_type *pointer_target(const struct plan *plan,
                                              const struct cordon_plan_type *type)
{
    static const struct cordon_plan_type byte = {.kind = CORDON_PLAN_U8, .size = 1, .align = 1};
    return type->target == CORDON_PLAN_NONE ? &byte : plan_type(plan, type->target);
}

size_t element_bytes(const struct cordon_plan_type *target)
{
    return target->kind == CORDON_PLAN_VOID || target->size == 0 ? 1 : target->size;
}

size_t null_ended_count(const void *memory, size_t bytes)
{
    size_t count = 0;
    while (bytes / sizeof(void *) > count &&
           pointer_at((const uint8_t *)memory + count * sizeof(void *))) {
        count++;
    }
    return count;
}

__attribute__((noinline)) void copy_out(void *destination, const volatile uint8_t *source,
                                        size_t bytes)
{
    memcpy(destination, (const void *)(uintptr_t)source, bytes);
    /* What the source holds from here on is nobody's business: only the copy is judged and used. */
    __asm__ volatile("" ::: "memory");
}

bool holds_objects(const struct frame_hooks *hooks)
{
    return hooks && (hooks->object_to_word || hooks->word_to_object);
}

int object_to_word(const struct frame_hooks *hooks, const struct plan *plan,
                   const struct cordon_plan_type *type, void *object, uint64_t *ret_word)
{
    *ret_word = (uint64_t)(uintptr_t)object;
    return object && hooks && hooks->object_to_word
               ? hooks->object_to_word(hooks->context, plan, type, object, ret_word)
               : 0;
}

int word_to_object(const struct frame_hooks *hooks, const struct plan *plan,
                   const struct cordon_plan_type *type, uint64_t word, void **ret_object,
                   struct message *why)
{
    *ret_object = pointer_from_word(word);
    return word != 0 && hooks && hooks->word_to_object
               ? hooks->word_to_object(hooks->context, plan, type, word, ret_object, why)
               : 0;
}

int handle_to_word(const struct frame_hooks *hooks, const struct cordon_plan_type *type,
                   struct cordon_handle handle, uint64_t *ret_word, struct message *why)
{
    *ret_word = (uint64_t)handle.generation << 32 | handle.index;
    bool none = *ret_word == 0 && handle.worker == 0;
    return !none && hooks && hooks->handle_to_word
               ? hooks->handle_to_word(hooks->context, type, handle, ret_word, why)
               : 0;
}

int word_to_handle(const struct frame_hooks *hooks, const struct cordon_plan_type *type,
                   uint64_t word, struct cordon_handle *ret_handle)
{
    *ret_handle = (struct cordon_handle){
        .generation = (uint32_t)(word >> 32), .index = (uint32_t)word, .tag = word ? type->tag : 0};
    return word != 0 && hooks && hooks->word_to_handle
               ? hooks->word_to_handle(hooks->context, type, word, ret_handle)
               : 0;
}
