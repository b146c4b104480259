/* SPDX-License-Identifier: Apache-2.0 */
#include "json/method.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "json/values.h"

#define FIXED_NESTING_MAX 64u

static const struct cordon_plan_type *type_of(const struct json_method *method, uint32_t i)
{
    return view_type(method->plan, view_param(method->plan, i)->type);
}

static enum json_role role_of(const struct json_method *method, uint32_t i)
{
    const struct cordon_plan_param *param = view_param(method->plan, i);
    const struct cordon_plan_type *type = type_of(method, i);
    if (param->position == CORDON_PLAN_NO_WORD) {
        return JSON_ROLE_LENGTH;
    }
    if (param->passing == CORDON_PLAN_PASS_VARARGS) {
        return JSON_ROLE_VARIADIC;
    }
    return view_only_out(type)                  ? JSON_ROLE_OUT
           : type->flags & CORDON_PLAN_NULLABLE ? JSON_ROLE_OPTIONAL
                                                : JSON_ROLE_SENT;
}

/* Whether an object of @type is or holds a handle. Types are nested CORDON_PLAN_DEPTH_MAX deep. */
static bool holds_handles(const struct plan_view *plan, const struct cordon_plan_type *type,
                          uint32_t depth)
{
    if (type->kind == CORDON_PLAN_HANDLE || depth > CORDON_PLAN_DEPTH_MAX) {
        return type->kind == CORDON_PLAN_HANDLE;
    }
    if (type->kind == CORDON_PLAN_STRUCT || type->kind == CORDON_PLAN_UNION) {
        for (uint32_t i = 0; i < type->count; i++) {
            const struct cordon_plan_field *field = view_field(plan, type, i);
            if (holds_handles(plan, view_type(plan, field->type), depth + 1)) {
                return true;
            }
        }
        return false;
    }
    return (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_ARRAY) &&
           holds_handles(plan, view_target(plan, type), depth + 1);
}

static uint32_t traits_of(const struct json_method *method, uint32_t i)
{
    const struct cordon_plan_type *type = type_of(method, i);
    uint32_t traits = 0;
    if (method->parameters[i].role == JSON_ROLE_VARIADIC) {
        return JSON_METHOD_VARIADIC;
    }
    if (holds_handles(method->plan, type, 0)) {
        traits |= view_only_out(type) ? 0 : JSON_METHOD_TAKES_HANDLES;
        traits |= method->parameters[i].comes_back ? JSON_METHOD_GIVES_HANDLES : 0;
    }
    return traits | (type->flags & CORDON_PLAN_RELEASE ? JSON_METHOD_RELEASES : 0);
}

static int note_parameters(struct json_method *method, struct message *why)
{
    const struct cordon_plan_type *result =
        view_type(method->plan, view_function(method->plan)->result.type);
    for (uint32_t i = 0; i < method->count; i++) {
        struct json_parameter *parameter = &method->parameters[i];
        parameter->name = view_name(method->plan, view_param(method->plan, i)->name);
        parameter->name_length = (uint8_t)strlen(parameter->name); /* LIMIT_NAME_BYTES */
        parameter->role = (uint8_t)role_of(method, i);
        parameter->comes_back = show_is_output(method->plan, i);
        method->output_count += parameter->comes_back;
        method->traits |= traits_of(method, i);
        if (show_is_resident(type_of(method, i)) && parameter->role == JSON_ROLE_SENT) {
            return message_set(
                why, -ENOTSUP,
                "parameter '%s' is a resident object, which JSON clients cannot give",
                parameter->name);
        }
    }
    method->traits |= holds_handles(method->plan, result, 0) ? JSON_METHOD_GIVES_HANDLES : 0;
    return 0;
}

static int find(const struct json_method *method, const char *name, size_t length)
{
    for (uint32_t i = 0; i < method->count; i++) {
        if (method->parameters[i].name_length == length &&
            memcmp(method->parameters[i].name, name, length) == 0) {
            return (int)i;
        }
    }
    return -ENOENT;
}

static int fix(struct json_method *method, struct json_value key, struct json_value value,
               struct message *why)
{
    size_t length;
    const char *name = json_value_string(key, &length);
    int i = find(method, name, length);
    struct json_parameter *parameter = i < 0 ? NULL : &method->parameters[i];
    if (!parameter || parameter->role == JSON_ROLE_VARIADIC) {
        (void)message_set(why, -EINVAL, "fixed '%.64s' is no parameter: ", name);
        json_method_add_parameters(method, why);
        return -EINVAL;
    }
    if (parameter->role == JSON_ROLE_LENGTH) {
        return message_set(why, -EINVAL, "fixed '%s' is not sent: it follows from another one",
                           name);
    }
    const struct cordon_plan_type *type = type_of(method, (uint32_t)i);
    if (parameter->role == JSON_ROLE_OUT &&
        !(json_value_is_null(value) && type->flags & CORDON_PLAN_NULLABLE)) {
        return message_set(why, -EINVAL,
                           "fixed '%s' only comes back: it can be null at most, where NULL fits",
                           name);
    }
    method->output_count -= parameter->role == JSON_ROLE_OUT;
    parameter->comes_back = parameter->comes_back && parameter->role != JSON_ROLE_OUT;
    parameter->role = JSON_ROLE_FIXED;
    parameter->fixed = value;
    return 0;
}

/* Whether a fixed value fits, as far as that depends on nothing that is sent. */
static int try_fixed(struct json_method *method, uint32_t i, struct message *why)
{
    const struct cordon_plan_type *type = type_of(method, i);
    struct cordon_value value;
    struct length_scope scope = {.plan = method->plan};
    struct image image = {0};
    struct image_step step = {.text = method->parameters[i].name};
    bool elsewhere = type->kind == CORDON_PLAN_STRUCT ||
                     (type->kind == CORDON_PLAN_POINTER && !view_is_bytes(method->plan, type) &&
                      !view_is_scalar(view_target(method->plan, type)));
    if (method->parameters[i].role != JSON_ROLE_FIXED || elsewhere) {
        return 0;
    }
    image_begin(&image, method->plan, &scope, method->bytes_max, NULL, why);
    image.noun = "fixed";
    image.step = &step;
    int r = image_value(&image, type, method->parameters[i].fixed, &value);
    image_deinit(&image);
    return r;
}

static int read_fixed(struct json_method *method, const struct json_method_options *options,
                      struct message *why)
{
    struct json_value root;
    struct json_value key;
    struct json_value value;
    struct message inner;
    int r = 0;
    if (!options->fixed) {
        return 0;
    }
    method->fixed_text = calloc(1, options->fixed_length + DOCUMENT_PADDING);
    if (!method->fixed_text) {
        return message_set(why, -ENOMEM, "not enough memory");
    }
    memcpy(method->fixed_text, options->fixed, options->fixed_length);
    r = document_parse(&method->fixed, method->fixed_text, options->fixed_length,
                       options->fixed_length + DOCUMENT_PADDING, FIXED_NESTING_MAX, &root, &inner);
    if (r < 0) {
        return message_set(why, r == -ENOMEM ? r : -EINVAL, "fixed: %s", inner.text);
    }
    if (json_value_kind(root) != JSON_KIND_OBJECT || json_value_duplicate(root, NULL) != 0) {
        return message_set(why, -EINVAL,
                           "fixed is to be an object of parameters, with no name twice");
    }
    struct json_walk walk = json_walk(root);
    while (r == 0 && json_walk_member(&walk, &key, &value)) {
        r = fix(method, key, value, why);
    }
    for (uint32_t i = 0; r == 0 && i < method->count; i++) {
        r = try_fixed(method, i, why);
    }
    return r;
}

static int find_result(struct json_method *method, const char *name, struct message *why)
{
    const struct cordon_plan_type *type =
        view_type(method->plan, view_function(method->plan)->result.type);
    int i = name ? find(method, name, strlen(name)) : -ENOENT;
    method->result = method->output_count == 0 ? JSON_RESULT_RETURN : JSON_RESULT_ALL;
    if (!name) {
        return 0;
    }
    if (i >= 0 && method->parameters[i].comes_back) {
        method->result = (uint32_t)i;
        return 0;
    }
    if (strcmp(name, "return") == 0 && type->kind != CORDON_PLAN_VOID) {
        method->result = JSON_RESULT_RETURN;
        return 0;
    }
    (void)message_set(why, -EINVAL, "result '%s' does not come back from %s; what does:", name,
                      view_name(method->plan, view_function(method->plan)->name));
    const char *before = type->kind == CORDON_PLAN_VOID ? "" : ",";
    message_add(why, "%s", type->kind == CORDON_PLAN_VOID ? "" : " return");
    for (uint32_t k = 0; k < method->count; k++) {
        if (method->parameters[k].comes_back) {
            message_add(why, "%s %s", before, method->parameters[k].name);
            before = ",";
        }
    }
    return -EINVAL;
}

enum stage {
    STAGE_NUMBERS,
    STAGE_MEMORY,
    STAGE_ROOM,
};

static enum stage stage_of(const struct json_method *method, uint32_t i)
{
    const struct cordon_plan_type *type = type_of(method, i);
    bool single = type->kind == CORDON_PLAN_POINTER && type->code == CORDON_PLAN_NONE &&
                  view_is_scalar(view_target(method->plan, type));
    if (view_only_out(type)) {
        return STAGE_ROOM;
    }
    return view_is_scalar(type) || single ? STAGE_NUMBERS : STAGE_MEMORY;
}

static void put_in_order(struct json_method *method)
{
    for (enum stage stage = STAGE_NUMBERS; stage <= STAGE_ROOM; stage++) {
        for (uint32_t i = 0; i < method->count; i++) {
            if (method->parameters[i].role != JSON_ROLE_LENGTH && stage_of(method, i) == stage) {
                method->order[method->order_count++] = (uint8_t)i;
            }
        }
    }
}

int json_method_init(struct json_method *method, const struct json_method_options *options,
                     struct message *why)
{
    *method = (struct json_method){
        .plan = options->plan,
        .encoding = options->encoding,
        .bytes_max = options->bytes_max ? options->bytes_max : LIMIT_FRAME_BYTES,
        .count = view_function(options->plan)->param_count,
    };
    int r = note_parameters(method, why);
    r = r < 0 ? r : read_fixed(method, options, why);
    r = r < 0 ? r : find_result(method, options->result, why);
    if (r < 0) {
        json_method_deinit(method);
        return r;
    }
    put_in_order(method);
    return 0;
}

void json_method_deinit(struct json_method *method)
{
    document_deinit(&method->fixed);
    free(method->fixed_text);
    *method = (struct json_method){0};
}

static bool is_sent(const struct json_parameter *parameter)
{
    return parameter->role == JSON_ROLE_SENT || parameter->role == JSON_ROLE_OPTIONAL;
}

bool json_method_takes(const struct json_method *method, const char *name)
{
    int i = find(method, name, strlen(name));
    return i >= 0 &&
           (is_sent(&method->parameters[i]) || method->parameters[i].role == JSON_ROLE_VARIADIC);
}

void json_method_add_parameters(const struct json_method *method, struct message *why)
{
    char text[128];
    const char *before = "";
    message_add(why, "%s takes", view_name(method->plan, view_function(method->plan)->name));
    for (uint32_t i = 0; i < method->count; i++) {
        const struct json_parameter *parameter = &method->parameters[i];
        if (parameter->role == JSON_ROLE_VARIADIC) {
            message_add(why, "%s ...", before);
            before = ",";
        } else if (is_sent(parameter)) {
            message_add(why, "%s %s (%s%s)", before, *parameter->name ? parameter->name : "unnamed",
                        view_type_text(method->plan, type_of(method, i), text, sizeof text),
                        parameter->role == JSON_ROLE_OPTIONAL ? ", optional" : "");
            before = ",";
        }
    }
    message_add(why, "%s", *before ? "" : " no parameters");
}

static void describe_type(const struct json_method *method, const struct cordon_plan_type *type,
                          struct json_out *out)
{
    char text[128];
    json_out_key(out, "type");
    json_out_string(out, view_type_text(method->plan, type, text, sizeof text));
    if (type->flags & CORDON_PLAN_ENUM) {
        json_out_key(out, "enumerators");
        json_out_array(out);
        for (uint32_t i = 0; i < type->count; i++) {
            json_out_string(out,
                            view_name(method->plan, view_enumerator(method->plan, type, i)->name));
        }
        json_out_array_end(out);
    }
}

static void describe_named(const struct json_method *method, const char *name,
                           const struct cordon_plan_type *type, struct json_out *out)
{
    json_out_object(out);
    json_out_key(out, "name");
    json_out_string(out, name);
    describe_type(method, type, out);
    json_out_object_end(out);
}

static void describe_result(const struct json_method *method, struct json_out *out)
{
    const struct cordon_plan_type *type =
        view_type(method->plan, view_function(method->plan)->result.type);
    char text[128];
    json_out_key(out, "result");
    if (method->result != JSON_RESULT_ALL) {
        type = method->result == JSON_RESULT_RETURN ? type : type_of(method, method->result);
        json_out_string(out, view_type_text(method->plan, type, text, sizeof text));
        return;
    }
    json_out_array(out);
    if (type->kind != CORDON_PLAN_VOID) {
        describe_named(method, "return", type, out);
    }
    for (uint32_t i = 0; i < method->count; i++) {
        if (method->parameters[i].comes_back) {
            describe_named(method, method->parameters[i].name, type_of(method, i), out);
        }
    }
    json_out_array_end(out);
}

void json_method_describe(const struct json_method *method, struct json_out *out)
{
    json_out_key(out, "parameters");
    json_out_array(out);
    for (uint32_t i = 0; i < method->count; i++) {
        const struct json_parameter *parameter = &method->parameters[i];
        bool variadic = parameter->role == JSON_ROLE_VARIADIC;
        if (!variadic && !is_sent(parameter)) {
            continue;
        }
        json_out_object(out);
        json_out_key(out, "name");
        json_out_string(out, parameter->name);
        describe_type(method, type_of(method, i), out);
        json_out_key(out, "direction");
        json_out_string(out, parameter->comes_back ? "inout" : "in");
        json_out_key(out, "optional");
        json_out_bool(out, variadic || parameter->role == JSON_ROLE_OPTIONAL);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    describe_result(method, out);
}
