/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/encode.h"

#include <errno.h>
#include <stdio.h>

static const struct cordon_plan_param *param_at_fault(const struct encoder *encoder)
{
    return plan_function_param(encoder->plan, encoder->function, encoder->param);
}

/* "argument 2 'buf'", or "argument 2" where the prototype gives no name. */
static void name_argument(const struct encoder *encoder, uint32_t index)
{
    const struct cordon_plan_param *param =
        plan_function_param(encoder->plan, encoder->function, index);
    const char *name = plan_name(encoder->plan, param->name);
    if (param->position != CORDON_PLAN_NO_WORD) {
        message_add(encoder->why, "argument %u", param->position + 1u);
    } else {
        message_add(encoder->why, "parameter");
    }
    if (name[0]) {
        message_add(encoder->why, " '%s'", name);
    }
}

int encode_refuse(const struct encoder *encoder, int error, const char *format, ...)
{
    char sentence[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    (void)message_set(encoder->why, error, "%s", "");
    name_argument(encoder, encoder->param);
    message_add(encoder->why, " %s", sentence);
    return error;
}

int encode_refuse_hook(const struct encoder *encoder, int error)
{
    char sentence[256];
    if (error >= 0 || !encoder->why) {
        return error;
    }
    (void)snprintf(sentence, sizeof sentence, "%.255s", encoder->why->text);
    return encode_refuse(encoder, error, "%s", sentence);
}

static void value_text(const struct cordon_value *value, char *text, size_t size)
{
    switch (value->kind) {
    case CORDON_VALUE_INT:
        (void)snprintf(text, size, "%lld", (long long)value->i);
        break;
    case CORDON_VALUE_UINT:
        (void)snprintf(text, size, "%llu", (unsigned long long)value->u);
        break;
    case CORDON_VALUE_FLOAT:
        (void)snprintf(text, size, "%g", value->f);
        break;
    case CORDON_VALUE_MEMORY:
        (void)snprintf(text, size, "%s", value->type == CORDON_TYPE_STRING ? "a string" : "memory");
        break;
    case CORDON_VALUE_HANDLE:
        (void)snprintf(text, size, "a handle");
        break;
    case CORDON_VALUE_CALLBACK:
        (void)snprintf(text, size, "a callback");
        break;
    case CORDON_VALUE_NULL:
        (void)snprintf(text, size, "NULL");
        break;
    default:
        (void)snprintf(text, size, "of kind %u, which is none", value->kind);
        break;
    }
}

/* For values whose kind is not even one: what enum cordon_value_kind has for it. */
static const char *wanted_kind(uint8_t kind)
{
    switch (kind) {
    case CORDON_PLAN_POINTER:
    case CORDON_PLAN_ARRAY:
    case CORDON_PLAN_STRUCT:
    case CORDON_PLAN_STRING:
        return " (CORDON_VALUE_MEMORY)";
    case CORDON_PLAN_HANDLE:
        return " (CORDON_VALUE_HANDLE)";
    case CORDON_PLAN_CALLBACK:
        return " (CORDON_VALUE_CALLBACK)";
    case CORDON_PLAN_F32:
    case CORDON_PLAN_F64:
        return " (CORDON_VALUE_FLOAT)";
    default:
        return " (CORDON_VALUE_INT, CORDON_VALUE_UINT)";
    }
}

static const char *wanted(uint8_t kind)
{
    switch (kind) {
    case CORDON_PLAN_POINTER:
    case CORDON_PLAN_ARRAY:
    case CORDON_PLAN_STRUCT:
        return "memory";
    case CORDON_PLAN_STRING:
        return "a string";
    case CORDON_PLAN_HANDLE:
        return "a handle";
    case CORDON_PLAN_CALLBACK:
        return "a callback";
    case CORDON_PLAN_TOKEN:
        return "a token: a number or an address";
    case CORDON_PLAN_WITHIN:
        return "an offset in bytes";
    case CORDON_PLAN_F32:
    case CORDON_PLAN_F64:
        return "a number";
    default:
        return "an integer";
    }
}

int encode_refuse_kind(const struct encoder *encoder, const struct cordon_plan_type *type,
                       const struct cordon_value *value)
{
    char text[64];
    value_text(value, text, sizeof text);
    bool number = value->kind == CORDON_VALUE_INT || value->kind == CORDON_VALUE_UINT;
    if (scalar_is_integer(type->kind) && number) {
        const struct scalar_range *range = &scalar_ranges[type->kind];
        return encode_refuse(encoder, -EINVAL, "is %s; %s holds %lld to %llu", text,
                             scalar_name(type->kind), (long long)range->min,
                             (unsigned long long)range->max);
    }
    if (type->kind == CORDON_PLAN_F32 && value->kind == CORDON_VALUE_FLOAT) {
        return encode_refuse(encoder, -EINVAL, "is %s; float holds up to %g", text,
                             (double)FLT_MAX);
    }
    return encode_refuse(encoder, -EINVAL, "is %s; %s wants %s%s", text, scalar_name(type->kind),
                         wanted(type->kind),
                         value->kind > CORDON_VALUE_CALLBACK ? wanted_kind(type->kind) : "");
}

/* Another array whose length is the same FILLED parameter, and which gave it its value. */
static const struct cordon_plan_param *filled_origin(const struct encoder *encoder, uint32_t code)
{
    const uint8_t *bytes = PLAN_TABLE(encoder->plan, uint8_t, code_at) + code;
    uint16_t index;
    if (bytes[0] != CORDON_PLAN_OP_PARAM) {
        return NULL;
    }
    memcpy(&index, bytes + 1, sizeof index);
    if (index >= encoder->function->param_count) {
        return NULL;
    }
    const struct cordon_plan_param *length =
        plan_function_param(encoder->plan, encoder->function, index);
    return length->flags & CORDON_PLAN_FILLED
               ? plan_function_param(encoder->plan, encoder->function, length->filled_by)
               : NULL;
}

int encode_refuse_length(const struct encoder *encoder, const struct cordon_plan_type *type,
                         const struct cordon_plan_type *owner, uint64_t given, uint64_t needed)
{
    char text[128] = "1";
    if (type->code != CORDON_PLAN_NONE) {
        (void)length_text(encoder->plan, encoder->function, owner, type->code, text, sizeof text);
        const struct cordon_plan_param *origin = filled_origin(encoder, type->code);
        if (origin && origin != param_at_fault(encoder)) {
            return encode_refuse(
                encoder, -EINVAL,
                "holds %llu elements, but argument %u '%s' holds %llu: both have the "
                "length '%s'",
                (unsigned long long)given, origin->position + 1u,
                plan_name(encoder->plan, origin->name), (unsigned long long)needed, text);
        }
    }
    const char *verb = type->direction == CORDON_PLAN_OUT ? "has room for" : "holds";
    return encode_refuse(encoder, -EINVAL, "%s %llu element%s, but its length %s is %llu", verb,
                         (unsigned long long)given, given == 1 ? "" : "s", text,
                         (unsigned long long)needed);
}

int encode_refuse_code(const struct encoder *encoder, const struct cordon_plan_type *type,
                       const struct cordon_plan_type *owner, int error)
{
    char text[128];
    (void)length_text(encoder->plan, encoder->function, owner, type->code, text, sizeof text);
    const char *what = error == -ERANGE      ? "is negative"
                       : error == -EOVERFLOW ? "overflows"
                       : error == -EDOM
                           ? "divides by zero"
                           : "cannot be computed here: lengths in the arena are not read";
    return encode_refuse(encoder, error == -ENODATA ? -EINVAL : error,
                         "has the length %s, which %s", text, what);
}
