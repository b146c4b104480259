/* SPDX-License-Identifier: Apache-2.0 */
#include "json/image_store.h"

#include <errno.h>
#include <string.h>

#include "json/bytes.h"
#include "json/number.h"

int image_refuse_kind(struct image *image, const struct cordon_plan_type *type,
                      struct json_value json, const char *wanted)
{
    char text[128];
    return image_refuse(image, -EINVAL, "%s given where %s wants %s", json_value_kind_text(json),
                        view_type_text(image->plan, type, text, sizeof text), wanted);
}

static int store_number(struct image *image, const struct cordon_plan_type *type,
                        struct json_value json, void *memory)
{
    uint64_t word;
    struct message why;
    int r = number_read(image->plan, type, json, &word, &why);
    if (r < 0) {
        return image_refuse(image, r, "%s", why.text);
    }
    number_store(type, word, memory);
    return 0;
}

/* Where a string of bytes stands in @json, and which decoder reads it; NULL: it is plain. */
typedef int decode_fn(const char *text, size_t length, void *ret_bytes, size_t *ret_length,
                      struct message *why);

static int find_bytes(struct image *image, struct json_value json, struct json_value *ret_text,
                      decode_fn **ret_decode)
{
    struct json_walk walk = json_walk(json);
    struct json_value key;
    *ret_text = json;
    *ret_decode = NULL;
    if (json_value_count(json) == 1 && json_walk_member(&walk, &key, ret_text)) {
        *ret_decode = json_value_equals(key, "base64") ? bytes_from_base64
                      : json_value_equals(key, "hex")  ? bytes_from_hex
                                                       : NULL;
    }
    bool object = json_value_kind(json) == JSON_KIND_OBJECT;
    if (json_value_kind(*ret_text) == JSON_KIND_STRING && (*ret_decode || !object)) {
        return 0;
    }
    return image_refuse(image, -EINVAL,
                        "%s given where bytes are wanted: a string, an array of numbers, "
                        "{\"base64\":\"...\"} or {\"hex\":\"...\"}",
                        json_value_kind_text(json));
}

/* Decode to a piece of @capacity elements at least, with a NUL behind it for a string. */
static int decode_bytes(struct image *image, const struct cordon_plan_type *type,
                        struct json_value text, decode_fn *decode, uint64_t capacity,
                        void **ret_memory, size_t *ret_count)
{
    size_t length;
    struct message why;
    const char *digits = json_value_string(text, &length);
    size_t most = bytes_decoded_max(length) + 1;
    uint8_t *memory = image_take(image, most > capacity ? most : capacity, 1);
    if (!memory) {
        return -E2BIG;
    }
    int r = decode(digits, length, memory, ret_count, &why);
    if (r < 0) {
        return image_refuse(image, r, "%s", why.text);
    }
    size_t needed = *ret_count + (type->kind == CORDON_PLAN_STRING ? 1 : 0);
    image_trim(image, needed > capacity ? needed : (size_t)capacity);
    *ret_memory = memory;
    return 0;
}

static int elements_of_bytes(struct image *image, const struct cordon_plan_type *type,
                             struct json_value json, uint64_t capacity, void **ret_memory,
                             size_t *ret_count)
{
    decode_fn *decode;
    struct json_value text;
    int r = find_bytes(image, json, &text, &decode);
    if (r == 0 && decode) {
        r = decode_bytes(image, type, text, decode, capacity, ret_memory, ret_count);
    } else if (r == 0) {
        const char *bytes = json_value_string(text, ret_count);
        *ret_memory = image_copy(image, type, bytes, *ret_count, capacity);
        r = *ret_memory ? 0 : -E2BIG;
    }
    if (r == 0 && type->kind == CORDON_PLAN_STRING && memchr(*ret_memory, '\0', *ret_count)) {
        return image_refuse(image, -EINVAL, "a string with a NUL inside");
    }
    return r;
}

/* The elements of a JSON array, into @memory that has room for them. */
static int store_array(struct image *image, const struct cordon_plan_type *target,
                       struct json_value json, uint8_t *memory)
{
    struct json_walk walk = json_walk(json);
    struct json_value element;
    struct image_step step = image_enter_element(image, 0);
    size_t each = target->size == 0 ? 1 : target->size;
    int r = 0;
    image->step = &step;
    for (; r == 0 && json_walk_next(&walk, &element); step.index++) {
        r = image_store(image, target, element, memory + step.index * each);
    }
    image->step = step.outer;
    return r;
}

int image_elements(struct image *image, const struct cordon_plan_type *type, struct json_value json,
                   uint64_t capacity, void **ret_memory, size_t *ret_count)
{
    bool array = json_value_kind(json) == JSON_KIND_ARRAY;
    if (type->kind == CORDON_PLAN_STRING || (view_is_bytes(image->plan, type) && !array)) {
        return elements_of_bytes(image, type, json, capacity, ret_memory, ret_count);
    }
    const struct cordon_plan_type *target = view_target(image->plan, type);
    bool ended = type->flags & CORDON_PLAN_NULL_ENDED;
    bool many = ended || type->code != CORDON_PLAN_NONE;
    if (many && !array) {
        return image_refuse_kind(image, type, json, "a JSON array");
    }
    uint64_t count = many ? json_value_count(json) : 1;
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
                          struct json_value json, uint8_t *memory)
{
    if (json_value_kind(json) == JSON_KIND_ARRAY) {
        size_t count = json_value_count(json);
        return count > type->count
                   ? image_refuse(image, -EINVAL, "%zu elements given, there is room for %u", count,
                                  type->count)
                   : store_array(image, view_target(image->plan, type), json, memory);
    }
    if (!view_is_bytes(image->plan, type)) {
        return image_refuse_kind(image, type, json, "a JSON array");
    }
    void *bytes = NULL;
    size_t length = 0;
    int r = elements_of_bytes(image, type, json, 0, &bytes, &length);
    if (r == 0 && length > type->count) {
        r = image_refuse(image, -EINVAL, "%zu bytes given, there is room for %u", length,
                         type->count);
    }
    if (r == 0 && bytes) {
        memcpy(memory, bytes, length);
    }
    return r;
}

/* A pointer that stands alone: an element of an array of pointers. */
static int store_pointer(struct image *image, const struct cordon_plan_type *type,
                         struct json_value json, uint8_t *memory)
{
    uint64_t capacity = 0;
    void *block = NULL;
    size_t count = 0;
    if (json_value_is_null(json)) {
        return 0;
    }
    if (type->code != CORDON_PLAN_NONE) {
        int r = length_evaluate(image->scope, type->code, &capacity);
        if (r < 0) {
            return image_refuse_length(image, r);
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

int image_take_handle(struct image *image, const struct cordon_plan_type *type,
                      struct json_value json, struct cordon_handle *ret_handle)
{
    size_t length;
    struct message why = {"it is no handle"};
    const struct image_handles *handles = image->handles;
    if (!handles || !handles->take) {
        return image_refuse_kind(image, type, json,
                                 handles && handles->refusal ? handles->refusal : "null");
    }
    if (json_value_kind(json) != JSON_KIND_STRING) {
        return image_refuse_kind(image, type, json, "a handle's string or null");
    }
    const char *text = json_value_string(json, &length);
    int r = handles->take(handles->context, text, length, type->tag, ret_handle, &why);
    return r != 0 ? image_refuse(image, r, "%s", why.text) : 0;
}

static int store_handle(struct image *image, const struct cordon_plan_type *type,
                        struct json_value json, uint8_t *memory)
{
    struct cordon_handle handle = {0};
    int r = image_take_handle(image, type, json, &handle);
    uint64_t word = (uint64_t)handle.generation << 32 | handle.index;
    if (r == 0) {
        memcpy(memory, &word, sizeof word);
    }
    return r;
}

static int store_opaque(struct image *image, const struct cordon_plan_type *type,
                        struct json_value json, uint8_t *memory)
{
    static const struct cordon_plan_type token = {.kind = CORDON_PLAN_U64, .size = 8};
    if (json_value_is_null(json)) {
        return 0;
    }
    if (type->kind == CORDON_PLAN_HANDLE) {
        return store_handle(image, type, json, memory);
    }
    return type->kind == CORDON_PLAN_TOKEN ? store_number(image, &token, json, memory)
                                           : image_refuse_kind(image, type, json, "null");
}

int image_store(struct image *image, const struct cordon_plan_type *type, struct json_value json,
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
