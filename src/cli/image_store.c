/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bytes.h"
#include "cli/number.h"

size_t image_path_enter(struct image *image, const char *format, ...)
{
    size_t length = strlen(image->path);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(image->path + length, sizeof image->path - length, format, args);
    va_end(args);
    return length;
}

void image_path_leave(struct image *image, size_t length)
{
    image->path[length] = '\0';
}

static const char *json_kind(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_NULL:
        return "null";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "a number";
    }
}

int image_refuse_kind(struct image *image, const struct cordon_plan_type *type, const json_t *json,
                      const char *wanted)
{
    char text[128];
    return image_refuse(image, -EINVAL, "%s given where %s wants %s", json_kind(json),
                        view_type_text(image->plan, type, text, sizeof text), wanted);
}

/* Numbers travel as text, so that one place judges them; strings hold what JSON's numbers cannot. */
static int store_number(struct image *image, const struct cordon_plan_type *type,
                        const json_t *json, void *memory)
{
    char text[64];
    const char *digits = text;
    if (json_is_integer(json)) {
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
    } else if (json_is_real(json)) {
        snprintf(text, sizeof text, "%.17g", json_real_value(json));
    } else if (json_is_boolean(json)) {
        digits = json_is_true(json) ? "true" : "false";
    } else if (json_is_string(json)) {
        digits = json_string_value(json);
    } else {
        return image_refuse_kind(image, type, json, "a number");
    }
    uint64_t word;
    struct message why;
    int r = number_parse(image->plan, type, digits, &word, &why);
    if (r < 0) {
        return image_refuse(image, r, "%s", why.text);
    }
    number_store(type, word, memory);
    return 0;
}

int image_json_bytes(struct image *image, const json_t *json, void **ret_bytes, size_t *ret_length)
{
    const json_t *base64 = json_object_get(json, "base64");
    const json_t *hex = json_object_get(json, "hex");
    struct message why = {"no memory"};
    if (json_is_string(json)) {
        *ret_length = json_string_length(json);
        *ret_bytes = malloc(*ret_length + 1);
        if (!*ret_bytes) {
            return image_refuse(image, -ENOMEM, "no memory");
        }
        memcpy(*ret_bytes, json_string_value(json), *ret_length);
        return 0;
    }
    if (json_object_size(json) != 1 || !(json_is_string(base64) || json_is_string(hex))) {
        return image_refuse(image, -EINVAL,
                            "%s given where bytes are wanted: a string, an array of numbers, "
                            "{\"base64\":\"...\"} or {\"hex\":\"...\"}",
                            json_kind(json));
    }
    const json_t *text = json_is_string(base64) ? base64 : hex;
    int r = (json_is_string(base64) ? bytes_from_base64 : bytes_from_hex)(
        json_string_value(text), json_string_length(text), ret_bytes, ret_length, &why);
    return r < 0 ? image_refuse(image, r, "%s", why.text) : 0;
}

/* The elements of a JSON array, into @memory that has room for them. */
static int store_array(struct image *image, const struct cordon_plan_type *target,
                       const json_t *json, uint8_t *memory)
{
    size_t each = target->size == 0 ? 1 : target->size;
    for (size_t i = 0; i < json_array_size(json); i++) {
        size_t length = image_path_enter(image, "[%zu]", i);
        int r = image_store(image, target, json_array_get(json, i), memory + i * each);
        if (r < 0) {
            return r;
        }
        image_path_leave(image, length);
    }
    return 0;
}

static int elements_of_bytes(struct image *image, const struct cordon_plan_type *type,
                             const json_t *json, uint64_t capacity, void **ret_memory,
                             size_t *ret_count)
{
    void *bytes = NULL;
    int r = image_json_bytes(image, json, &bytes, ret_count);
    if (r < 0) {
        return r;
    }
    if (type->kind == CORDON_PLAN_STRING && memchr(bytes, '\0', *ret_count)) {
        free(bytes);
        return image_refuse(image, -EINVAL, "a string with a NUL inside");
    }
    *ret_memory = image_copy(image, type, bytes, *ret_count, capacity);
    free(bytes);
    return *ret_memory ? 0 : -E2BIG;
}

int image_elements(struct image *image, const struct cordon_plan_type *type, const json_t *json,
                   uint64_t capacity, void **ret_memory, size_t *ret_count)
{
    bool string = type->kind == CORDON_PLAN_STRING;
    if (string || (view_is_bytes(image->plan, type) && !json_is_array(json))) {
        return elements_of_bytes(image, type, json, capacity, ret_memory, ret_count);
    }
    const struct cordon_plan_type *target = view_target(image->plan, type);
    bool ended = type->flags & CORDON_PLAN_NULL_ENDED;
    bool many = ended || type->code != CORDON_PLAN_NONE;
    if (many && !json_is_array(json)) {
        return image_refuse_kind(image, type, json, "a JSON array");
    }
    uint64_t count = many ? json_array_size(json) : 1;
    uint64_t room = count + ended > capacity ? count + ended : capacity;
    size_t each = view_element_bytes(image->plan, type);
    void *memory = image_take(image, room, each < 16 && !many ? 16 : each);
    if (!memory) {
        return -E2BIG;
    }
    *ret_memory = memory;
    *ret_count = (size_t)count;
    return many ? store_array(image, target, json, memory)
                : image_store(image, target, json, memory);
}

static int store_in_place(struct image *image, const struct cordon_plan_type *type,
                          const json_t *json, uint8_t *memory)
{
    size_t each = view_element_bytes(image->plan, type);
    if (json_is_array(json)) {
        if (json_array_size(json) > type->count) {
            return image_refuse(image, -EINVAL, "%zu elements given, there is room for %u",
                                json_array_size(json), type->count);
        }
        return store_array(image, view_target(image->plan, type), json, memory);
    }
    if (!view_is_bytes(image->plan, type)) {
        return image_refuse_kind(image, type, json, "a JSON array");
    }
    void *bytes = NULL;
    size_t length = 0;
    int r = image_json_bytes(image, json, &bytes, &length);
    if (r == 0 && length > type->count) {
        r = image_refuse(image, -EINVAL, "%zu bytes given, there is room for %u", length,
                         type->count);
    }
    if (r == 0) {
        /* NULL only where nothing is copied. NOLINTNEXTLINE(clang-analyzer-*) */
        memcpy(memory, bytes, length * each);
    }
    free(bytes);
    return r;
}

/* A pointer that stands alone: an element of an array of pointers. */
static int store_pointer(struct image *image, const struct cordon_plan_type *type,
                         const json_t *json, uint8_t *memory)
{
    uint64_t capacity = 0;
    void *block = NULL;
    size_t count = 0;
    if (json_is_null(json)) {
        return 0;
    }
    if (type->code != CORDON_PLAN_NONE) {
        int r = length_evaluate(image->scope, type->code, &capacity);
        if (r < 0) {
            return image_refuse(image, -EINVAL, "its length %s", length_error_text(r));
        }
    }
    int r = image_elements(image, type, json, capacity, &block, &count);
    memcpy(memory, &block, sizeof block);
    if (r == 0 && type->kind == CORDON_PLAN_POINTER && type->direction == CORDON_PLAN_IN &&
        count < capacity) {
        r = image_refuse(image, -EINVAL, "%zu elements given, its length says %llu", count,
                         (unsigned long long)capacity);
    }
    return r;
}

static int store_opaque(struct image *image, const struct cordon_plan_type *type,
                        const json_t *json, uint8_t *memory)
{
    if (json_is_null(json)) {
        return 0;
    }
    if (type->kind == CORDON_PLAN_TOKEN && json_is_integer(json)) {
        json_int_t number = json_integer_value(json);
        memcpy(memory, &number, sizeof number);
        return 0;
    }
    return image_refuse_kind(image, type, json,
                             type->kind == CORDON_PLAN_TOKEN ? "a number or null"
                             : type->kind == CORDON_PLAN_HANDLE
                                 ? "null: handles end with the command"
                                 : "null");
}

int image_store(struct image *image, const struct cordon_plan_type *type, const json_t *json,
                void *memory)
{
    switch (type->kind) {
    case CORDON_PLAN_STRUCT:
        return image_store_struct(image, type, json, memory);
    case CORDON_PLAN_ARRAY:
        return store_in_place(image, type, json, memory);
    case CORDON_PLAN_POINTER:
    case CORDON_PLAN_STRING:
        return store_pointer(image, type, json, memory);
    case CORDON_PLAN_HANDLE:
    case CORDON_PLAN_CALLBACK:
    case CORDON_PLAN_TOKEN:
    case CORDON_PLAN_WITHIN:
        return store_opaque(image, type, json, memory);
    default:
        return view_is_scalar(type) ? store_number(image, type, json, memory)
                                    : image_refuse_kind(image, type, json, "nothing");
    }
}
