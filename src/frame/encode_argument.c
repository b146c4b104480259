/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/encode.h"

#include "base/limits.h"

#include <errno.h>

const struct cordon_value *encode_argument(const struct encoder *encoder,
                                           const struct cordon_plan_param *param)
{
    if (param->position == CORDON_PLAN_NO_WORD) {
        return NULL;
    }
    size_t index = param->position;
    if (index > encoder->variadic_at) {
        index += encoder->variadic_count - 1;
    }
    return &encoder->args[index];
}

/* Nothing but a parameter that Cordon fills in: of NULL it would say 0, whatever was meant. */
static bool counts_itself(const struct encoder *encoder, uint32_t code)
{
    const uint8_t *bytes = PLAN_TABLE(encoder->plan, uint8_t, code_at) + code;
    uint16_t index;
    if (bytes[0] != CORDON_PLAN_OP_PARAM) {
        return false;
    }
    memcpy(&index, bytes + 1, sizeof index);
    return index < encoder->function->param_count &&
           (plan_function_param(encoder->plan, encoder->function, index)->flags &
            CORDON_PLAN_FILLED);
}

/* Whether NULL fits a pointer of @type: declared so, or to no elements, as another argument says. */
static bool null_fits(const struct encoder *encoder, const struct cordon_plan_type *type)
{
    uint64_t needed;
    return encoder->callback || type->flags & CORDON_PLAN_NULLABLE ||
           (type->code != CORDON_PLAN_NONE && !counts_itself(encoder, type->code) &&
            scope_evaluate(&encoder->scope, type->code, &needed) == 0 && needed == 0);
}

static int encode_null(const struct encoder *encoder, const struct cordon_plan_type *type,
                       uint64_t *ret_word)
{
    *ret_word = 0;
    return null_fits(encoder, type)
               ? 0
               : encode_refuse(encoder, -EINVAL, "is NULL, but must not be (not nullable)");
}

/* Handles, tokens, callbacks: what travels in a word and is no number. */
static int encode_opaque(struct encoder *encoder, const struct cordon_plan_type *type,
                         const struct cordon_value *value, uint64_t *ret_word)
{
    if (value->kind == CORDON_VALUE_NULL) {
        return type->kind == CORDON_PLAN_TOKEN ? (*ret_word = 0, 0)
                                               : encode_null(encoder, type, ret_word);
    }
    bool number = value->kind == CORDON_VALUE_UINT || value->kind == CORDON_VALUE_INT;
    switch (type->kind) {
    case CORDON_PLAN_HANDLE:
        if (value->kind == CORDON_VALUE_HANDLE) {
            if (type->tag != 0 && value->handle.tag != 0 && value->handle.tag != type->tag) {
                return encode_refuse(encoder, -EINVAL, "is a handle of another type than %s",
                                     plan_name(encoder->plan, type->name));
            }
            /* A caller's empty handle is NULL; a library's NULL goes to its callback as it is. */
            if (encoder->hooks && encoder->hooks->handle_to_word && value->handle.worker == 0 &&
                value->handle.index == 0 && value->handle.generation == 0) {
                return encode_null(encoder, type, ret_word);
            }
            return encode_refuse_hook(encoder, handle_to_word(encoder->hooks, type, value->handle,
                                                              ret_word, encoder->why));
        }
        break;
    case CORDON_PLAN_CALLBACK:
        if (number || value->kind == CORDON_VALUE_CALLBACK) {
            return encode_callback(encoder, type, value, ret_word);
        }
        break;
    case CORDON_PLAN_TOKEN:
        /* No host pointer crosses, arena memory aside. */
        if (number || (value->kind == CORDON_VALUE_MEMORY && encoder->space &&
                       arena_holds(&encoder->space->arena, (uintptr_t)value->memory, 0))) {
            *ret_word = value->u;
            return 0;
        }
        break;
    case CORDON_PLAN_WITHIN:
        if (number && value->u <= UINT32_MAX) {
            *ret_word = value->u + 1;
            return 0;
        }
        break;
    default:
        break;
    }
    return encode_refuse_kind(encoder, type, value);
}

/* The one object that a WORD-passed pointer points to, read from the caller's memory. */
static int encode_pointee(struct encoder *encoder, const struct cordon_plan_type *type,
                          const struct cordon_value *value, uint64_t *ret_word)
{
    const struct cordon_plan_type *target = pointer_target(encoder->plan, type);
    if (value->kind == CORDON_VALUE_NULL && encoder->callback) {
        *ret_word = 0; /* the receiver finds an object all the same; what it writes there is lost */
        return 0;
    }
    if (value->kind != CORDON_VALUE_MEMORY || !value->memory) {
        return value->kind == CORDON_VALUE_NULL || value->kind == CORDON_VALUE_MEMORY
                   ? encode_refuse(encoder, -EINVAL, "is NULL, but must point to one %s",
                                   scalar_name(target->kind))
                   : encode_refuse_kind(encoder, type, value);
    }
    if (value->count == 0) {
        return encode_refuse(encoder, -EINVAL, "has room for no element, but one is needed");
    }
    if (!(type->direction & CORDON_PLAN_IN)) {
        return 0;
    }
    if (scalar_is(target->kind)) {
        *ret_word = scalar_load(target->kind, value->memory);
        return 0;
    }
    if (target->kind == CORDON_PLAN_HANDLE) {
        if (holds_objects(encoder->hooks)) {
            return object_to_word(encoder->hooks, encoder->plan, target, pointer_at(value->memory),
                                  ret_word);
        }
        struct cordon_handle handle;
        memcpy(&handle, value->memory, sizeof handle);
        return encode_refuse_hook(
            encoder, handle_to_word(encoder->hooks, target, handle, ret_word, encoder->why));
    }
    uint64_t word = word_at(value->memory);
    if (target->kind == CORDON_PLAN_CALLBACK && word != 0) {
        struct cordon_value callback = cordon_function_pointer(pointer_at(value->memory));
        return encode_callback(encoder, target, &callback, ret_word);
    }
    *ret_word = target->kind == CORDON_PLAN_WITHIN ? word + 1 : word;
    return 0;
}

int encode_word(struct encoder *encoder, const struct cordon_plan_type *type,
                const struct cordon_value *value, uint64_t *ret_word)
{
    if (scalar_is(type->kind)) {
        return scalar_from_value(type->kind, value, ret_word)
                   ? 0
                   : encode_refuse_kind(encoder, type, value);
    }
    return type->kind == CORDON_PLAN_POINTER ? encode_pointee(encoder, type, value, ret_word)
                                             : encode_opaque(encoder, type, value, ret_word);
}

int encode_filled(struct encoder *encoder, const struct cordon_plan_param *param,
                  uint64_t *ret_word)
{
    const struct cordon_plan_param *array =
        plan_function_param(encoder->plan, encoder->function, param->filled_by);
    const struct cordon_value *value = encode_argument(encoder, array);
    uint8_t kind = plan_type(encoder->plan, param->type)->kind;
    uint64_t count = value && value->kind == CORDON_VALUE_MEMORY ? value->count : 0;
    if (!scalar_is_integer(kind) || count > scalar_ranges[kind].max) {
        encoder->param = param->filled_by;
        return encode_refuse(
            encoder, -E2BIG, "holds %llu elements, more than its length '%s' (%s) can say",
            (unsigned long long)count, plan_name(encoder->plan, param->name), scalar_name(kind));
    }
    *ret_word = count;
    return 0;
}

/* Whether the length at @code is nothing but a FILLED parameter: then counts must be equal. */
static bool shares_filled(const struct encoder *encoder, uint32_t code)
{
    const uint8_t *bytes = PLAN_TABLE(encoder->plan, uint8_t, code_at) + code;
    uint16_t index;
    if (bytes[0] != CORDON_PLAN_OP_PARAM || bytes[3] != CORDON_PLAN_OP_END) {
        return false;
    }
    memcpy(&index, bytes + 1, sizeof index);
    return index < encoder->function->param_count &&
           plan_function_param(encoder->plan, encoder->function, index)->flags & CORDON_PLAN_FILLED;
}

/* How many elements of what the caller gave travel. */
static int argument_count(const struct encoder *encoder, const struct cordon_plan_type *type,
                          const struct cordon_value *value, uint64_t *ret_count)
{
    uint64_t given = value->count;
    uint64_t needed = 1;
    if (type->flags & CORDON_PLAN_NULL_ENDED) {
        *ret_count = 0;
        while (*ret_count < given &&
               pointer_at((const uint8_t *)value->memory + *ret_count * sizeof(void *))) {
            ++*ret_count;
        }
        return 0;
    }
    if (type->code != CORDON_PLAN_NONE) {
        int r = scope_evaluate(&encoder->scope, type->code, &needed);
        if (r == -ENODATA && !(type->direction & CORDON_PLAN_IN)) {
            needed = given; /* lies in the arena: what was given is the capacity */
        } else if (r < 0) {
            return encode_refuse_code(encoder, type, NULL, r);
        }
    }
    if (given < needed ||
        (type->code != CORDON_PLAN_NONE && given != needed && shares_filled(encoder, type->code))) {
        return encode_refuse_length(encoder, type, NULL, given, needed);
    }
    *ret_count = needed;
    return 0;
}

static int encode_pointer(struct encoder *encoder, const struct cordon_plan_type *type,
                          const struct cordon_value *value, uint64_t *ret_place)
{
    uint64_t count;
    int r = argument_count(encoder, type, value, &count);
    /* Written where it is 0. NOLINTNEXTLINE(clang-analyzer-*) */
    return r < 0 ? r : encode_block(encoder, type, value->memory, count, ret_place);
}

static int encode_string_argument(struct encoder *encoder, const struct cordon_plan_type *type,
                                  const struct cordon_value *value, uint64_t *ret_place)
{
    bool in = type->direction & CORDON_PLAN_IN;
    uint64_t capacity = value->count;
    uint64_t length = value->count;
    if (type->direction & CORDON_PLAN_OUT && type->code != CORDON_PLAN_NONE) {
        int r = argument_count(encoder, type, value, &capacity);
        if (r < 0) {
            return r;
        }
        length = in ? strnlen(value->memory, capacity) : 0;
    } else if (type->direction & CORDON_PLAN_OUT) {
        capacity = in ? length + 1 : length;
        length = in ? length : 0;
    }
    if (in && length <= LIMIT_STRING_BYTES && memchr(value->memory, '\0', length)) {
        return encode_refuse(encoder, -EINVAL, "is a string with a NUL inside its %llu bytes",
                             (unsigned long long)length);
    }
    return encode_string(encoder, type, value->memory, length, capacity, ret_place);
}

/* `inout owned(free) char **`: what the caller's pointer points to goes as BYTES. */
static int encode_owned(struct encoder *encoder, const struct cordon_plan_type *type,
                        const struct cordon_value *value, uint64_t *ret_place)
{
    struct cordon_plan_type target = *pointer_target(encoder->plan, type);
    void *memory = pointer_at(value->memory);
    if (!memory) {
        *ret_place = 0;
        return 0;
    }
    target.direction = CORDON_PLAN_IN;
    if (target.kind == CORDON_PLAN_STRING) {
        uint64_t room = 0;
        int known = target.code == CORDON_PLAN_NONE
                        ? 0
                        : scope_evaluate(&encoder->scope, target.code, &room);
        if (known < 0) {
            return encode_refuse_code(encoder, &target, NULL, known);
        }
        if (room > LIMIT_STRING_BYTES + 1ull) {
            return encode_refuse(encoder, -E2BIG,
                                 "has room for %llu bytes, more than LIMIT_STRING_BYTES (%u)",
                                 (unsigned long long)room, LIMIT_STRING_BYTES);
        }
        size_t length =
            strnlen(memory, arena_room(&encoder->space->arena, memory, LIMIT_STRING_BYTES + 1ull));
        return encode_string(encoder, &target, memory, length, 0, ret_place);
    }
    uint64_t count = 1;
    if (target.code != CORDON_PLAN_NONE) {
        int r = scope_evaluate(&encoder->scope, target.code, &count);
        if (r < 0) {
            return encode_refuse_code(encoder, &target, NULL, r);
        }
    }
    return encode_block(encoder, &target, memory, count, ret_place);
}

int encode_bytes(struct encoder *encoder, const struct cordon_plan_param *param,
                 const struct cordon_plan_type *type, const struct cordon_value *value,
                 uint64_t *ret_place)
{
    if (value->kind == CORDON_VALUE_NULL ||
        (value->kind == CORDON_VALUE_MEMORY && !value->memory)) {
        if (type->kind == CORDON_PLAN_STRUCT) {
            return encode_refuse(encoder, -EINVAL,
                                 "is NULL, but a struct passed by value is needed");
        }
        return encode_null(encoder, type, ret_place);
    }
    if (value->kind != CORDON_VALUE_MEMORY) {
        return encode_refuse_kind(encoder, type, value);
    }
    encoder->replaced = param->passing == CORDON_PLAN_PASS_DYNAMIC;
    if (encoder->replaced) {
        return value->count == 0 ? encode_refuse(encoder, -EINVAL, "has room for no pointer")
               : param->in_word == CORDON_PLAN_NO_WORD
                   ? 0
                   : encode_owned(encoder, type, value, ret_place);
    }
    if (type->kind == CORDON_PLAN_STRING) {
        return encode_string_argument(encoder, type, value, ret_place);
    }
    if (type->kind == CORDON_PLAN_POINTER) {
        return encode_pointer(encoder, type, value, ret_place);
    }
    uint32_t at;
    int r = encode_reserve_request(encoder, type->size, &at);
    *ret_place = r < 0 ? 0 : at;
    return r < 0 ? r : encode_image(encoder, type, value->memory, at);
}
