/* SPDX-License-Identifier: Apache-2.0 */
#include "json/number.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int64_t min;
    uint64_t max;
} ranges[CORDON_PLAN_KIND_COUNT] = {
    [CORDON_PLAN_BOOL] = {0, 1},         [CORDON_PLAN_I8] = {INT8_MIN, INT8_MAX},
    [CORDON_PLAN_U8] = {0, UINT8_MAX},   [CORDON_PLAN_I16] = {INT16_MIN, INT16_MAX},
    [CORDON_PLAN_U16] = {0, UINT16_MAX}, [CORDON_PLAN_I32] = {INT32_MIN, INT32_MAX},
    [CORDON_PLAN_U32] = {0, UINT32_MAX}, [CORDON_PLAN_I64] = {INT64_MIN, INT64_MAX},
    [CORDON_PLAN_U64] = {0, UINT64_MAX},
};

#define WHOLE_MAX  9007199254740992.0 /* 2^53: beyond, doubles skip integers */
#define TEXT_SHOWN 64                 /* characters of a wrong text in a sentence */

static int refuse_range(const struct cordon_plan_type *type, const char *text, struct message *why)
{
    return message_set(why, -EINVAL, "%.*s does not fit %s (%" PRId64 " to %" PRIu64 ")",
                       TEXT_SHOWN, text, view_kind_name(type->kind), ranges[type->kind].min,
                       ranges[type->kind].max);
}

/* The names of an enum, for a refusal. */
static int refuse_enumerator(const struct plan_view *plan, const struct cordon_plan_type *type,
                             const char *text, struct message *why)
{
    (void)message_set(why, -EINVAL, "'%.*s' is neither a number nor one of", TEXT_SHOWN, text);
    for (uint32_t i = 0; i < type->count && i < 12; i++) {
        message_add(why, "%s %s", i ? "," : "",
                    view_name(plan, view_enumerator(plan, type, i)->name));
    }
    if (type->count > 12) {
        message_add(why, ", ...");
    }
    return -EINVAL;
}

static bool find_enumerator(const struct plan_view *plan, const struct cordon_plan_type *type,
                            const char *text, uint64_t *ret_word)
{
    for (uint32_t i = 0; type->flags & CORDON_PLAN_ENUM && i < type->count; i++) {
        const struct cordon_plan_enumerator *enumerator = view_enumerator(plan, type, i);
        if (strcmp(view_name(plan, enumerator->name), text) == 0) {
            *ret_word = (uint64_t)enumerator->value;
            return true;
        }
    }
    return false;
}

static bool is_word(const char *text, uint64_t *ret_word)
{
    *ret_word = strcmp(text, "true") == 0;
    return *ret_word || strcmp(text, "false") == 0;
}

static int parse_integer(const struct plan_view *plan, const struct cordon_plan_type *type,
                         const char *text, uint64_t *ret_word, struct message *why)
{
    bool negative = *text == '-';
    const char *digits = negative || *text == '+' ? text + 1 : text;
    int base = digits[0] == '0' && (digits[1] | 0x20) == 'x' ? 16 : 10;
    char *end = NULL;
    errno = 0;
    uint64_t magnitude = isdigit((unsigned char)*digits) ? strtoull(digits, &end, base) : 0;
    if (!end || end == digits || *end != '\0') {
        return type->flags & CORDON_PLAN_ENUM
                   ? refuse_enumerator(plan, type, text, why)
                   : message_set(why, -EINVAL, "'%.*s' is no integer", TEXT_SHOWN, text);
    }
    uint64_t min_magnitude = (uint64_t)0 - (uint64_t)ranges[type->kind].min;
    if (errno == ERANGE ||
        (negative ? magnitude > min_magnitude : magnitude > ranges[type->kind].max)) {
        return refuse_range(type, text, why);
    }
    *ret_word = negative ? (uint64_t)0 - magnitude : magnitude;
    return 0;
}

static int parse_floating(const struct cordon_plan_type *type, const char *text, uint64_t *ret_word,
                          struct message *why)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || isspace((unsigned char)*text)) {
        return message_set(why, -EINVAL, "'%.*s' is no number", TEXT_SHOWN, text);
    }
    bool spelled = strpbrk(text, "nN") != NULL; /* inf, nan */
    if (!spelled &&
        (isinf(number) || (type->kind == CORDON_PLAN_F32 && fabs(number) > (double)FLT_MAX))) {
        return message_set(why, -EINVAL, "%.*s does not fit %s", TEXT_SHOWN, text,
                           view_kind_name(type->kind));
    }
    memcpy(ret_word, &number, sizeof number);
    return 0;
}

int number_parse(const struct plan_view *plan, const struct cordon_plan_type *type,
                 const char *text, uint64_t *ret_word, struct message *why)
{
    if (type->kind == CORDON_PLAN_F32 || type->kind == CORDON_PLAN_F64) {
        return parse_floating(type, text, ret_word, why);
    }
    if (find_enumerator(plan, type, text, ret_word) || is_word(text, ret_word)) {
        return 0;
    }
    return parse_integer(plan, type, text, ret_word, why);
}

static bool is_floating(const struct cordon_plan_type *type)
{
    return type->kind == CORDON_PLAN_F32 || type->kind == CORDON_PLAN_F64;
}

static int read_int(const struct cordon_plan_type *type, int64_t number, uint64_t *ret_word,
                    struct message *why)
{
    char text[24];
    double wide = (double)number;
    if (is_floating(type)) {
        memcpy(ret_word, &wide, sizeof wide);
        return 0;
    }
    if (number < ranges[type->kind].min ||
        (number > 0 && (uint64_t)number > ranges[type->kind].max)) {
        (void)snprintf(text, sizeof text, "%" PRId64, number);
        return refuse_range(type, text, why);
    }
    *ret_word = (uint64_t)number;
    return 0;
}

static int read_uint(const struct cordon_plan_type *type, uint64_t number, uint64_t *ret_word,
                     struct message *why)
{
    char text[24];
    double wide = (double)number;
    if (is_floating(type)) {
        memcpy(ret_word, &wide, sizeof wide);
        return 0;
    }
    if (number > ranges[type->kind].max) {
        (void)snprintf(text, sizeof text, "%" PRIu64, number);
        return refuse_range(type, text, why);
    }
    *ret_word = number;
    return 0;
}

static int read_double(const struct cordon_plan_type *type, double number, uint64_t *ret_word,
                       struct message *why)
{
    if (type->kind == CORDON_PLAN_F32 && fabs(number) > (double)FLT_MAX) {
        return message_set(why, -EINVAL, "%.17g does not fit float", number);
    }
    if (is_floating(type)) {
        memcpy(ret_word, &number, sizeof number);
        return 0;
    }
    return fabs(number) <= WHOLE_MAX && trunc(number) == number
               ? read_int(type, (int64_t)number, ret_word, why)
               : message_set(why, -EINVAL, "%.17g is no integer", number);
}

int number_read(const struct plan_view *plan, const struct cordon_plan_type *type,
                struct json_value json, uint64_t *ret_word, struct message *why)
{
    size_t length;
    const char *text;
    switch (json_value_kind(json)) {
    case JSON_KIND_INT:
        return read_int(type, json_value_int(json), ret_word, why);
    case JSON_KIND_UINT:
        return read_uint(type, json_value_uint(json), ret_word, why);
    case JSON_KIND_DOUBLE:
        return read_double(type, json_value_double(json), ret_word, why);
    case JSON_KIND_STRING:
        text = json_value_string(json, &length);
        return strlen(text) == length ? number_parse(plan, type, text, ret_word, why)
                                      : message_set(why, -EINVAL, "a string with a NUL inside");
    case JSON_KIND_BOOL:
        if (type->kind == CORDON_PLAN_BOOL) {
            *ret_word = json_value_bool(json);
            return 0;
        }
        __attribute__((fallthrough));
    default:
        return message_set(why, -EINVAL, "%s given where %s is wanted", json_value_kind_text(json),
                           view_kind_name(type->kind));
    }
}

void number_store(const struct cordon_plan_type *type, uint64_t word, void *memory)
{
    if (type->kind == CORDON_PLAN_F32) {
        double number;
        memcpy(&number, &word, sizeof number);
        float narrow = (float)number;
        memcpy(memory, &narrow, sizeof narrow);
        return;
    }
    memcpy(memory, &word, type->size); /* plans are for little-endian machines only */
}

struct cordon_value number_value(const struct cordon_plan_type *type, uint64_t word)
{
    struct cordon_value value = cordon_uint(word);
    if (is_floating(type)) {
        value.kind = CORDON_VALUE_FLOAT;
    } else if (ranges[type->kind].min < 0) {
        value.kind = CORDON_VALUE_INT;
    }
    value.type = CORDON_TYPE_DECLARED;
    return value;
}
