/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/walk.h"

#include <errno.h>

static const struct frame_scope *scope_of(void *context)
{
    return (const struct frame_scope *)context;
}

/* An integer of @kind as a length's value; a 64-bit one may be too large for it. */
static int length_value(uint8_t kind, uint64_t word, int64_t *ret_value)
{
    if (!scalar_is_integer(kind)) {
        return -ENODATA;
    }
    if (kind == CORDON_PLAN_U64 && word > INT64_MAX) {
        return -EOVERFLOW;
    }
    *ret_value = (int64_t)word;
    return 0;
}

static const struct cordon_plan_param *param_of(const struct frame_scope *scope, uint32_t index)
{
    return index < scope->function->param_count
               ? plan_function_param(scope->plan, scope->function, index)
               : NULL;
}

static int on_param(void *context, uint32_t index, int64_t *ret_value)
{
    const struct frame_scope *scope = scope_of(context);
    const struct cordon_plan_param *param = param_of(scope, index);
    if (!param) {
        return -ENODATA;
    }
    uint8_t kind = plan_type(scope->plan, param->type)->kind;
    if (!scalar_is_integer(kind)) {
        /* Only a call out of a length names what is no integer: it wants the native argument. */
        if (!scope->storage) {
            return -ENODATA;
        }
        *ret_value = (int64_t)scope->storage[index];
        return 0;
    }
    if (scope->natives) {
        return length_value(kind, scalar_load(kind, scope->natives[index]), ret_value);
    }
    if (param->in_word == CORDON_PLAN_NO_WORD) {
        return -ENODATA;
    }
    return length_value(kind, scope->words[param->in_word], ret_value);
}

/* The bytes of a pointee that travels as BYTES: in the reply once there is one, or in the request. */
static bool pointee_bytes(const struct frame_scope *scope, size_t size, uint64_t place,
                          uint8_t *ret_bytes)
{
    uint64_t in_at = place_request(place);
    uint64_t out_at = place_reply(place);
    if (scope->after && scope->reply && out_at != 0 && out_at + size <= scope->reply_fixed) {
        memcpy(ret_bytes, scope->reply + out_at, size);
        return true;
    }
    if (scope->request && in_at != 0 && in_at + size <= scope->request_bytes) {
        memcpy(ret_bytes, scope->request + in_at, size);
        return true;
    }
    return false;
}

static int deref_place(const struct frame_scope *scope, uint32_t index,
                       const struct cordon_plan_type *target, uint64_t place, int64_t *ret_value)
{
    uint8_t bytes[8];
    if (scope->came && scope->came->known >> index & 1) {
        return length_value(target->kind, scope->came->words[index], ret_value);
    }
    if (place == 0) {
        *ret_value = 0;
        return 0;
    }
    return place & FRAME_IN_ARENA || !pointee_bytes(scope, target->size, place, bytes)
               ? -ENODATA
               : length_value(target->kind, scalar_load(target->kind, bytes), ret_value);
}

static int on_deref(void *context, uint32_t index, int64_t *ret_value)
{
    const struct frame_scope *scope = scope_of(context);
    const struct cordon_plan_param *param = param_of(scope, index);
    const struct cordon_plan_type *type = param ? plan_type(scope->plan, param->type) : NULL;
    if (!type || type->kind != CORDON_PLAN_POINTER || type->target == CORDON_PLAN_NONE) {
        return -ENODATA;
    }
    const struct cordon_plan_type *target = plan_type(scope->plan, type->target);
    if (!scalar_is_integer(target->kind)) {
        return -ENODATA;
    }
    if (scope->natives) {
        const void *pointee = pointer_at(scope->natives[index]);
        return length_value(target->kind, pointee ? scalar_load(target->kind, pointee) : 0,
                            ret_value);
    }
    if (param->passing == CORDON_PLAN_PASS_WORD) {
        if (scope->reply_words && param->out_word != CORDON_PLAN_NO_WORD) {
            return length_value(target->kind, scope->reply_words[param->out_word], ret_value);
        }
        return param->in_word == CORDON_PLAN_NO_WORD
                   ? -ENODATA
                   : length_value(target->kind, scope->words[param->in_word], ret_value);
    }
    return param->in_word == CORDON_PLAN_NO_WORD
               ? -ENODATA
               : deref_place(scope, index, target, scope->words[param->in_word], ret_value);
}

static int on_field(void *context, uint32_t index, int64_t *ret_value)
{
    const struct frame_scope *scope = scope_of(context);
    if (!scope->owner || !scope->image || index >= scope->owner->count) {
        return -ENODATA;
    }
    const struct cordon_plan_field *field = plan_field(scope->plan, scope->owner->first + index);
    uint8_t kind = plan_type(scope->plan, field->type)->kind;
    if (!scalar_is_integer(kind)) {
        return -ENODATA;
    }
    return length_value(kind, scalar_load(kind, scope->image + field->offset), ret_value);
}

/* The outer call of a callback, as it was sent. */
static bool outer_scope(const struct frame_scope *scope, struct frame_scope *ret_outer)
{
    const struct frame_outer *outer = scope->outer;
    if (!outer || !outer->plan || !outer->words) {
        return false;
    }
    *ret_outer = (struct frame_scope){
        .plan = outer->plan,
        .function = plan_function(outer->plan, outer->function),
        .words = outer->words,
        .request = outer->request,
        .request_bytes = outer->request_bytes,
    };
    return true;
}

static int on_outer(void *context, uint32_t index, int64_t *ret_value)
{
    struct frame_scope outer;
    return outer_scope(scope_of(context), &outer) ? on_param(&outer, index, ret_value) : -ENODATA;
}

static int on_outer_deref(void *context, uint32_t index, int64_t *ret_value)
{
    struct frame_scope outer;
    return outer_scope(scope_of(context), &outer) ? on_deref(&outer, index, ret_value) : -ENODATA;
}

static int on_result(void *context, int64_t *ret_value)
{
    const struct frame_scope *scope = scope_of(context);
    const struct cordon_plan_param *result = &scope->function->result;
    if (!scope->reply_words || result->out_word == CORDON_PLAN_NO_WORD) {
        return -ENODATA;
    }
    return length_value(plan_type(scope->plan, result->type)->kind,
                        scope->reply_words[result->out_word], ret_value);
}

static int on_call(void *context, const char *function, const int64_t *args, uint32_t count,
                   int64_t *ret_value)
{
    const struct frame_hooks *hooks = scope_of(context)->hooks;
    return hooks && hooks->call ? hooks->call(hooks->context, function, args, count, ret_value)
                                : -ENODATA;
}

int scope_evaluate(const struct frame_scope *scope, uint32_t code, uint64_t *ret_value)
{
    struct frame_scope copy = *scope;
    struct plan_scope evaluation = {
        .context = &copy,
        .param = on_param,
        .deref = on_deref,
        .field = on_field,
        .outer = on_outer,
        .outer_deref = on_outer_deref,
        .result = on_result,
        .call = on_call,
    };
    return plan_evaluate(scope->plan, code, &evaluation, ret_value);
}

uint32_t scope_length_code(const struct cordon_plan_type *type)
{
    return type->length_code == CORDON_PLAN_NONE ? type->code : type->length_code;
}
