/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/argument_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "cli/json_text.h"
#include "json/bytes.h"
#include "json/number.h"

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
    *ret_value = number_value(type, word);
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

typedef int decode_fn(const char *text, size_t length, void *ret_bytes, size_t *ret_length,
                      struct message *why);

static int decode(const char *text, decode_fn *from, void **ret_bytes, size_t *ret_length,
                  struct message *why)
{
    size_t length = strlen(text);
    void *bytes = malloc(bytes_decoded_max(length));
    int r = bytes ? from(text, length, bytes, ret_length, why) : -ENOMEM;
    if (r < 0) {
        free(bytes);
        return r;
    }
    *ret_bytes = bytes;
    return 0;
}

/* The bytes that an ARG names, in malloc'ed memory. */
static int read_bytes(struct image *image, const char *text, void **ret_bytes, size_t *ret_length)
{
    struct message why = {"no memory"};
    const char *rest;
    int r;
    if (*text == '@') {
        r = file_read(text + 1, image->bytes_max, ret_bytes, ret_length, &why);
    } else if ((rest = after_prefix(text, "hex:"))) {
        r = decode(rest, bytes_from_hex, ret_bytes, ret_length, &why);
    } else if ((rest = after_prefix(text, "base64:"))) {
        r = decode(rest, bytes_from_base64, ret_bytes, ret_length, &why);
    } else {
        rest = after_prefix(text, "text:");
        text = rest ? rest : text;
        *ret_length = strlen(text);
        *ret_bytes = strdup(text);
        r = *ret_bytes ? 0 : -ENOMEM;
    }
    return r < 0 ? image_refuse(image, r, "%s", why.text) : 0;
}

static int parse_bytes(struct image *image, const struct cordon_plan_type *type, const char *text,
                       struct cordon_value *ret_value)
{
    void *bytes = NULL;
    size_t length = 0;
    uint64_t capacity = 0;
    int r = image_capacity(image, type, &capacity);
    r = r < 0 ? r : read_bytes(image, text, &bytes, &length);
    if (r < 0) {
        return r;
    }
    void *memory = image_copy(image, type, bytes, length, capacity);
    free(bytes);
    *ret_value = image_memory_value(type, memory, length, capacity);
    return memory ? 0 : -E2BIG;
}

static int parse_string(struct image *image, const struct cordon_plan_type *type, const char *text,
                        struct cordon_value *ret_value)
{
    const char *rest = after_prefix(text, "text:");
    uint64_t capacity = 0;
    int r = image_capacity(image, type, &capacity);
    if (r < 0) {
        return r;
    }
    text = rest ? rest : text;
    void *memory = image_copy(image, type, text, strlen(text), capacity);
    *ret_value = image_memory_value(type, memory, strlen(text), capacity);
    return memory ? 0 : -E2BIG;
}

static int parse_json(struct image *image, const struct cordon_plan_type *type, const char *text,
                      struct cordon_value *ret_value)
{
    struct message why;
    struct document document = {0};
    struct json_value json;
    void *bytes = NULL;
    size_t length = 0;
    int r = read_bytes(image, text, &bytes, &length);
    if (r < 0) {
        return r;
    }
    r = json_text_parse(&document, bytes, length, &json, &why);
    if (r < 0) {
        char wanted[128];
        r = image_refuse(image, r, "%s wanted, %s",
                         view_type_text(image->plan, type, wanted, sizeof wanted), why.text);
    } else {
        r = image_value(image, type, json, ret_value);
    }
    document_deinit(&document);
    free(bytes);
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
