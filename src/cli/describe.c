/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/message.h"
#include "cli/file.h"
#include "cli/command.h"
#include "json/json_out.h"
#include "cli/output.h"
#include "json/plan_view.h"
#include "cordon/interface.h"

enum {
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_JSON] = {"json", NULL, "one JSON object for each function, one on a line"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

static const char *direction_text(const struct cordon_plan_param *param,
                                  const struct cordon_plan_type *type)
{
    if (param->flags & CORDON_PLAN_FILLED) {
        return "filled in";
    }
    if (!view_is_memory(type) || type->direction == CORDON_PLAN_IN) {
        return "in";
    }
    return type->direction == CORDON_PLAN_OUT ? "out" : "inout";
}

static void put_flags(struct json_out *out, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {
        {CORDON_PLAN_NULLABLE, "nullable"}, {CORDON_PLAN_SECRET, "secret"},
        {CORDON_PLAN_OWNED, "owned"},       {CORDON_PLAN_RELEASE, "release"},
        {CORDON_PLAN_STATIC, "static"},     {CORDON_PLAN_BORROWED, "borrowed"},
        {CORDON_PLAN_KEPT, "kept"},         {CORDON_PLAN_RESIDENT, "resident"},
        {CORDON_PLAN_VA_LIST, "va_list"},   {CORDON_PLAN_ESCAPE, "escape"},
    };
    json_out_array(out);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (flags & names[i].flag) {
            json_out_string(out, names[i].name);
        }
    }
    json_out_array_end(out);
}

static void put_fields(struct json_out *out, const struct plan_view *plan,
                       const struct cordon_plan_type *record)
{
    char text[128];
    json_out_key(out, "members");
    json_out_array(out);
    for (uint32_t i = 0; i < record->count; i++) {
        const struct cordon_plan_field *field = view_field(plan, record, i);
        const struct cordon_plan_type *type = view_type(plan, field->type);
        json_out_object(out);
        json_out_key(out, "name");
        json_out_string(out, view_name(plan, field->name));
        json_out_key(out, "type");
        json_out_string(out, view_type_text(plan, type, text, sizeof text));
        json_out_key(out, "offset");
        json_out_uint(out, field->offset);
        json_out_key(out, "size");
        json_out_uint(out, type->size);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

/* The struct that a type is, or points to; NULL: none. */
static const struct cordon_plan_type *record_of(const struct plan_view *plan,
                                                const struct cordon_plan_type *type)
{
    if (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_ARRAY ||
        (type->kind == CORDON_PLAN_HANDLE && type->target != CORDON_PLAN_NONE)) {
        type = view_target(plan, type);
    }
    return type->kind == CORDON_PLAN_STRUCT ? type : NULL;
}

static void put_type(struct json_out *out, const struct plan_view *plan,
                     const struct cordon_plan_type *type)
{
    char text[128];
    const struct cordon_plan_type *record = record_of(plan, type);
    json_out_key(out, "type");
    json_out_string(out, view_type_text(plan, type, text, sizeof text));
    json_out_key(out, "size");
    json_out_uint(out, type->size);
    json_out_key(out, "flags");
    put_flags(out, type->flags);
    if (record) {
        json_out_key(out, "element_size");
        json_out_uint(out, record->size);
        put_fields(out, plan, record);
    }
}

static void put_function(struct json_out *out, const struct plan_view *plan)
{
    const struct cordon_plan_function *function = view_function(plan);
    json_out_object(out);
    json_out_key(out, "function");
    json_out_string(out, view_name(plan, function->name));
    json_out_key(out, "symbol");
    json_out_string(out, view_name(plan, function->symbol));
    json_out_key(out, "layout_hash");
    json_out_uint(out, view_header(plan)->layout_hash);
    json_out_key(out, "returns");
    json_out_object(out);
    put_type(out, plan, view_type(plan, function->result.type));
    json_out_object_end(out);
    json_out_key(out, "parameters");
    json_out_array(out);
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        const struct cordon_plan_type *type = view_type(plan, param->type);
        json_out_object(out);
        json_out_key(out, "name");
        json_out_string(out, view_name(plan, param->name));
        json_out_key(out, "direction");
        json_out_string(out, direction_text(param, type));
        put_type(out, plan, type);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

static int describe_json(const struct plan_view *plan)
{
    struct json_out out = {0};
    put_function(&out, plan);
    const char *text = json_out_text(&out);
    int r = text ? output_format("%s\n", text) : command_fail(EXIT_COULD_NOT, "no memory");
    json_out_deinit(&out);
    return r;
}

static int describe_members(const struct plan_view *plan, const struct cordon_plan_type *type)
{
    const struct cordon_plan_type *record = record_of(plan, type);
    char text[128];
    int r = EXIT_DONE;
    for (uint32_t i = 0; record && i < record->count && r == EXIT_DONE; i++) {
        const struct cordon_plan_field *field = view_field(plan, record, i);
        r = output_format("             .%-16s %s at %u\n", view_name(plan, field->name),
                          view_type_text(plan, view_type(plan, field->type), text, sizeof text),
                          field->offset);
    }
    return r;
}

static int describe_text(const struct plan_view *plan)
{
    const struct cordon_plan_function *function = view_function(plan);
    const struct cordon_plan_type *result = view_type(plan, function->result.type);
    char text[128];
    int r = output_format("%s\n", view_name(plan, function->name));
    for (uint32_t i = 0; i < function->param_count && r == EXIT_DONE; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        const struct cordon_plan_type *type = view_type(plan, param->type);
        const char *name = view_name(plan, param->name);
        r = output_format("  %-9s  %-17s %s\n", direction_text(param, type),
                          *name ? name : "unnamed", view_type_text(plan, type, text, sizeof text));
        r = r == EXIT_DONE ? describe_members(plan, type) : r;
    }
    if (r == EXIT_DONE) {
        r = output_format("  %-9s  %-17s %s\n", "returns", "",
                          view_type_text(plan, result, text, sizeof text));
    }
    return r == EXIT_DONE ? describe_members(plan, result) : r;
}

/* OPERAND is a file if there is one of that name, else the text itself. */
static int load(const char *operand, struct cordon_interface **ret_interface)
{
    struct cordon_error error;
    struct message why;
    void *bytes = NULL;
    size_t length = strlen(operand);
    bool file = access(operand, F_OK) == 0;
    if (file && file_read(operand, LIMIT_PROTOTYPE_BYTES, &bytes, &length, &why) < 0) {
        return command_fail(EXIT_COULD_NOT, "%s", why.text);
    }
    int r = cordon_interface_parse(file ? operand : "prototype", file ? bytes : operand, length,
                                   ret_interface, &error);
    free(bytes);
    return r < 0 ? command_fail(EXIT_USAGE, "%s", error.text) : EXIT_DONE;
}

static int describe(const char *operand, bool json)
{
    struct cordon_interface *interface_ = NULL;
    int r = load(operand, &interface_);
    if (r != EXIT_DONE) {
        return r;
    }
    for (size_t i = 0; i < cordon_interface_function_count(interface_) && r == EXIT_DONE; i++) {
        size_t bytes;
        const struct plan_view *plan = cordon_interface_plan(interface_, i, &bytes);
        r = json ? describe_json(plan) : describe_text(plan);
    }
    cordon_interface_free(interface_);
    return r;
}

static int run_describe(const struct command *command, int argc, char *const *argv)
{
    struct options options = {.specs = option_specs, .argc = argc, .argv = argv};
    const char *operand = NULL;
    const char *value = NULL;
    struct message why;
    bool json = false;
    for (int option; (option = options_next(&options, &value, &why)) != OPTIONS_END;) {
        if (option == OPTIONS_WRONG) {
            return command_fail(EXIT_USAGE, "%s", why.text);
        }
        if (option == OPTION_HELP) {
            return command_help(command);
        }
        if (option == OPTION_JSON) {
            json = true;
        } else if (operand) {
            return command_fail(EXIT_USAGE, "describe takes one FILE or PROTOTYPE");
        } else {
            operand = value;
        }
    }
    return operand ? describe(operand, json)
                   : command_fail(EXIT_USAGE, "describe needs a FILE or a PROTOTYPE");
}

const struct command describe_command = {
    .name = "describe",
    .operands = "FILE|PROTOTYPE",
    .summary = "Say what declarations mean: parameters, directions, types, offsets",
    .options = option_specs,
    .run = run_describe,
};
