/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/walk.h"

#include <errno.h>

/* frame_values() under way. */
struct reader {
    const struct plan *plan;
    const struct cordon_plan_function *function;
    const struct frame_hooks *hooks;
    struct frame_scope scope;
    struct message *why;
};

static int pointer_count(const struct reader *reader, const struct cordon_plan_type *type,
                         const void *memory, uint64_t *ret_count)
{
    *ret_count = 1;
    if (type->flags & CORDON_PLAN_NULL_ENDED) {
        *ret_count = null_ended_count(memory, SIZE_MAX);
        return 0;
    }
    if (type->code == CORDON_PLAN_NONE) {
        return 0;
    }
    int r = scope_evaluate(&reader->scope, type->code, ret_count);
    if (r < 0) {
        char text[128];
        return message_set(
            reader->why, r == -ENODATA ? -EINVAL : r,
            "the length %s of a callback's argument cannot be computed",
            length_text(reader->plan, reader->function, NULL, type->code, text, sizeof text));
    }
    return 0;
}

static int memory_value(const struct reader *reader, const struct cordon_plan_type *type,
                        void *memory, struct cordon_value *ret_value)
{
    uint64_t count;
    if (!memory) {
        *ret_value = cordon_null();
        return 0;
    }
    if (type->kind == CORDON_PLAN_STRING && type->code == CORDON_PLAN_NONE) {
        *ret_value = cordon_string(memory);
        return 0;
    }
    int r = pointer_count(reader, type, memory, &count);
    if (r < 0) {
        return r;
    }
    *ret_value = cordon_out(memory, count);
    ret_value->type = type->kind == CORDON_PLAN_STRING ? CORDON_TYPE_STRING : CORDON_TYPE_DECLARED;
    return 0;
}

static int handle_value(const struct reader *reader, const struct cordon_plan_type *type,
                        void *object, struct cordon_value *ret_value)
{
    uint64_t word;
    struct cordon_handle handle;
    *ret_value = cordon_null();
    if (!object) {
        return 0;
    }
    int r = object_to_word(reader->hooks, reader->plan, type, object, &word);
    r = r < 0 ? r : word_to_handle(reader->hooks, type, word, &handle);
    if (r == 0) {
        *ret_value = cordon_object(handle);
    }
    return r;
}

/* A pointer into parameter `within` as an offset. */
static struct cordon_value within_value(const struct cordon_plan_type *type, const uint8_t *pointer,
                                        const struct frame_scope *scope)
{
    const uint8_t *base = type->within < scope->function->param_count
                              ? pointer_at(scope->natives[type->within])
                              : NULL;
    return pointer && base && pointer >= base ? cordon_uint((uint64_t)(pointer - base))
                                              : cordon_null();
}

static int native_value(const struct reader *reader, const struct cordon_plan_type *type,
                        void *native, struct cordon_value *ret_value)
{
    if (scalar_is(type->kind)) {
        scalar_to_value(type->kind, scalar_load(type->kind, native), ret_value);
        return 0;
    }
    switch (type->kind) {
    case CORDON_PLAN_STRUCT:
        *ret_value = cordon_out(native, 1);
        return 0;
    case CORDON_PLAN_POINTER:
    case CORDON_PLAN_STRING:
        return memory_value(reader, type, pointer_at(native), ret_value);
    case CORDON_PLAN_HANDLE:
        return handle_value(reader, type, pointer_at(native), ret_value);
    case CORDON_PLAN_TOKEN:
        *ret_value = cordon_uint(word_at(native));
        return 0;
    case CORDON_PLAN_CALLBACK:
        *ret_value = word_at(native) ? cordon_uint(word_at(native)) : cordon_null();
        return 0;
    case CORDON_PLAN_WITHIN:
        *ret_value = within_value(type, pointer_at(native), &reader->scope);
        return 0;
    default:
        return message_set(reader->why, -ENOTSUP, "a callback cannot take '...' or a va_list");
    }
}

int frame_values(const struct plan *plan, uint32_t function, void *const *arguments,
                 const struct frame_hooks *hooks, const struct frame_outer *outer,
                 struct cordon_value *ret_values, struct message *why)
{
    struct reader reader = {
        .plan = plan,
        .function = plan_function(plan, function),
        .hooks = hooks,
        .why = why,
    };
    reader.scope = (struct frame_scope){
        .plan = plan,
        .function = reader.function,
        .hooks = hooks,
        .outer = outer,
        .natives = arguments,
    };
    for (uint32_t i = 0; i < reader.function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, reader.function, i);
        if (param->position == CORDON_PLAN_NO_WORD) {
            continue;
        }
        int r = native_value(&reader, plan_type(plan, param->type), arguments[i],
                             &ret_values[param->position]);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* What a callback returns where the plan wants something else. */
static int refuse_result(const struct plan *plan, const struct cordon_plan_function *function,
                         const struct cordon_plan_type *type, struct message *why)
{
    return message_set(why, -EINVAL, "the result of callback '%s' does not fit %s",
                       plan_name(plan, function->name),
                       plan_name(plan, type->name)[0] ? plan_name(plan, type->name)
                                                      : scalar_name(type->kind));
}

static int native_handle(const struct plan *plan, const struct cordon_plan_type *type,
                         const struct cordon_value *value, const struct frame_hooks *hooks,
                         void **ret_object, struct message *why)
{
    uint64_t word;
    int r = handle_to_word(hooks, type, value->handle, &word, why);
    return r < 0 ? r : word_to_object(hooks, plan, type, word, ret_object, why);
}

int frame_native_result(const struct plan *plan, uint32_t function,
                        const struct cordon_value *value, const struct frame_hooks *hooks,
                        void *ret_native, struct message *why)
{
    const struct cordon_plan_function *shape = plan_function(plan, function);
    const struct cordon_plan_type *type = plan_type(plan, shape->result.type);
    uint64_t word = 0;
    void *object = NULL;
    bool number = value->kind == CORDON_VALUE_UINT || value->kind == CORDON_VALUE_INT;
    bool null = value->kind == CORDON_VALUE_NULL;
    int r = 0;
    if (type->kind == CORDON_PLAN_VOID) {
        return 0;
    }
    if (scalar_is(type->kind)) {
        if (!scalar_from_value(type->kind, value, &word)) {
            return refuse_result(plan, shape, type, why);
        }
    } else if (type->kind == CORDON_PLAN_STRUCT && value->kind == CORDON_VALUE_MEMORY &&
               value->memory) {
        memcpy(ret_native, value->memory, type->size);
        return 0;
    } else if (type->kind == CORDON_PLAN_HANDLE && value->kind == CORDON_VALUE_HANDLE) {
        r = native_handle(plan, type, value, hooks, &object, why);
        word = (uint64_t)(uintptr_t)object;
    } else if ((type->kind == CORDON_PLAN_STRING || type->kind == CORDON_PLAN_POINTER) &&
               value->kind == CORDON_VALUE_MEMORY) {
        word = (uint64_t)(uintptr_t)value->memory;
    } else if ((type->kind == CORDON_PLAN_TOKEN || type->kind == CORDON_PLAN_CALLBACK) && number) {
        word = value->u;
    } else if (!null || type->kind == CORDON_PLAN_STRUCT) {
        return refuse_result(plan, shape, type, why);
    }
    if (r == 0) {
        memcpy(ret_native, &word, sizeof word);
    }
    return r;
}
