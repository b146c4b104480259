/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/number.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
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

static int refuse_range(const struct cordon_plan_type *type, const char *text, struct message *why)
{
    return message_set(why, -EINVAL, "%s does not fit, %" PRId64 " to %" PRIu64 " does", text,
                       ranges[type->kind].min, ranges[type->kind].max);
}

/* The names of an enum, for a refusal. */
static int refuse_enumerator(const struct plan_view *plan, const struct cordon_plan_type *type,
                             const char *text, struct message *why)
{
    (void)message_set(why, -EINVAL, "'%s' is neither a number nor one of", text);
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
                   : message_set(why, -EINVAL, "'%s' is no integer", text);
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
        return message_set(why, -EINVAL, "'%s' is no number", text);
    }
    bool spelled = strpbrk(text, "nN") != NULL; /* inf, nan */
    if (!spelled &&
        (isinf(number) || (type->kind == CORDON_PLAN_F32 && fabs(number) > (double)FLT_MAX))) {
        return message_set(why, -EINVAL, "%s does not fit %s", text,
                           type->kind == CORDON_PLAN_F32 ? "float" : "double");
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

int number_parse_duration(const char *text, uint64_t *ret_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}};
    char *end;
    if (!isdigit((unsigned char)*text)) {
        return -EINVAL;
    }
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        double ns = number * units[i].ns;
        if (strcmp(end, units[i].unit) == 0 && ns >= 1 && ns < 9e18) {
            *ret_ns = (uint64_t)ns;
            return 0;
        }
    }
    return -EINVAL;
}
