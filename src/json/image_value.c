/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "json/image_store.h"
#include "json/number.h"

static int value_of_number(struct image *image, const struct cordon_plan_type *type,
                           struct json_value json, struct cordon_value *ret_value)
{
    struct message why;
    uint64_t word;
    int r = number_read(image->plan, type, json, &word, &why);
    if (r < 0) {
        return image_refuse(image, r, "%s", why.text);
    }
    *ret_value = number_value(type, word);
    return 0;
}

/* Handles, callbacks, tokens, offsets: a handle's string, or a number. */
static int value_of_opaque(struct image *image, const struct cordon_plan_type *type,
                           struct json_value json, struct cordon_value *ret_value)
{
    static const struct cordon_plan_type word = {.kind = CORDON_PLAN_U64, .size = 8};
    struct cordon_handle handle = {0};
    *ret_value = cordon_null();
    if (json_value_is_null(json)) {
        return 0;
    }
    if (type->kind == CORDON_PLAN_HANDLE && type->flags & CORDON_PLAN_RESIDENT) {
        return image_refuse_kind(image, type, json, "null: resident objects cannot be sent");
    }
    if (type->kind == CORDON_PLAN_HANDLE) {
        int r = image_take_handle(image, type, json, &handle);
        *ret_value = cordon_object(handle);
        return r;
    }
    enum json_kind kind = json_value_kind(json);
    if (kind == JSON_KIND_INT || kind == JSON_KIND_UINT || kind == JSON_KIND_STRING) {
        return value_of_number(image, &word, json, ret_value);
    }
    return image_refuse_kind(image, type, json,
                             type->kind == CORDON_PLAN_CALLBACK
                                 ? "null, or a constant's number: callbacks cannot be sent"
                                 : "a number or null");
}

/* What a pointer to one number, string, handle or pointer points to. */
static void store_single(const struct cordon_plan_type *target, const struct cordon_value *inner,
                         void *memory)
{
    if (view_is_scalar(target)) {
        number_store(target, inner->u, memory);
    } else if (target->kind == CORDON_PLAN_WITHIN && inner->kind == CORDON_VALUE_NULL) {
        memset(memory, 0xff, sizeof(uint64_t)); /* an offset of all ones is NULL */
    } else if (inner->kind == CORDON_VALUE_HANDLE) {
        memcpy(memory, &inner->handle, sizeof inner->handle);
    } else if (inner->kind != CORDON_VALUE_NULL) {
        memcpy(memory, &inner->u, sizeof inner->u);
    }
}

static int value_of_single(struct image *image, const struct cordon_plan_type *target,
                           struct json_value json, struct cordon_value *ret_value)
{
    struct cordon_value inner = cordon_null();
    size_t each =
        target->size < sizeof(struct cordon_handle) ? sizeof(struct cordon_handle) : target->size;
    int r = image_value(image, target, json, &inner);
    void *memory = r == 0 ? image_take(image, 1, each) : NULL;
    if (!memory) {
        return r != 0 ? r : -E2BIG;
    }
    store_single(target, &inner, memory);
    *ret_value = cordon_in(memory, 1);
    return 0;
}

static int value_of_memory(struct image *image, const struct cordon_plan_type *type,
                           struct json_value json, struct cordon_value *ret_value)
{
    void *memory = NULL;
    size_t count = 0;
    uint64_t capacity = 0;
    int r = image_capacity(image, type, &capacity);
    r = r != 0 ? r : image_elements(image, type, json, capacity, &memory, &count);
    if (r == 0) {
        *ret_value = image_memory_value(type, memory, count, capacity);
    }
    return r;
}

static int value_of_pointer(struct image *image, const struct cordon_plan_type *type,
                            struct json_value json, struct cordon_value *ret_value)
{
    const struct cordon_plan_type *target = view_target(image->plan, type);
    bool many = type->code != CORDON_PLAN_NONE || type->flags & CORDON_PLAN_NULL_ENDED;
    bool single = !many && target->kind != CORDON_PLAN_STRUCT && target->kind != CORDON_PLAN_ARRAY;
    if (json_value_is_null(json) && (!single || view_is_scalar(target))) {
        *ret_value = cordon_null();
        return 0;
    }
    return single ? value_of_single(image, target, json, ret_value)
                  : value_of_memory(image, type, json, ret_value);
}

int image_value(struct image *image, const struct cordon_plan_type *type, struct json_value json,
                struct cordon_value *ret_value)
{
    void *memory;
    switch (type->kind) {
    case CORDON_PLAN_STRING:
        if (json_value_is_null(json)) {
            *ret_value = cordon_null();
            return 0;
        }
        return value_of_memory(image, type, json, ret_value);
    case CORDON_PLAN_POINTER:
        return value_of_pointer(image, type, json, ret_value);
    case CORDON_PLAN_STRUCT:
        memory = image_take(image, 1, type->size);
        *ret_value = cordon_in(memory, 1);
        return memory ? image_store(image, type, json, memory) : -E2BIG;
    default:
        return view_is_scalar(type) ? value_of_number(image, type, json, ret_value)
                                    : value_of_opaque(image, type, json, ret_value);
    }
}

static struct cordon_value variadic_int(int64_t number)
{
    bool small = number >= INT32_MIN && number <= INT32_MAX;
    return cordon_typed(cordon_int(number), small ? CORDON_TYPE_INT : CORDON_TYPE_LONG);
}

int image_variadic(struct image *image, struct json_value json, struct cordon_value *ret_value)
{
    static const struct cordon_plan_type string = {
        .kind = CORDON_PLAN_STRING, .direction = CORDON_PLAN_IN, .code = CORDON_PLAN_NONE};
    *ret_value = cordon_null();
    switch (json_value_kind(json)) {
    case JSON_KIND_NULL:
        return 0;
    case JSON_KIND_INT:
        *ret_value = variadic_int(json_value_int(json));
        return 0;
    case JSON_KIND_BOOL:
        *ret_value = variadic_int(json_value_bool(json));
        return 0;
    case JSON_KIND_UINT:
        *ret_value = cordon_typed(cordon_uint(json_value_uint(json)), CORDON_TYPE_ULONG);
        return 0;
    case JSON_KIND_DOUBLE:
        *ret_value = cordon_float(json_value_double(json));
        return 0;
    default:
        return value_of_memory(image, &string, json, ret_value);
    }
}
