/* SPDX-License-Identifier: Apache-2.0 */
#include "json/call.h"

#include <errno.h>
#include <string.h>

#include "json/show.h"

/* What a client sent, by parameter. */
struct sent {
    struct json_value values[CORDON_PLAN_PARAMS_MAX];
    struct json_walk variadic; /* of an array; what is left of it is for `...` */
    size_t variadic_count;
};

void json_call_init(struct json_call *call)
{
    memset(call, 0, sizeof *call);
}

void json_call_reset(struct json_call *call)
{
    if (call->method && call->values.values) {
        call_values_free_owned(&call->values);
    }
    image_reset(&call->values.image);
    call->values.values = NULL;
    call->values.count = 0;
    call->method = NULL;
    call->args = NULL;
    call->arg_count = 0;
}

void json_call_deinit(struct json_call *call)
{
    json_call_reset(call);
    image_deinit(&call->values.image);
}

static int refuse_parameter(const struct json_method *method, const struct json_parameter *known,
                            const char *name, struct message *why)
{
    switch (known ? known->role : JSON_ROLE_SENT) {
    case JSON_ROLE_OUT:
        return message_set(why, -EINVAL, "parameter '%s' is not sent: it only comes back", name);
    case JSON_ROLE_LENGTH:
        return message_set(
            why, -EINVAL, "parameter '%s' is not sent: it follows from another one's length", name);
    case JSON_ROLE_FIXED:
        return message_set(why, -EINVAL, "parameter '%s' is not sent: it is fixed", name);
    default:
        (void)message_set(why, -EINVAL, "there is no parameter '%.64s': ", name);
        json_method_add_parameters(method, why);
        return -EINVAL;
    }
}

static bool is_skipped(const char *const *skip, const char *name)
{
    for (; skip && *skip; skip++) {
        if (strcmp(*skip, name) == 0) {
            return true;
        }
    }
    return false;
}

static int take_variadic(struct json_value array, struct sent *sent, struct message *why)
{
    if (json_value_kind(array) != JSON_KIND_ARRAY) {
        return message_set(why, -EINVAL, "parameter '...': %s given where an array is wanted",
                           json_value_kind_text(array));
    }
    sent->variadic = json_walk(array);
    sent->variadic_count = json_value_count(array);
    return 0;
}

static int take_member(const struct json_method *method, struct json_value key,
                       struct json_value value, struct sent *sent, struct message *why)
{
    size_t length;
    const char *name = json_value_string(key, &length);
    for (uint32_t i = 0; i < method->count; i++) {
        const struct json_parameter *parameter = &method->parameters[i];
        if (parameter->name_length != length || memcmp(parameter->name, name, length) != 0) {
            continue;
        }
        if (parameter->role == JSON_ROLE_VARIADIC) {
            return take_variadic(value, sent, why);
        }
        if (parameter->role != JSON_ROLE_SENT && parameter->role != JSON_ROLE_OPTIONAL) {
            return refuse_parameter(method, parameter, name, why);
        }
        if (json_value_given(sent->values[i])) {
            return message_set(why, -EINVAL, "parameter '%s' is given twice", name);
        }
        sent->values[i] = value;
        return 0;
    }
    return refuse_parameter(method, NULL, name, why);
}

static int take_object(const struct json_method *method, struct json_value params,
                       const char *const *skip, struct sent *sent, struct message *why)
{
    struct json_walk walk = json_walk(params);
    struct json_value key;
    struct json_value value;
    int r = 0;
    if (json_value_given(params) && json_value_kind(params) != JSON_KIND_OBJECT) {
        return message_set(why, -EINVAL, "parameters by name are an object, not %s",
                           json_value_kind_text(params));
    }
    while (r == 0 && json_walk_member(&walk, &key, &value)) {
        r = is_skipped(skip, json_value_string(key, NULL))
                ? 0
                : take_member(method, key, value, sent, why);
    }
    return r;
}

static int take_array(const struct json_method *method, struct json_value params, struct sent *sent,
                      struct message *why)
{
    struct json_walk walk = json_walk(params);
    size_t left = json_value_count(params);
    if (json_value_given(params) && json_value_kind(params) != JSON_KIND_ARRAY) {
        return message_set(why, -EINVAL, "parameters by position are an array, not %s",
                           json_value_kind_text(params));
    }
    for (uint32_t i = 0; i < method->count && left > 0; i++) {
        uint8_t role = method->parameters[i].role;
        if (role == JSON_ROLE_VARIADIC) {
            sent->variadic = walk;
            sent->variadic_count = left;
            return 0;
        }
        if (role == JSON_ROLE_SENT || role == JSON_ROLE_OPTIONAL) {
            left -= json_walk_next(&walk, &sent->values[i]) ? 1 : 0;
        }
    }
    if (left > 0) {
        (void)message_set(why, -EINVAL, "%zu parameters given: ", json_value_count(params));
        json_method_add_parameters(method, why);
        return -EINVAL;
    }
    return 0;
}

static int refuse_missing(const struct json_method *method, uint32_t i, struct message *why)
{
    (void)message_set(why, -EINVAL, "parameter '%s' is missing: ", method->parameters[i].name);
    json_method_add_parameters(method, why);
    return -EINVAL;
}

/* The value of parameter @i, from what was sent. */
static int make_value(struct json_call *call, uint32_t i, const struct sent *sent)
{
    const struct json_method *method = call->method;
    const struct json_parameter *parameter = &method->parameters[i];
    const struct cordon_plan_param *param = view_param(method->plan, i);
    const struct cordon_plan_type *type = view_type(method->plan, param->type);
    struct image *image = &call->values.image;
    struct cordon_value *value = &call->values.values[param->position];
    struct json_value json =
        parameter->role == JSON_ROLE_FIXED ? parameter->fixed : sent->values[i];
    struct image_step step = {.text = parameter->name};
    int r;
    image->step = &step;
    if (parameter->role == JSON_ROLE_VARIADIC) {
        r = 0;
    } else if (parameter->role == JSON_ROLE_OUT) {
        r = image_room_for(image, type, value);
    } else if (json_value_given(json) &&
               !(parameter->role == JSON_ROLE_FIXED && view_only_out(type))) {
        r = image_value(image, type, json, value);
    } else {
        *value = cordon_null();
        r = parameter->role == JSON_ROLE_SENT ? refuse_missing(method, i, image->why) : 0;
    }
    image->step = NULL;
    return r;
}

/* The arguments as cordon_call() takes them: those of `...` stand where it stands. */
static int make_args(struct json_call *call, struct sent *sent)
{
    struct call_values *values = &call->values;
    const struct plan_view *plan = values->plan;
    struct json_value json;
    if (!(call->method->traits & JSON_METHOD_VARIADIC)) {
        call->args = values->values;
        call->arg_count = values->count;
        return 0;
    }
    if (sent->variadic_count > CORDON_PLAN_PARAMS_MAX) {
        return message_set(values->image.why, -E2BIG,
                           "%zu parameters for '...', at most %u (CORDON_PLAN_PARAMS_MAX)",
                           sent->variadic_count, CORDON_PLAN_PARAMS_MAX);
    }
    struct cordon_value *args =
        image_take(&values->image, values->count + sent->variadic_count, sizeof *args);
    if (!args) {
        return -E2BIG;
    }
    size_t filled = 0;
    int r = 0;
    for (uint32_t i = 0; i < call->method->count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        if (param->position == CORDON_PLAN_NO_WORD) {
            continue;
        }
        if (call->method->parameters[i].role != JSON_ROLE_VARIADIC) {
            args[filled++] = values->values[param->position];
            continue;
        }
        struct image_step outer = {.text = "..."};
        struct image_step step = {.outer = &outer};
        values->image.step = &step;
        for (; r == 0 && json_walk_next(&sent->variadic, &json); step.index++) {
            r = image_variadic(&values->image, json, &args[filled++]);
        }
        values->image.step = NULL;
    }
    call->args = args;
    call->arg_count = filled;
    return r;
}

static int make_values(struct json_call *call, const struct json_method *method, struct sent *sent,
                       const struct json_hooks *hooks, struct message *why)
{
    struct call_values *values = &call->values;
    const struct image_handles handles = {.context = hooks ? hooks->context : NULL,
                                          .take = hooks ? hooks->take : NULL};
    size_t count = view_function(method->plan)->passed_count;
    call->method = method;
    values->plan = method->plan;
    values->scope = (struct length_scope){.plan = method->plan};
    image_begin(&values->image, method->plan, &values->scope, method->bytes_max, &handles, why);
    values->image.noun = "parameter";
    values->values = image_take(&values->image, count, sizeof *values->values);
    values->count = values->values ? count : 0;
    values->scope.args = values->values;
    values->scope.arg_count = values->count;
    int r = values->values ? 0 : -E2BIG;
    for (uint32_t i = 0; r == 0 && i < method->order_count; i++) {
        r = make_value(call, method->order[i], sent);
    }
    r = r != 0 ? r : make_args(call, sent);
    values->image.handles = NULL; /* they and @why end here */
    values->image.why = NULL;
    return r;
}

/* Only what is read of it: the rest of 64 parameters is not touched. */
static void clear(struct sent *sent, const struct json_method *method)
{
    memset(sent->values, 0, method->count * sizeof sent->values[0]);
    sent->variadic = (struct json_walk){0};
    sent->variadic_count = 0;
}

int json_call_named(struct json_call *call, const struct json_method *method,
                    struct json_value params, const char *const *skip,
                    const struct json_hooks *hooks, struct message *why)
{
    struct sent sent;
    json_call_reset(call);
    clear(&sent, method);
    int r = take_object(method, params, skip, &sent, why);
    return r < 0 ? r : make_values(call, method, &sent, hooks, why);
}

int json_call_positional(struct json_call *call, const struct json_method *method,
                         struct json_value params, const struct json_hooks *hooks,
                         struct message *why)
{
    struct sent sent;
    json_call_reset(call);
    clear(&sent, method);
    int r = take_array(method, params, &sent, why);
    return r < 0 ? r : make_values(call, method, &sent, hooks, why);
}

static void tell_released(const struct json_call *call, const struct json_hooks *hooks)
{
    if (!(call->method->traits & JSON_METHOD_RELEASES) || !hooks || !hooks->released) {
        return;
    }
    for (uint32_t i = 0; i < call->method->count; i++) {
        const struct cordon_plan_param *param = view_param(call->values.plan, i);
        const struct cordon_plan_type *type = view_type(call->values.plan, param->type);
        if (!(type->flags & CORDON_PLAN_RELEASE) || param->position >= call->values.count) {
            continue;
        }
        const struct cordon_value *value = &call->values.values[param->position];
        if (value->kind == CORDON_VALUE_HANDLE) {
            hooks->released(hooks->context, value->handle);
        }
    }
}

static void show_all(struct show *show, const struct json_call *call, const void *owned)
{
    const struct json_method *method = call->method;
    struct json_out *out = show->out;
    json_out_object(out);
    if (view_type(method->plan, view_function(method->plan)->result.type)->kind !=
        CORDON_PLAN_VOID) {
        json_out_key(out, "return");
        show_return(show, owned);
    }
    for (uint32_t i = 0; i < method->count; i++) {
        if (method->parameters[i].comes_back) {
            json_out_key(out, method->parameters[i].name);
            show_output(show, i);
        }
    }
    json_out_object_end(out);
}

void json_call_result(struct json_call *call, const struct cordon_result *result,
                      const struct json_hooks *hooks, struct json_out *out)
{
    struct show show;
    show_init(&show, &call->values, &result->value, out);
    show.encoding = call->method->encoding;
    if (hooks) {
        show.give = hooks->give;
        show.context = hooks->context;
    }
    tell_released(call, hooks);
    if (call->method->result == JSON_RESULT_ALL) {
        show_all(&show, call, result->owned);
    } else if (call->method->result == JSON_RESULT_RETURN) {
        show_return(&show, result->owned);
    } else {
        show_output(&show, call->method->result);
    }
}
