/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bytes.h"
#include "cli/number.h"

struct image_block {
    struct image_block *next;
    void *saved; /* its bytes as they were: image_save() */
    size_t bytes;
    _Alignas(16) uint8_t memory[];
};

void image_init(struct image *image, const struct plan_view *plan, const struct length_scope *scope,
                size_t bytes_max, struct message *why)
{
    *image = (struct image){.plan = plan, .scope = scope, .bytes_max = bytes_max, .why = why};
}

void image_deinit(struct image *image)
{
    while (image->blocks) {
        struct image_block *block = image->blocks;
        image->blocks = block->next;
        free(block->saved);
        free(block);
    }
    image->bytes = 0;
}

int image_save(struct image *image)
{
    for (struct image_block *block = image->blocks; block; block = block->next) {
        block->saved = malloc(block->bytes + 1);
        if (!block->saved) {
            return message_set(image->why, -ENOMEM, "no memory for a copy of the arguments");
        }
        memcpy(block->saved, block->memory, block->bytes);
    }
    return 0;
}

void image_restore(struct image *image)
{
    for (struct image_block *block = image->blocks; block; block = block->next) {
        memcpy(block->memory, block->saved, block->bytes);
    }
}

int image_refuse(struct image *image, int error, const char *format, ...)
{
    char sentence[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return message_set(image->why, error, "%s: %s", image->path, sentence);
}

void *image_take(struct image *image, uint64_t count, size_t bytes)
{
    uint64_t needed;
    if (__builtin_mul_overflow(count, bytes, &needed) || needed > image->bytes_max - image->bytes) {
        (void)image_refuse(image, -E2BIG, "needs %llu x %zu bytes; one call carries at most %zu",
                           (unsigned long long)count, bytes, image->bytes_max);
        return NULL;
    }
    /* One block never ends where nothing is: a NUL fits behind every array. */
    struct image_block *block = calloc(1, sizeof *block + needed + 16);
    if (!block) {
        (void)image_refuse(image, -E2BIG, "no memory for %llu bytes", (unsigned long long)needed);
        return NULL;
    }
    block->bytes = (size_t)needed;
    block->next = image->blocks;
    image->blocks = block;
    image->bytes += (size_t)needed;
    return block->memory;
}

size_t image_room(const struct image *image, const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    for (const struct image_block *block = image->blocks; block; block = block->next) {
        uintptr_t start = (uintptr_t)block->memory;
        if (address >= start && address - start < block->bytes) {
            return block->bytes - (address - start);
        }
    }
    return 0;
}

void *image_copy(struct image *image, const struct cordon_plan_type *type, const void *bytes,
                 size_t count, uint64_t capacity)
{
    size_t each = type->kind == CORDON_PLAN_STRING ? 1 : view_element_bytes(image->plan, type);
    size_t extra = type->kind == CORDON_PLAN_STRING || type->flags & CORDON_PLAN_NULL_ENDED ? 1 : 0;
    uint64_t room = count + extra > capacity ? count + extra : capacity;
    void *memory = image_take(image, room, each);
    if (memory && count > 0) {
        memcpy(memory, bytes, count * each);
    }
    return memory;
}

/* The path while a part of it is converted: "[3]", ".x". Returns its length before. */
static size_t path_enter(struct image *image, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static size_t path_enter(struct image *image, const char *format, ...)
{
    size_t length = strlen(image->path);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(image->path + length, sizeof image->path - length, format, args);
    va_end(args);
    return length;
}

static void path_leave(struct image *image, size_t length)
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

static int refuse_kind(struct image *image, const struct cordon_plan_type *type, const json_t *json,
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
        return refuse_kind(image, type, json, "a number");
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
        size_t length = path_enter(image, "[%zu]", i);
        int r = image_store(image, target, json_array_get(json, i), memory + i * each);
        if (r < 0) {
            return r;
        }
        path_leave(image, length);
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
        return refuse_kind(image, type, json, "a JSON array");
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
        return refuse_kind(image, type, json, "a JSON array");
    }
    void *bytes = NULL;
    size_t length;
    int r = image_json_bytes(image, json, &bytes, &length);
    if (r == 0 && length > type->count) {
        r = image_refuse(image, -EINVAL, "%zu bytes given, there is room for %u", length,
                         type->count);
    }
    if (r == 0) {
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
    return refuse_kind(image, type, json,
                       type->kind == CORDON_PLAN_TOKEN    ? "a number or null"
                       : type->kind == CORDON_PLAN_HANDLE ? "null: handles end with the command"
                                                          : "null");
}

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
    for (uint32_t i = 0; i < record->count; i++) {
        message_add(image->why, "%s %s", i ? "," : "",
                    view_name(image->plan, view_field(image->plan, record, i)->name));
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
    uint64_t needed;
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
    uint64_t needed;
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

static int store_member(struct image *image, const struct cordon_plan_type *record, uint32_t index,
                        const json_t *whole, uint8_t *memory, bool pointers)
{
    const struct cordon_plan_field *field = view_field(image->plan, record, index);
    const struct cordon_plan_type *type = view_type(image->plan, field->type);
    const char *name = view_name(image->plan, field->name);
    const json_t *json = json_object_get(whole, name);
    if (view_is_memory(type) != pointers) {
        return 0;
    }
    size_t length = path_enter(image, ".%s", name);
    int r = 0;
    if (pointers && type->direction == CORDON_PLAN_OUT) {
        r = store_out_member(image, record, type, memory, memory + field->offset);
    } else if (pointers && json && !json_is_null(json)) {
        r = store_in_member(image, record, index, whole, json, memory);
    } else if (!pointers && json) {
        r = image_store(image, type, json, memory + field->offset);
    }
    if (r == 0) {
        path_leave(image, length);
    }
    return r;
}

/* Numbers first: they may give the lengths of what the pointers name. */
static int store_struct(struct image *image, const struct cordon_plan_type *record,
                        const json_t *json, uint8_t *memory)
{
    if (!json_is_object(json)) {
        return refuse_kind(image, record, json, "a JSON object");
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

int image_store(struct image *image, const struct cordon_plan_type *type, const json_t *json,
                void *memory)
{
    switch (type->kind) {
    case CORDON_PLAN_STRUCT:
        return store_struct(image, type, json, memory);
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
                                    : refuse_kind(image, type, json, "nothing");
    }
}
