/* SPDX-License-Identifier: Apache-2.0 */
#include "report/native_json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame/scalar.h"
#include "report/base64.h"
#include "report/sha256.h"

#define ELEMENTS_WHOLE_MAX 65536u

static json_t *number(const struct plan *plan, const struct cordon_plan_type *type, uint64_t word,
                      enum report_detail detail)
{
    struct cordon_value value;
    char text[64];
    if (type->kind == CORDON_PLAN_BOOL) {
        return json_boolean(word != 0);
    }
    scalar_to_value(type->kind, word, &value);
    if (value.kind == CORDON_VALUE_FLOAT) {
        if (isfinite(value.f)) {
            return json_real(value.f);
        }
        (void)snprintf(text, sizeof text, "%s",
                       isnan(value.f) ? "nan"
                       : value.f < 0  ? "-inf"
                                      : "inf");
        return json_string(text);
    }
    for (uint32_t i = 0; (type->flags & CORDON_PLAN_ENUM) && i < type->count; i++) {
        const struct cordon_plan_enumerator *enumerator = plan_enumerator(plan, type->first + i);
        if (detail != REPORT_WHOLE && (uint64_t)enumerator->value == word) {
            return json_string(plan_name(plan, enumerator->name));
        }
    }
    if (value.kind == CORDON_VALUE_UINT && value.u > INT64_MAX) {
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value.u);
        return json_string(text);
    }
    return json_integer((json_int_t)value.u);
}

json_t *native_json_address(const char *what, uint64_t word)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s0x%llx", what, (unsigned long long)word);
    return json_string(text);
}

static json_t *whole_bytes(const void *memory, uint64_t bytes, bool text)
{
    json_t *string = text ? json_stringn(memory, bytes) : NULL;
    if (string) {
        return string;
    }
    char *base64 = base64_new(memory, bytes);
    json_t *json = base64 ? json_pack("{s:s}", "base64", base64) : NULL;
    free(base64);
    return json;
}

/* What is left out, so that it can be told apart. */
static json_t *outline(const struct reader *reader, const void *memory, uint64_t count,
                       uint64_t bytes)
{
    char hash[SHA256_TEXT_BYTES];
    sha256_text(memory, bytes, hash);
    json_t *json = json_pack("{s:I, s:I, s:s}", "count", (json_int_t)count, "bytes",
                             (json_int_t)bytes, "sha256", hash);
    if (json && reader->detail == REPORT_BYTES && bytes > 0) {
        char hex[2 * REPORT_FIRST_BYTES + 1];
        for (uint32_t i = 0; i < REPORT_FIRST_BYTES && i < bytes; i++) {
            (void)snprintf(hex + (size_t)2 * i, 3, "%02x", ((const uint8_t *)memory)[i]);
        }
        (void)json_object_set_new(json, "first", json_string(hex));
    }
    return json;
}

static json_t *refuse(struct reader *reader, const char *sentence)
{
    (void)message_set(reader->why, -ENOTSUP, "%s", sentence);
    return NULL;
}

static int owner_field(void *context, uint32_t field, int64_t *ret_value)
{
    const struct owner *owner = context;
    if (!owner->type || field >= owner->type->count) {
        return -ENODATA;
    }
    const struct plan *plan = owner->reader->plan;
    const struct cordon_plan_field *member = plan_field(plan, owner->type->first + field);
    const struct cordon_plan_type *type = plan_type(plan, member->type);
    if (!scalar_is_integer(type->kind)) {
        return -ENODATA;
    }
    *ret_value = (int64_t)scalar_load(type->kind, owner->memory + member->offset);
    return 0;
}

static int owner_param(void *context, uint32_t param, int64_t *ret_value)
{
    const struct owner *owner = context;
    const struct reader *reader = owner->reader;
    if (param >= reader->function->param_count || !reader->call.arguments[param]) {
        return -ENODATA;
    }
    const struct cordon_plan_type *type =
        plan_type(reader->plan, plan_function_param(reader->plan, reader->function, param)->type);
    if (!scalar_is_integer(type->kind)) {
        return -ENODATA;
    }
    *ret_value = (int64_t)scalar_load(type->kind, reader->call.arguments[param]);
    return 0;
}

bool native_json_count(struct reader *reader, const struct cordon_plan_type *type,
                       const uint8_t *memory, const struct owner *owner, uint64_t *ret_count)
{
    struct owner nobody = {.reader = reader};
    struct plan_scope scope = {.context = (void *)(uintptr_t)(owner ? owner : &nobody),
                               .param = owner_param,
                               .field = owner_field};
    *ret_count = 1;
    if (type->kind == CORDON_PLAN_STRING) {
        *ret_count = strlen((const char *)memory);
        return true;
    }
    if (type->flags & CORDON_PLAN_NULL_ENDED) {
        uint64_t word;
        for (*ret_count = 0;; (*ret_count)++) {
            memcpy(&word, memory + *ret_count * sizeof word, sizeof word);
            if (word == 0) {
                return true;
            }
        }
    }
    return type->code == CORDON_PLAN_NONE ||
           plan_evaluate(reader->plan, type->code, &scope, ret_count) == 0;
}

static bool is_bytes(const struct cordon_plan_type *target)
{
    return target->kind == CORDON_PLAN_VOID || target->kind == CORDON_PLAN_U8 ||
           target->kind == CORDON_PLAN_I8;
}

static json_t *elements(struct reader *reader, const struct cordon_plan_type *target,
                        const uint8_t *memory, uint64_t count, const struct owner *owner,
                        uint32_t depth)
{
    uint64_t most = reader->detail == REPORT_WHOLE ? ELEMENTS_WHOLE_MAX : REPORT_ELEMENTS_SHOWN;
    if (reader->detail == REPORT_WHOLE && count > most) {
        return refuse(reader, "an array has too many elements to be replayed");
    }
    json_t *array = json_array();
    for (uint64_t i = 0; i < count && i < most; i++) {
        json_t *element = native_json(reader, target, memory + i * target->size, owner, depth);
        if (!element) {
            json_decref(array);
            return NULL;
        }
        (void)json_array_append_new(array, element);
    }
    return array;
}

/* Memory of the call: @count elements. */
json_t *native_json_memory(struct reader *reader, const struct cordon_plan_type *type,
                           const uint8_t *memory, uint64_t count, const struct owner *owner,
                           uint32_t depth)
{
    bool in = type->direction & CORDON_PLAN_IN;
    bool string = type->kind == CORDON_PLAN_STRING;
    const struct cordon_plan_type *target = string ? NULL : plan_type(reader->plan, type->target);
    bool bytes = string || is_bytes(target);
    uint64_t each = string || target->size == 0 ? 1 : target->size;
    if (!in) {
        return json_pack("{s:I}", "room", (json_int_t)count);
    }
    if (string) {
        count = strlen((const char *)memory);
    }
    if (reader->detail == REPORT_WHOLE && bytes) {
        return whole_bytes(memory, count, string || (type->flags & CORDON_PLAN_TEXT));
    }
    if (reader->detail == REPORT_WHOLE) {
        bool one = type->code == CORDON_PLAN_NONE && !(type->flags & CORDON_PLAN_NULL_ENDED);
        return one ? native_json(reader, target, memory, owner, depth + 1)
                   : elements(reader, target, memory, count, owner, depth + 1);
    }
    if (bytes || scalar_is(target->kind)) {
        return count == 1 && !bytes ? native_json(reader, target, memory, owner, depth + 1)
                                    : outline(reader, memory, count, count * each);
    }
    json_t *array = elements(reader, target, memory, count, owner, depth + 1);
    return array ? json_pack("{s:I, s:o}", "count", (json_int_t)count, "elements", array) : NULL;
}

static json_t *record(struct reader *reader, const struct cordon_plan_type *type,
                      const uint8_t *memory, uint32_t depth)
{
    struct owner owner = {.reader = reader, .type = type, .memory = memory};
    json_t *object = json_object();
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = plan_field(reader->plan, type->first + i);
        const struct cordon_plan_type *member = plan_type(reader->plan, field->type);
        if ((field->flags & CORDON_PLAN_FIELD_FILLED) && reader->detail == REPORT_WHOLE) {
            continue;
        }
        json_t *value =
            member->flags & CORDON_PLAN_SECRET
                ? json_string("secret")
                : native_json(reader, member, memory + field->offset, &owner, depth + 1);
        if (!value) {
            json_decref(object);
            return NULL;
        }
        (void)json_object_set_new(object, plan_name(reader->plan, field->name), value);
    }
    return object;
}

/* The member in use, as the selector in the same struct tells. */
static json_t *union_value(struct reader *reader, const struct cordon_plan_type *type,
                           const uint8_t *memory, const struct owner *owner, uint32_t depth)
{
    int64_t selector;
    if (!owner || owner_field((void *)(uintptr_t)owner, type->within, &selector) < 0) {
        return json_null();
    }
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = plan_field(reader->plan, type->first + i);
        uint64_t value = (uint64_t)field->value_high << 32 | field->filled_by;
        if (!(field->flags & CORDON_PLAN_FIELD_DEFAULT) && value != (uint64_t)selector) {
            continue;
        }
        const struct cordon_plan_type *member = plan_type(reader->plan, field->type);
        if (member->kind == CORDON_PLAN_VOID) {
            return json_null();
        }
        json_t *inner = native_json(reader, member, memory + field->offset, owner, depth + 1);
        return inner ? json_pack("{s:o}", plan_name(reader->plan, field->name), inner) : NULL;
    }
    return json_null();
}

static json_t *pointer(struct reader *reader, const struct cordon_plan_type *type, uint64_t word,
                       const struct owner *owner, uint32_t depth)
{
    uint64_t count;
    const uint8_t *memory = (const uint8_t *)(uintptr_t)word;
    if (!memory) {
        return json_null();
    }
    if (!(type->direction & CORDON_PLAN_IN)) {
        return json_object();
    }
    if (!native_json_count(reader, type, memory, owner, &count)) {
        return json_string("of unknown length");
    }
    return native_json_memory(reader, type, memory, count, owner, depth);
}

/* An object of @type at @memory, in C layout. */
json_t *native_json(struct reader *reader, const struct cordon_plan_type *type,
                    const uint8_t *memory, const struct owner *owner, uint32_t depth)
{
    uint64_t word = 0;
    if (depth > REPORT_DEPTH_MAX) {
        return reader->detail == REPORT_WHOLE ? refuse(reader, "an argument is too deeply nested")
                                              : json_string("...");
    }
    if (type->flags & CORDON_PLAN_SECRET) {
        return reader->detail == REPORT_WHOLE ? refuse(reader, "an argument is secret")
                                              : json_string("secret");
    }
    if (scalar_is(type->kind)) {
        return number(reader->plan, type, scalar_load(type->kind, memory), reader->detail);
    }
    if (type->kind == CORDON_PLAN_STRUCT) {
        return record(reader, type, memory, depth);
    }
    if (type->kind == CORDON_PLAN_UNION) {
        return union_value(reader, type, memory, owner, depth);
    }
    if (type->kind == CORDON_PLAN_ARRAY) {
        const struct cordon_plan_type *target = plan_type(reader->plan, type->target);
        if (is_bytes(target)) {
            return reader->detail == REPORT_WHOLE
                       ? whole_bytes(memory, type->count, false)
                       : outline(reader, memory, type->count, type->count);
        }
        return elements(reader, target, memory, type->count, owner, depth + 1);
    }
    if (type->kind == CORDON_PLAN_VOID || type->kind == CORDON_PLAN_VARARGS) {
        return json_null();
    }
    memcpy(&word, memory, sizeof word);
    if (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING) {
        return pointer(reader, type, word, owner, depth);
    }
    if (word == 0) {
        return json_null();
    }
    if (type->kind == CORDON_PLAN_HANDLE) {
        return reader->detail == REPORT_WHOLE ? refuse(reader, "an argument is a handle")
                                              : native_json_address("handle ", word);
    }
    if (type->kind == CORDON_PLAN_CALLBACK) {
        return reader->detail == REPORT_WHOLE && !(word >> 63)
                   ? refuse(reader, "an argument is a callback")
                   : native_json_address("callback ", word);
    }
    return reader->detail == REPORT_WHOLE ? json_integer((json_int_t)word)
                                          : native_json_address("", word);
}

json_t *native_json_text(const struct reader *reader, const char *text)
{
    size_t bytes = strlen(text);
    return reader->detail == REPORT_WHOLE ? whole_bytes(text, bytes, true)
                                          : outline(reader, text, bytes, bytes);
}
