/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_store.h"

#include <errno.h>
#include <string.h>

#include "cli/number.h"

/* Index of the member called @name, or record->count. */
static uint32_t find_member(const struct image *image, const struct cordon_plan_type *record,
                            const char *name)
{
    uint32_t i = 0;
    while (i < record->count &&
           strcmp(view_name(image->plan, view_field(image->plan, record, i)->name), name) != 0) {
        i++;
    }
    return i;
}

static int refuse_member(struct image *image, const struct cordon_plan_type *record,
                         const char *name)
{
    char text[128];
    (void)image_refuse(image, -EINVAL, "%s has no member '%s'; its members are",
                       view_type_text(image->plan, record, text, sizeof text), name);
    const char *before = " ";
    for (uint32_t i = 0; i < record->count; i++) {
        const char *known = view_name(image->plan, view_field(image->plan, record, i)->name);
        if (*known) { /* a case of a union that holds nothing has none */
            message_add(image->why, "%s%s", before, known);
            before = ", ";
        }
    }
    return -EINVAL;
}

/* Members that only say how long another member is take its count; one that was given must agree. */
static int fill_member(struct image *image, const struct cordon_plan_type *record, uint32_t pointer,
                       const json_t *json, uint64_t count, uint8_t *memory)
{
    for (uint32_t i = 0; i < record->count; i++) {
        const struct cordon_plan_field *field = view_field(image->plan, record, i);
        if (!(field->flags & CORDON_PLAN_FILLED) || field->filled_by != pointer) {
            continue;
        }
        const struct cordon_plan_type *type = view_type(image->plan, field->type);
        const char *name = view_name(image->plan, field->name);
        if (json_object_get(json, name)) {
            if (length_load(type->kind, memory + field->offset) != count) {
                return image_refuse(image, -EINVAL, "member '%s' does not say %llu elements", name,
                                    (unsigned long long)count);
            }
            continue;
        }
        number_store(type, count, memory + field->offset);
        if (length_load(type->kind, memory + field->offset) != count) {
            return image_refuse(image, -E2BIG, "member '%s' cannot say %llu elements", name,
                                (unsigned long long)count);
        }
    }
    return 0;
}

/* Elements of a pointer member as the struct's other members tell; @given when it has no length. */
static int member_length(struct image *image, const struct cordon_plan_type *record,
                         const struct cordon_plan_type *type, const uint8_t *memory, uint64_t given,
                         uint64_t *ret_needed)
{
    *ret_needed = type->kind == CORDON_PLAN_STRING ? 0 : given;
    if (type->code == CORDON_PLAN_NONE) {
        return 0;
    }
    struct length_scope scope = *image->scope;
    scope.owner = record;
    scope.image = memory;
    int r = length_evaluate(&scope, type->code, ret_needed);
    return r < 0 ? image_refuse(image, -EINVAL, "its length %s", length_error_text(r)) : 0;
}

static int store_out_member(struct image *image, const struct cordon_plan_type *record,
                            const struct cordon_plan_type *type, uint8_t *memory, uint8_t *member)
{
    uint64_t needed = 0;
    int r = member_length(image, record, type, memory, 1, &needed);
    if (r < 0) {
        return r;
    }
    size_t each = type->kind == CORDON_PLAN_STRING ? 1 : view_element_bytes(image->plan, type);
    void *block = image_take(image, needed, each);
    memcpy(member, &block, sizeof block);
    return block ? 0 : -E2BIG;
}

static int store_in_member(struct image *image, const struct cordon_plan_type *record,
                           uint32_t index, const json_t *whole, const json_t *json, uint8_t *memory)
{
    const struct cordon_plan_field *field = view_field(image->plan, record, index);
    const struct cordon_plan_type *type = view_type(image->plan, field->type);
    void *block = NULL;
    size_t count = 0;
    uint64_t needed = 0;
    int r = image_elements(image, type, json, 0, &block, &count);
    if (r < 0) {
        return r;
    }
    memcpy(memory + field->offset, &block, sizeof block);
    r = fill_member(image, record, index, whole, count, memory);
    r = r < 0 ? r : member_length(image, record, type, memory, count, &needed);
    if (r < 0) {
        return r;
    }
    if (type->kind == CORDON_PLAN_STRING || type->direction == CORDON_PLAN_INOUT) {
        size_t each = type->kind == CORDON_PLAN_STRING ? 1 : view_element_bytes(image->plan, type);
        if (needed * each > image_room(image, block)) {
            block = image_copy(image, type, block, count, needed);
            memcpy(memory + field->offset, &block, sizeof block);
        }
        return block ? 0 : -E2BIG;
    }
    return count < needed ? image_refuse(image, -EINVAL, "%zu elements given, its length says %llu",
                                         count, (unsigned long long)needed)
                          : 0;
}

/* A selector that was not given becomes the case of the union's member that was. */
static int select_case(struct image *image, const struct cordon_plan_type *record,
                       const struct cordon_plan_type *type, const struct cordon_plan_field *field,
                       const json_t *whole, uint8_t *memory)
{
    const struct cordon_plan_field *selector = view_field(image->plan, record, type->within);
    const struct cordon_plan_type *kind = view_type(image->plan, selector->type);
    const char *name = view_name(image->plan, selector->name);
    if (json_object_get(whole, name)) {
        return 0; /* whether it agrees is judged when the call is encoded */
    }
    if (!(field->flags & CORDON_PLAN_FIELD_CASE)) {
        return image_refuse(image, -EINVAL, "'%s' does not say that this member is in use", name);
    }
    number_store(kind, (uint64_t)field->value_high << 32 | field->filled_by,
                 memory + selector->offset);
    return 0;
}

/* Memory behind a pointer that is a union's member; the struct around it may tell its length. */
static int store_union_pointer(struct image *image, const struct cordon_plan_type *record,
                               const struct cordon_plan_type *type, const json_t *json,
                               uint8_t *memory, uint8_t *member)
{
    void *block = NULL;
    size_t count = 0;
    uint64_t needed = 0;
    if (type->direction == CORDON_PLAN_OUT) {
        return store_out_member(image, record, type, memory, member);
    }
    int r = json_is_null(json) ? 0 : image_elements(image, type, json, 0, &block, &count);
    if (r < 0 || !block) {
        return r;
    }
    memcpy(member, &block, sizeof block);
    r = member_length(image, record, type, memory, count, &needed);
    return r == 0 && type->kind == CORDON_PLAN_POINTER && count < needed
               ? image_refuse(image, -EINVAL, "%zu elements given, its length says %llu", count,
                              (unsigned long long)needed)
               : r;
}

/* {"member": value} of a UNION in @record; null leaves it as it is. */
static int store_union(struct image *image, const struct cordon_plan_type *record,
                       const struct cordon_plan_type *type, const json_t *whole, const json_t *json,
                       uint8_t *memory, uint8_t *at)
{
    if (json_is_null(json)) {
        return 0;
    }
    if (!json_is_object(json) || json_object_size(json) != 1) {
        return image_refuse_kind(image, type, json, "a JSON object with the one member in use");
    }
    const char *name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)json));
    const json_t *value = json_object_get(json, name);
    uint32_t i = find_member(image, type, name);
    if (i == type->count) {
        return refuse_member(image, type, name);
    }
    const struct cordon_plan_field *field = view_field(image->plan, type, i);
    const struct cordon_plan_type *member = view_type(image->plan, field->type);
    size_t length = image_path_enter(image, ".%s", name);
    int r = select_case(image, record, type, field, whole, memory);
    if (r == 0) {
        r = view_is_memory(member) ? store_union_pointer(image, record, member, value, memory, at)
                                   : image_store(image, member, value, at);
    }
    if (r == 0) {
        image_path_leave(image, length);
    }
    return r;
}

static bool is_unions(const struct image *image, const struct cordon_plan_type *type)
{
    return type->kind == CORDON_PLAN_ARRAY &&
           view_type(image->plan, type->target)->kind == CORDON_PLAN_UNION;
}

/* [{"member": value}, ...]: the members of all have one selector. What is not given stays zero. */
static int store_unions(struct image *image, const struct cordon_plan_type *record,
                        const struct cordon_plan_type *type, const json_t *whole,
                        const json_t *json, uint8_t *memory, uint8_t *at)
{
    const struct cordon_plan_type *element = view_type(image->plan, type->target);
    if (!json_is_array(json) || json_array_size(json) > type->count) {
        return image_refuse_kind(image, type, json, "a JSON array of no more elements");
    }
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(json); i++) {
        size_t length = image_path_enter(image, "[%zu]", i);
        r = store_union(image, record, element, whole, json_array_get(json, i), memory,
                        at + i * element->size);
        if (r == 0) {
            image_path_leave(image, length);
        }
    }
    return r;
}

static int store_member(struct image *image, const struct cordon_plan_type *record, uint32_t index,
                        const json_t *whole, uint8_t *memory, bool pointers)
{
    const struct cordon_plan_field *field = view_field(image->plan, record, index);
    const struct cordon_plan_type *type = view_type(image->plan, field->type);
    const char *name = view_name(image->plan, field->name);
    const json_t *json = json_object_get(whole, name);
    bool last = view_is_memory(type) || type->kind == CORDON_PLAN_UNION || is_unions(image, type);
    if (last != pointers) {
        return 0;
    }
    size_t length = image_path_enter(image, ".%s", name);
    int r = 0;
    if (type->kind == CORDON_PLAN_UNION) {
        r = json ? store_union(image, record, type, whole, json, memory, memory + field->offset)
                 : 0;
    } else if (is_unions(image, type)) {
        r = json ? store_unions(image, record, type, whole, json, memory, memory + field->offset)
                 : 0;
    } else if (pointers && type->direction == CORDON_PLAN_OUT) {
        r = store_out_member(image, record, type, memory, memory + field->offset);
    } else if (pointers && json && !json_is_null(json)) {
        r = store_in_member(image, record, index, whole, json, memory);
    } else if (!pointers && json) {
        r = image_store(image, type, json, memory + field->offset);
    }
    if (r == 0) {
        image_path_leave(image, length);
    }
    return r;
}

int image_store_struct(struct image *image, const struct cordon_plan_type *record,
                       const json_t *json, uint8_t *memory)
{
    if (!json_is_object(json)) {
        return image_refuse_kind(image, record, json, "a JSON object");
    }
    const char *name;
    json_t *unused;
    json_object_foreach((json_t *)(uintptr_t)json, name, unused)
    {
        if (find_member(image, record, name) == record->count) {
            return refuse_member(image, record, name);
        }
    }
    int r = 0;
    for (uint32_t i = 0; i < record->count && r == 0; i++) {
        r = store_member(image, record, i, json, memory, false);
    }
    for (uint32_t i = 0; i < record->count && r == 0; i++) {
        r = store_member(image, record, i, json, memory, true);
    }
    return r;
}
