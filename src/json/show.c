/* SPDX-License-Identifier: Apache-2.0 */
#include "json/show.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define SHOW_DEPTH_MAX 64u /* pointers inside pointers */
#define SHOW_TYPES_MAX CORDON_PLAN_DEPTH_MAX

/* One object on its way out. */
struct spot {
    const struct cordon_plan_type *type;
    const uint8_t *memory;
    const struct cordon_plan_type *owner; /* the struct around it */
    const uint8_t *owner_memory;
    uint32_t depth;
};

static void show_object(struct show *show, const struct spot *spot);

void show_init(struct show *show, const struct call_values *values,
               const struct cordon_value *result, struct json_out *out)
{
    *show = (struct show){.values = values, .scope = values->scope, .out = out};
    show->scope.result = result;
}

static const struct plan_view *plan_of(const struct show *show)
{
    return show->values->plan;
}

static void own(struct show *show, const void *memory)
{
    show->owned = memory;
    show->owned_bytes = memory ? malloc_usable_size((void *)(uintptr_t)memory) : 0;
}

/* Bytes that can be read at @pointer. */
static size_t room_at(const struct show *show, const void *pointer)
{
    uintptr_t offset = (uintptr_t)pointer - (uintptr_t)show->owned;
    return show->owned && offset < show->owned_bytes ? show->owned_bytes - offset
                                                     : image_room(&show->values->image, pointer);
}

static void show_scalar(struct show *show, const struct cordon_plan_type *type, const void *memory)
{
    uint64_t word = view_is_integer(type) ? length_load(type->kind, memory) : 0;
    for (uint32_t i = 0; type->flags & CORDON_PLAN_ENUM && i < type->count; i++) {
        const struct cordon_plan_enumerator *enumerator = view_enumerator(plan_of(show), type, i);
        if ((uint64_t)enumerator->value == word) {
            json_out_string(show->out, view_name(plan_of(show), enumerator->name));
            return;
        }
    }
    float narrow;
    double wide;
    switch (type->kind) {
    case CORDON_PLAN_BOOL:
        json_out_bool(show->out, word != 0);
        return;
    case CORDON_PLAN_F32:
        memcpy(&narrow, memory, sizeof narrow);
        json_out_float(show->out, narrow);
        return;
    case CORDON_PLAN_F64:
        memcpy(&wide, memory, sizeof wide);
        json_out_double(show->out, wide);
        return;
    case CORDON_PLAN_U8:
    case CORDON_PLAN_U16:
    case CORDON_PLAN_U32:
    case CORDON_PLAN_U64:
        json_out_uint(show->out, word);
        return;
    default:
        json_out_int(show->out, (int64_t)word);
        return;
    }
}

static void show_handle(struct show *show, const struct cordon_plan_type *type,
                        struct cordon_handle handle)
{
    char text[320];
    if (handle.worker == 0 && handle.generation == 0 && handle.index == 0) {
        json_out_null(show->out);
        return;
    }
    const char *name = view_name(plan_of(show), type->name);
    if (show->give) {
        show->give(show->context, handle, name, show->out);
        return;
    }
    snprintf(text, sizeof text, "%.255s:%u.%u.%u", *name ? name : "object", handle.worker,
             handle.generation, handle.index);
    json_out_object(show->out);
    json_out_key(show->out, "handle");
    json_out_string(show->out, text);
    json_out_object_end(show->out);
}

/* Handles inside memory stand there as (generation, index); all of them live in one worker. */
static void show_handle_word(struct show *show, const struct cordon_plan_type *type, uint64_t word)
{
    show_handle(
        show, type,
        (struct cordon_handle){.generation = (uint32_t)(word >> 32), .index = (uint32_t)word});
}

static size_t text_length(const void *memory, size_t count)
{
    const char *text = memory;
    while (count > 0 && text[count - 1] == '\0') {
        count--;
    }
    return count;
}

static void show_bytes_of(struct show *show, const struct spot *spot, size_t count)
{
    if (spot->type->flags & CORDON_PLAN_TEXT || show->encoding == JSON_TEXT) {
        size_t length = spot->type->kind == CORDON_PLAN_ARRAY
                            ? strnlen((const char *)spot->memory, count)
                            : text_length(spot->memory, count);
        json_out_text_bytes(show->out, (const char *)spot->memory, length);
    } else if (show->encoding == JSON_HEX) {
        json_out_hex(show->out, spot->memory, count);
    } else {
        json_out_bytes(show->out, spot->memory, count);
    }
}

/* @count elements, as bytes, text or a JSON array. */
static void show_elements(struct show *show, const struct spot *spot, size_t count)
{
    const struct cordon_plan_type *target = view_target(plan_of(show), spot->type);
    size_t each = view_element_bytes(plan_of(show), spot->type);
    if (view_is_bytes(plan_of(show), spot->type)) {
        show_bytes_of(show, spot, count);
        return;
    }
    json_out_array(show->out);
    for (size_t i = 0; i < count; i++) {
        struct spot element = *spot;
        element.type = target;
        element.memory = spot->memory + i * each;
        element.depth++;
        show_object(show, &element);
    }
    json_out_array_end(show->out);
}

/* Elements behind a pointer, at most @room bytes. */
static size_t element_count(const struct show *show, const struct spot *spot, size_t room,
                            size_t given)
{
    const struct cordon_plan_type *type = spot->type;
    size_t each = view_element_bytes(plan_of(show), type);
    uint32_t code = type->length_code != CORDON_PLAN_NONE ? type->length_code : type->code;
    struct length_scope scope = show->scope;
    uint64_t count = given;
    scope.owner = spot->owner;
    scope.image = spot->owner_memory;
    if (type->flags & CORDON_PLAN_NULL_ENDED) {
        const uint64_t *pointers = (const uint64_t *)(const void *)spot->memory;
        for (count = 0; count < room / sizeof(void *) && pointers[count] != 0;) {
            count++;
        }
    } else if (code != CORDON_PLAN_NONE) {
        int r = length_evaluate(&scope, code, &count);
        count = r == 0 ? count : r == -ENODATA ? given : 0;
    }
    return count < room / each ? (size_t)count : room / each;
}

static bool is_single(const struct cordon_plan_type *type)
{
    return type->code == CORDON_PLAN_NONE && type->length_code == CORDON_PLAN_NONE &&
           !(type->flags & CORDON_PLAN_NULL_ENDED);
}

/* What the pointer in @spot points to. */
static void show_pointer(struct show *show, const struct spot *spot)
{
    struct spot inner = *spot;
    memcpy(&inner.memory, spot->memory, sizeof inner.memory);
    size_t room = inner.memory ? room_at(show, inner.memory) : 0;
    if (room == 0 || spot->depth > SHOW_DEPTH_MAX) {
        json_out_null(show->out);
        return;
    }
    if (spot->type->kind == CORDON_PLAN_STRING) {
        json_out_text_bytes(show->out, (const char *)inner.memory,
                            strnlen((const char *)inner.memory, room));
        return;
    }
    inner.depth++;
    if (is_single(spot->type)) {
        inner.type = view_target(plan_of(show), spot->type);
        if (room < inner.type->size) {
            json_out_null(show->out);
        } else {
            show_object(show, &inner);
        }
        return;
    }
    size_t each = view_element_bytes(plan_of(show), spot->type);
    show_elements(show, &inner, element_count(show, &inner, room, room / each));
}

static void show_struct(struct show *show, const struct spot *spot)
{
    json_out_object(show->out);
    for (uint32_t i = 0; i < spot->type->count; i++) {
        const struct cordon_plan_field *field = view_field(plan_of(show), spot->type, i);
        struct spot member = {
            .type = view_type(plan_of(show), field->type),
            .memory = spot->memory + field->offset,
            .owner = spot->type,
            .owner_memory = spot->memory,
            .depth = spot->depth,
        };
        json_out_key(show->out, view_name(plan_of(show), field->name));
        show_object(show, &member);
    }
    json_out_object_end(show->out);
}

/* The member in use, alone and by its name; null where there is none. */
static void show_union(struct show *show, const struct spot *spot)
{
    const struct cordon_plan_field *selector =
        view_field(plan_of(show), spot->owner, spot->type->within);
    uint64_t value = length_load(view_type(plan_of(show), selector->type)->kind,
                                 spot->owner_memory + selector->offset);
    for (uint32_t i = 0; i < spot->type->count; i++) {
        const struct cordon_plan_field *field = view_field(plan_of(show), spot->type, i);
        struct spot member = *spot;
        member.type = view_type(plan_of(show), field->type);
        if (!(field->flags & CORDON_PLAN_FIELD_DEFAULT) &&
            ((uint64_t)field->value_high << 32 | field->filled_by) != value) {
            continue;
        }
        if (member.type->kind == CORDON_PLAN_VOID) {
            break;
        }
        json_out_object(show->out);
        json_out_key(show->out, view_name(plan_of(show), field->name));
        show_object(show, &member);
        json_out_object_end(show->out);
        return;
    }
    json_out_null(show->out);
}

static void show_object(struct show *show, const struct spot *spot)
{
    uint64_t word = 0;
    switch (spot->type->kind) {
    case CORDON_PLAN_UNION:
        show_union(show, spot);
        return;
    case CORDON_PLAN_STRUCT:
        show_struct(show, spot);
        return;
    case CORDON_PLAN_ARRAY:
        show_elements(show, spot, spot->type->count);
        return;
    case CORDON_PLAN_POINTER:
    case CORDON_PLAN_STRING:
        show_pointer(show, spot);
        return;
    default:
        break;
    }
    if (view_is_scalar(spot->type)) {
        show_scalar(show, spot->type, spot->memory);
        return;
    }
    memcpy(&word, spot->memory, sizeof word);
    if (spot->type->kind == CORDON_PLAN_HANDLE) {
        show_handle_word(show, spot->type, word);
    } else if (word == (spot->type->kind == CORDON_PLAN_WITHIN ? UINT64_MAX : 0)) {
        json_out_null(show->out);
    } else {
        json_out_uint(show->out, word);
    }
}

/* Memory that a value names, @count elements of it or what the length says now. */
static void show_memory(struct show *show, const struct cordon_plan_type *type,
                        const struct cordon_value *value)
{
    struct spot spot = {.type = type, .memory = value->memory};
    if (type->kind == CORDON_PLAN_STRING) {
        json_out_text_bytes(show->out, value->memory, strnlen(value->memory, value->count));
    } else if (type->kind == CORDON_PLAN_STRUCT) {
        show_object(show, &spot);
    } else if (is_single(type)) {
        spot.type = view_target(plan_of(show), type);
        show_object(show, &spot);
    } else {
        size_t each = view_element_bytes(plan_of(show), type);
        show_elements(show, &spot, element_count(show, &spot, value->count * each, value->count));
    }
}

static void show_enum_value(struct show *show, const struct cordon_plan_type *type,
                            const struct cordon_value *value)
{
    float narrow = (float)value->f;
    const void *memory =
        type->kind == CORDON_PLAN_F32 ? (const void *)&narrow : (const void *)&value->u;
    show_scalar(show, type, memory);
}

void show_return(struct show *show, const void *owned)
{
    const struct cordon_plan_type *type =
        view_type(plan_of(show), view_function(plan_of(show))->result.type);
    const struct cordon_value *value = show->scope.result;
    own(show, owned);
    switch (value->kind) {
    case CORDON_VALUE_INT:
    case CORDON_VALUE_UINT:
    case CORDON_VALUE_FLOAT:
        if (view_is_scalar(type)) {
            show_enum_value(show, type, value);
        } else {
            json_out_uint(show->out, value->u);
        }
        break;
    case CORDON_VALUE_MEMORY:
        show_memory(show, type, value);
        break;
    case CORDON_VALUE_HANDLE:
        show_handle(show, type, value->handle);
        break;
    default:
        json_out_null(show->out);
        break;
    }
    own(show, NULL);
}

/* Whether something behind an object of @type comes back: an iovec's bytes, though the iovec goes in. */
static bool comes_back(const struct plan_view *plan, const struct cordon_plan_type *type,
                       uint32_t depth)
{
    if (depth > SHOW_TYPES_MAX) {
        return false;
    }
    if (view_is_memory(type) && type->direction != CORDON_PLAN_IN) {
        return true;
    }
    if (type->kind == CORDON_PLAN_STRUCT) {
        for (uint32_t i = 0; i < type->count; i++) {
            const struct cordon_plan_field *field = view_field(plan, type, i);
            if (comes_back(plan, view_type(plan, field->type), depth + 1)) {
                return true;
            }
        }
        return false;
    }
    return (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_ARRAY) &&
           comes_back(plan, view_target(plan, type), depth + 1);
}

bool show_is_resident(const struct cordon_plan_type *type)
{
    return type->kind == CORDON_PLAN_HANDLE && type->flags & CORDON_PLAN_RESIDENT &&
           type->target != CORDON_PLAN_NONE;
}

bool show_is_output(const struct plan_view *plan, uint32_t index)
{
    const struct cordon_plan_param *param = view_param(plan, index);
    const struct cordon_plan_type *type = view_type(plan, param->type);
    return param->position != CORDON_PLAN_NO_WORD &&
           (show_is_resident(type) || comes_back(plan, type, 0));
}

static const struct cordon_value *value_of(const struct show *show, uint32_t index)
{
    return &show->values->values[view_param(plan_of(show), index)->position];
}

void show_output(struct show *show, uint32_t index)
{
    const struct cordon_plan_param *param = view_param(plan_of(show), index);
    const struct cordon_plan_type *type = view_type(plan_of(show), param->type);
    const struct cordon_plan_type *target = view_target(plan_of(show), type);
    const struct cordon_value *value = value_of(show, index);
    if (show_is_resident(type) && show->values->residents && value->kind == CORDON_VALUE_HANDLE) {
        show_object(show, &(struct spot){.type = target,
                                         .memory = show->values->residents[param->position]});
    } else if (value->kind != CORDON_VALUE_MEMORY) {
        json_out_null(show->out);
    } else if (param->passing == CORDON_PLAN_PASS_WORD && target->kind == CORDON_PLAN_HANDLE) {
        struct cordon_handle handle;
        memcpy(&handle, value->memory, sizeof handle);
        show_handle(show, target, handle);
    } else if (param->passing == CORDON_PLAN_PASS_DYNAMIC) {
        void *owned;
        memcpy(&owned, value->memory, sizeof owned);
        own(show, owned);
        show_memory(show, type, value);
        own(show, NULL);
    } else {
        show_memory(show, type, value);
    }
}

bool show_bytes(struct show *show, uint32_t index, const void *owned, const void **ret_bytes,
                size_t *ret_length)
{
    const struct plan_view *plan = plan_of(show);
    bool result = index == UINT32_MAX;
    const struct cordon_plan_param *param =
        result ? &view_function(plan)->result : view_param(plan, index);
    const struct cordon_plan_type *type = view_type(plan, param->type);
    const struct cordon_value *value = result ? show->scope.result : value_of(show, index);
    if (value->kind != CORDON_VALUE_MEMORY) {
        return false;
    }
    struct spot spot = {.type = type, .memory = value->memory};
    size_t room = value->count * view_element_bytes(plan, type);
    if (param->passing == CORDON_PLAN_PASS_DYNAMIC && !result) {
        memcpy(&spot.memory, value->memory, sizeof spot.memory);
        spot.type = view_target(plan, type);
        own(show, spot.memory);
        room = show->owned_bytes;
    } else if (result) {
        own(show, owned);
    }
    if (!spot.memory) {
        return false;
    }
    *ret_bytes = spot.memory;
    if (spot.type->kind == CORDON_PLAN_STRING) {
        *ret_length = strnlen((const char *)spot.memory, room);
    } else if (spot.type->kind == CORDON_PLAN_STRUCT) {
        *ret_length = spot.type->size;
    } else if (is_single(spot.type)) {
        *ret_length = view_target(plan, spot.type)->size;
    } else {
        size_t each = view_element_bytes(plan, spot.type);
        *ret_length = element_count(show, &spot, room, room / each) * each;
    }
    own(show, NULL);
    return true;
}
