/* SPDX-License-Identifier: Apache-2.0 */
#include "json/image_store.h"

#include <errno.h>
#include <string.h>

#include "json/number.h"

/* Index of the member called @name, or record->count. */
static uint32_t find_member(const struct image *image, const struct cordon_plan_type *record,
                            struct json_value name)
{
    uint32_t i = 0;
    while (i < record->count &&
           !json_value_equals(name,
                              view_name(image->plan, view_field(image->plan, record, i)->name))) {
        i++;
    }
    return i;
}

static int refuse_member(struct image *image, const struct cordon_plan_type *record,
                         struct json_value name)
{
    char text[128];
    (void)image_refuse(image, -EINVAL, "%s has no member '%.64s'; its members are",
                       view_type_text(image->plan, record, text, sizeof text),
                       json_value_string(name, NULL));
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
                       struct json_value json, uint64_t count, uint8_t *memory)
{
    for (uint32_t i = 0; i < record->count; i++) {
        const struct cordon_plan_field *field = view_field(image->plan, record, i);
        if (!(field->flags & CORDON_PLAN_FILLED) || field->filled_by != pointer) {
            continue;
        }
        const struct cordon_plan_type *type = view_type(image->plan, field->type);
        const char *name = view_name(image->plan, field->name);
        if (json_value_given(json_value_get(json, name))) {
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
    return r < 0 ? image_refuse_length(image, r) : 0;
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
                           uint32_t index, struct json_value whole, struct json_value json,
                           uint8_t *memory)
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
                       struct json_value whole, uint8_t *memory)
{
    const struct cordon_plan_field *selector = view_field(image->plan, record, type->within);
    const struct cordon_plan_type *kind = view_type(image->plan, selector->type);
    const char *name = view_name(image->plan, selector->name);
    if (json_value_given(json_value_get(whole, name))) {
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
                               const struct cordon_plan_type *type, struct json_value json,
                               uint8_t *memory, uint8_t *member)
{
    void *block = NULL;
    size_t count = 0;
    uint64_t needed = 0;
    if (type->direction == CORDON_PLAN_OUT) {
        return store_out_member(image, record, type, memory, member);
    }
    int r = json_value_is_null(json) ? 0 : image_elements(image, type, json, 0, &block, &count);
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
                       const struct cordon_plan_type *type, struct json_value whole,
                       struct json_value json, uint8_t *memory, uint8_t *at)
{
    if (json_value_is_null(json)) {
        return 0;
    }
    struct json_walk walk = json_walk(json);
    struct json_value key;
    struct json_value value;
    if (json_value_kind(json) != JSON_KIND_OBJECT || json_value_count(json) != 1 ||
        !json_walk_member(&walk, &key, &value)) {
        return image_refuse_kind(image, type, json, "a JSON object with the one member in use");
    }
    uint32_t i = find_member(image, type, key);
    if (i == type->count) {
        return refuse_member(image, type, key);
    }
    const struct cordon_plan_field *field = view_field(image->plan, type, i);
    const struct cordon_plan_type *member = view_type(image->plan, field->type);
    struct image_step step = image_enter_member(image, view_name(image->plan, field->name));
    image->step = &step;
    int r = select_case(image, record, type, field, whole, memory);
    if (r == 0) {
        r = view_is_memory(member) ? store_union_pointer(image, record, member, value, memory, at)
                                   : image_store(image, member, value, at);
    }
    image->step = step.outer;
    return r;
}

static bool is_unions(const struct image *image, const struct cordon_plan_type *type)
{
    return type->kind == CORDON_PLAN_ARRAY &&
           view_type(image->plan, type->target)->kind == CORDON_PLAN_UNION;
}

/* [{"member": value}, ...]: the members of all have one selector. What is not given stays zero. */
static int store_unions(struct image *image, const struct cordon_plan_type *record,
                        const struct cordon_plan_type *type, struct json_value whole,
                        struct json_value json, uint8_t *memory, uint8_t *at)
{
    const struct cordon_plan_type *element = view_type(image->plan, type->target);
    if (json_value_kind(json) != JSON_KIND_ARRAY || json_value_count(json) > type->count) {
        return image_refuse_kind(image, type, json, "a JSON array of no more elements");
    }
    struct json_walk walk = json_walk(json);
    struct json_value one;
    struct image_step step = image_enter_element(image, 0);
    int r = 0;
    image->step = &step;
    for (; r == 0 && json_walk_next(&walk, &one); step.index++) {
        r = store_union(image, record, element, whole, one, memory,
                        at + step.index * element->size);
    }
    image->step = step.outer;
    return r;
}

static int store_member(struct image *image, const struct cordon_plan_type *record, uint32_t index,
                        struct json_value whole, uint8_t *memory, bool pointers)
{
    const struct cordon_plan_field *field = view_field(image->plan, record, index);
    const struct cordon_plan_type *type = view_type(image->plan, field->type);
    const char *name = view_name(image->plan, field->name);
    struct json_value json = json_value_get(whole, name);
    bool given = json_value_given(json);
    bool last = view_is_memory(type) || type->kind == CORDON_PLAN_UNION || is_unions(image, type);
    if (last != pointers) {
        return 0;
    }
    struct image_step step = image_enter_member(image, name);
    int r = 0;
    image->step = &step;
    if (type->kind == CORDON_PLAN_UNION) {
        r = given ? store_union(image, record, type, whole, json, memory, memory + field->offset)
                  : 0;
    } else if (is_unions(image, type)) {
        r = given ? store_unions(image, record, type, whole, json, memory, memory + field->offset)
                  : 0;
    } else if (pointers && type->direction == CORDON_PLAN_OUT) {
        r = store_out_member(image, record, type, memory, memory + field->offset);
    } else if (pointers && given && !json_value_is_null(json)) {
        r = store_in_member(image, record, index, whole, json, memory);
    } else if (!pointers && given) {
        r = image_store(image, type, json, memory + field->offset);
    }
    image->step = step.outer;
    return r;
}

int image_store_struct(struct image *image, const struct cordon_plan_type *record,
                       struct json_value json, uint8_t *memory)
{
    struct json_walk walk = json_walk(json);
    struct json_value name;
    struct json_value unused;
    if (json_value_kind(json) != JSON_KIND_OBJECT) {
        return image_refuse_kind(image, record, json, "a JSON object");
    }
    while (json_walk_member(&walk, &name, &unused)) {
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
