/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/argument_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bytes.h"
#include "cli/json_text.h"
#include "cli/number.h"

/* What stands behind @prefix, or NULL. */
static const char *after_prefix(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static int parse_number(struct image *image, const struct cordon_plan_type *type, const char *text,
                        struct cordon_value *ret_value)
{
    struct message why;
    uint64_t word;
    int r = number_parse(image->plan, type, text, &word, &why);
    if (r < 0) {
        return image_refuse(image, r, "%s", why.text);
    }
    bool is_signed = type->kind == CORDON_PLAN_I8 || type->kind == CORDON_PLAN_I16 ||
                     type->kind == CORDON_PLAN_I32 || type->kind == CORDON_PLAN_I64;
    *ret_value = cordon_null();
    ret_value->u = word;
    ret_value->kind = !view_is_integer(type) ? CORDON_VALUE_FLOAT
                      : is_signed            ? CORDON_VALUE_INT
                                             : CORDON_VALUE_UINT;
    return 0;
}

/* Handles, callbacks, tokens, offsets: a number at most. */
static int parse_opaque(struct image *image, const struct cordon_plan_type *type, const char *text,
                        struct cordon_value *ret_value)
{
    static const struct cordon_plan_type word = {.kind = CORDON_PLAN_U64, .size = 8};
    *ret_value = cordon_null();
    if (strcmp(text, "null") == 0) {
        return 0;
    }
    if (type->kind == CORDON_PLAN_HANDLE) {
        return image_refuse(image, -EINVAL,
                            "a handle lives as long as this command, so only null can be given");
    }
    if (parse_number(image, &word, text, ret_value) == 0) {
        return 0;
    }
    return type->kind == CORDON_PLAN_CALLBACK
               ? image_refuse(image, -EINVAL,
                              "'%s': a callback cannot be given from the shell, only null or a "
                              "constant's number",
                              text)
               : image_refuse(image, -EINVAL, "'%s' is neither a number nor null", text);
}

/* The bytes that an ARG names, in malloc'ed memory. */
static int read_bytes(struct image *image, const char *text, void **ret_bytes, size_t *ret_length)
{
    struct message why = {"no memory"};
    const char *rest;
    int r;
    if (*text == '@') {
        r = bytes_from_file(text + 1, image->bytes_max, ret_bytes, ret_length, &why);
    } else if ((rest = after_prefix(text, "hex:"))) {
        r = bytes_from_hex(rest, strlen(rest), ret_bytes, ret_length, &why);
    } else if ((rest = after_prefix(text, "base64:"))) {
        r = bytes_from_base64(rest, strlen(rest), ret_bytes, ret_length, &why);
    } else {
        rest = after_prefix(text, "text:");
        text = rest ? rest : text;
        *ret_length = strlen(text);
        *ret_bytes = strdup(text);
        r = *ret_bytes ? 0 : -ENOMEM;
    }
    return r < 0 ? image_refuse(image, r, "%s", why.text) : 0;
}

/* Elements that an array has by its other parameters; 0 where that is not known. */
static int capacity_of(struct image *image, const struct cordon_plan_type *type,
                       uint64_t *ret_capacity)
{
    *ret_capacity = 0;
    if (type->code == CORDON_PLAN_NONE || !(type->direction & CORDON_PLAN_OUT)) {
        return 0;
    }
    int r = length_evaluate(image->scope, type->code, ret_capacity);
    return r < 0 && r != -ENODATA
               ? image_refuse(image, -EINVAL, "its length %s", length_error_text(r))
               : 0;
}

/*
 * What comes back may be longer than what was given: text is given room up to its capacity, arrays of
 * anything else must have all their elements.
 */
static void set_memory(const struct cordon_plan_type *type, void *memory, size_t count,
                       uint64_t capacity, struct cordon_value *ret_value)
{
    bool grows = type->kind == CORDON_PLAN_STRING || type->flags & CORDON_PLAN_TEXT;
    *ret_value = cordon_in(memory, grows && capacity > count ? (size_t)capacity : count);
    if (type->kind == CORDON_PLAN_STRING) {
        ret_value->type = CORDON_TYPE_STRING;
    }
}

static int parse_bytes(struct image *image, const struct cordon_plan_type *type, const char *text,
                       struct cordon_value *ret_value)
{
    void *bytes = NULL;
    size_t length = 0;
    uint64_t capacity = 0;
    int r = capacity_of(image, type, &capacity);
    r = r < 0 ? r : read_bytes(image, text, &bytes, &length);
    if (r < 0) {
        return r;
    }
    void *memory = image_copy(image, type, bytes, length, capacity);
    free(bytes);
    set_memory(type, memory, length, capacity, ret_value);
    return memory ? 0 : -E2BIG;
}

static int parse_string(struct image *image, const struct cordon_plan_type *type, const char *text,
                        struct cordon_value *ret_value)
{
    const char *rest = after_prefix(text, "text:");
    uint64_t capacity = 0;
    int r = capacity_of(image, type, &capacity);
    if (r < 0) {
        return r;
    }
    text = rest ? rest : text;
    void *memory = image_copy(image, type, text, strlen(text), capacity);
    set_memory(type, memory, strlen(text), capacity, ret_value);
    return memory ? 0 : -E2BIG;
}

static int store_json(struct image *image, const struct cordon_plan_type *type, const json_t *json,
                      struct cordon_value *ret_value)
{
    void *memory = NULL;
    size_t count = 1;
    uint64_t capacity = 0;
    if (type->kind == CORDON_PLAN_STRUCT) {
        memory = image_take(image, 1, type->size);
        *ret_value = cordon_in(memory, 1);
        return memory ? image_store(image, type, json, memory) : -E2BIG;
    }
    if (json_is_null(json)) {
        *ret_value = cordon_null();
        return 0;
    }
    int r = capacity_of(image, type, &capacity);
    r = r < 0 ? r : image_elements(image, type, json, capacity, &memory, &count);
    if (r == 0) {
        set_memory(type, memory, count, capacity, ret_value);
    }
    return r;
}

static int parse_json(struct image *image, const struct cordon_plan_type *type, const char *text,
                      struct cordon_value *ret_value)
{
    struct message why;
    void *bytes = NULL;
    size_t length = 0;
    json_t *json = NULL;
    int r = read_bytes(image, text, &bytes, &length);
    if (r < 0) {
        return r;
    }
    r = json_text_parse(bytes, length, &json, &why);
    free(bytes);
    if (r < 0) {
        char wanted[128];
        return image_refuse(image, r, "%s wanted, %s",
                            view_type_text(image->plan, type, wanted, sizeof wanted), why.text);
    }
    r = store_json(image, type, json, ret_value);
    json_decref(json);
    return r;
}

/* A pointer to one number or string takes it as it is typed. */
static int parse_single(struct image *image, const struct cordon_plan_type *type, const char *text,
                        struct cordon_value *ret_value)
{
    const struct cordon_plan_type *target = view_target(image->plan, type);
    struct cordon_value inner = cordon_null();
    size_t each =
        target->size < sizeof(struct cordon_handle) ? sizeof(struct cordon_handle) : target->size;
    int r = argument_parse(image, target, text, &inner);
    void *memory = r < 0 ? NULL : image_take(image, 1, each);
    if (!memory) {
        return r < 0 ? r : -E2BIG;
    }
    if (view_is_scalar(target)) {
        number_store(target, inner.u, memory);
    } else if (target->kind == CORDON_PLAN_WITHIN && inner.kind == CORDON_VALUE_NULL) {
        memset(memory, 0xff, sizeof(uint64_t)); /* offset + 1 travels: all ones is NULL */
    } else if (inner.kind != CORDON_VALUE_NULL) {
        memcpy(memory, &inner.u, sizeof inner.u);
    }
    *ret_value = cordon_in(memory, 1);
    return 0;
}

static int parse_pointer(struct image *image, const struct cordon_plan_type *type, const char *text,
                         struct cordon_value *ret_value)
{
    const struct cordon_plan_type *target = view_target(image->plan, type);
    bool many = type->code != CORDON_PLAN_NONE || type->flags & CORDON_PLAN_NULL_ENDED;
    bool single = !many && target->kind != CORDON_PLAN_STRUCT && target->kind != CORDON_PLAN_ARRAY;
    if (strcmp(text, "null") == 0 && (!single || view_is_scalar(target))) {
        *ret_value = cordon_null();
        return 0;
    }
    if (view_is_bytes(image->plan, type)) {
        return parse_bytes(image, type, text, ret_value);
    }
    return single ? parse_single(image, type, text, ret_value)
                  : parse_json(image, type, text, ret_value);
}

int argument_parse(struct image *image, const struct cordon_plan_type *type, const char *text,
                   struct cordon_value *ret_value)
{
    const char *json = after_prefix(text, "json:");
    if (json && (view_is_memory(type) || type->kind == CORDON_PLAN_STRUCT)) {
        return parse_json(image, type, json, ret_value);
    }
    switch (type->kind) {
    case CORDON_PLAN_STRING:
        if (strcmp(text, "null") == 0) {
            *ret_value = cordon_null();
            return 0;
        }
        return parse_string(image, type, text, ret_value);
    case CORDON_PLAN_POINTER:
        return parse_pointer(image, type, text, ret_value);
    case CORDON_PLAN_STRUCT:
        return parse_json(image, type, text, ret_value);
    default:
        return view_is_scalar(type) ? parse_number(image, type, text, ret_value)
                                    : parse_opaque(image, type, text, ret_value);
    }
}

/* Whether all of @text is a number with a point or an exponent: "1.5", "-2e3". */
static bool is_floating(const char *text, double *ret_number)
{
    char *end;
    const char *first = *text == '-' || *text == '+' ? text + 1 : text;
    if (!isdigit((unsigned char)*first) && *first != '.') {
        return false;
    }
    *ret_number = strtod(text, &end);
    return end != text && *end == '\0' && !strpbrk(text, "xX");
}

int argument_variadic(struct image *image, const char *text, struct cordon_value *ret_value)
{
    static const struct cordon_plan_type types[] = {
        {.kind = CORDON_PLAN_I32}, {.kind = CORDON_PLAN_I64}, {.kind = CORDON_PLAN_U64}};
    static const enum cordon_type passed[] = {CORDON_TYPE_INT, CORDON_TYPE_LONG, CORDON_TYPE_ULONG};
    static const struct cordon_plan_type string = {.kind = CORDON_PLAN_STRING,
                                                   .code = CORDON_PLAN_NONE};
    struct message why;
    double number;
    *ret_value = cordon_null();
    for (size_t i = 0; i < 3; i++) {
        if (number_parse(image->plan, &types[i], text, &ret_value->u, &why) == 0) {
            ret_value->kind = i < 2 ? CORDON_VALUE_INT : CORDON_VALUE_UINT;
            ret_value->type = (uint32_t)passed[i];
            return 0;
        }
    }
    if (is_floating(text, &number)) {
        *ret_value = cordon_float(number);
        return 0;
    }
    if (strcmp(text, "null") == 0) {
        return 0;
    }
    return parse_string(image, &string, text, ret_value);
}

int argument_room(struct image *image, const struct cordon_plan_type *type,
                  struct cordon_value *ret_value)
{
    uint64_t count = 1;
    if (type->code != CORDON_PLAN_NONE) {
        int r = length_evaluate(image->scope, type->code, &count);
        if (r < 0) {
            return image_refuse(image, -EINVAL, "its length %s", length_error_text(r));
        }
    }
    bool string = type->kind == CORDON_PLAN_STRING;
    size_t each = string ? 1 : view_element_bytes(image->plan, type);
    bool single = type->code == CORDON_PLAN_NONE && each < sizeof(struct cordon_handle);
    void *memory = image_take(image, count, single ? sizeof(struct cordon_handle) : each);
    *ret_value = cordon_out(memory, (size_t)count);
    return memory ? 0 : -E2BIG;
}
