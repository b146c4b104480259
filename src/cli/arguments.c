/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/argument_text.h"
#include "cli/residents.h"
#include "json/show.h"

static const struct image_handles no_handles = {
    .refusal = "null: a handle lives as long as this command",
};

void arguments_init(struct arguments *arguments, const struct plan_view *plan, size_t bytes_max,
                    struct message *why)
{
    struct call_values *values = &arguments->by_position;
    memset(arguments, 0, sizeof *arguments);
    arguments->plan = plan;
    arguments->why = why;
    arguments->variadic_at = SIZE_MAX;
    values->plan = plan;
    values->values = arguments->values;
    values->count = view_function(plan)->passed_count;
    values->residents = arguments->residents;
    values->scope =
        (struct length_scope){.plan = plan, .args = arguments->values, .arg_count = values->count};
    image_begin(&values->image, plan, &values->scope, bytes_max, &no_handles, why);
}

void arguments_deinit(struct arguments *arguments)
{
    if (arguments->plan) {
        call_values_free_owned(&arguments->by_position);
        image_deinit(&arguments->by_position.image);
    }
}

int arguments_keep(struct arguments *arguments)
{
    return image_save(&arguments->by_position.image);
}

void arguments_renew(struct arguments *arguments)
{
    call_values_free_owned(&arguments->by_position);
    image_restore(&arguments->by_position.image);
}

/* Whether @param is given on the command line. */
static bool takes_text(const struct arguments *arguments, const struct cordon_plan_param *param)
{
    return param->position != CORDON_PLAN_NO_WORD &&
           !view_only_out(view_type(arguments->plan, param->type));
}

static bool is_variadic(const struct cordon_plan_param *param)
{
    return param->passing == CORDON_PLAN_PASS_VARARGS;
}

/* "crc32 takes 2 arguments: crc (uint32_t), buf (bytes); 1 given" */
static int refuse_count(const struct arguments *arguments, size_t least, bool variadic,
                        size_t given)
{
    const struct plan_view *plan = arguments->plan;
    char text[128];
    const char *before = ":";
    (void)message_set(arguments->why, -EINVAL, "%s takes %s%zu argument%s",
                      view_name(plan, view_function(plan)->name), variadic ? "at least " : "",
                      least, least == 1 ? "" : "s");
    for (uint32_t i = 0; i < view_function(plan)->param_count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        if (!takes_text(arguments, param)) {
            continue;
        }
        const char *name = view_name(plan, param->name);
        if (is_variadic(param)) {
            message_add(arguments->why, "%s ...", before);
        } else {
            message_add(arguments->why, "%s %s (%s)", before, *name ? name : "unnamed",
                        view_type_text(plan, view_type(plan, param->type), text, sizeof text));
        }
        before = ",";
    }
    message_add(arguments->why, "; %zu given", given);
    return -EINVAL;
}

/* How many ARGs there must be, and how many of @given belong to `...`. */
static int count_texts(struct arguments *arguments, size_t given)
{
    size_t least = 0;
    bool variadic = false;
    for (uint32_t i = 0; i < view_function(arguments->plan)->param_count; i++) {
        const struct cordon_plan_param *param = view_param(arguments->plan, i);
        if (is_variadic(param)) {
            variadic = true;
            arguments->variadic_at = param->position;
        } else if (takes_text(arguments, param)) {
            least++;
        }
    }
    if (given < least || (given > least && !variadic)) {
        return refuse_count(arguments, least, variadic, given);
    }
    arguments->variadic_count = variadic ? given - least : 0;
    if (arguments->variadic_count > CORDON_PLAN_PARAMS_MAX) {
        return message_set(arguments->why, -E2BIG,
                           "%zu arguments for '...', at most %u (CORDON_PLAN_PARAMS_MAX)",
                           arguments->variadic_count, CORDON_PLAN_PARAMS_MAX);
    }
    return 0;
}

/* What is being converted, for refusals. */
struct label {
    struct image_step step;
    char text[LIMIT_NAME_BYTES + 32];
};

/* "argument 2 'buf'" as people count them: what is not given on the command line does not count. */
static void name_argument(struct arguments *arguments, const struct cordon_plan_param *param,
                          size_t number, struct label *label)
{
    const char *name = view_name(arguments->plan, param->name);
    int length = number == 0 ? snprintf(label->text, sizeof label->text, "output")
                             : snprintf(label->text, sizeof label->text, "argument %zu", number);
    if (*name) {
        (void)snprintf(label->text + length, sizeof label->text - (size_t)length, " '%s'", name);
    }
    label->step = (struct image_step){.text = label->text};
    arguments->by_position.image.step = &label->step;
}

static int parse_variadic(struct arguments *arguments, char *const *texts, size_t number)
{
    struct image *image = &arguments->by_position.image;
    for (size_t i = 0; i < arguments->variadic_count; i++) {
        struct label label;
        (void)snprintf(label.text, sizeof label.text, "argument %zu (one of '...')", number + i);
        label.step = (struct image_step){.text = label.text};
        image->step = &label.step;
        int r = argument_variadic(image, texts[i], &arguments->variadic[i]);
        image->step = NULL;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/*
 * Which parameters one pass over the command line converts: numbers first, since they may give the
 * lengths of everything else.
 */
enum pass {
    PASS_NUMBERS,
    PASS_MEMORY,
};

static enum pass pass_of(const struct arguments *arguments, const struct cordon_plan_param *param)
{
    const struct cordon_plan_type *type = view_type(arguments->plan, param->type);
    bool single = type->kind == CORDON_PLAN_POINTER && type->code == CORDON_PLAN_NONE &&
                  view_is_scalar(view_target(arguments->plan, type));
    return view_is_scalar(type) || (single && type->direction != CORDON_PLAN_OUT) ? PASS_NUMBERS
                                                                                  : PASS_MEMORY;
}

static int parse_one(struct arguments *arguments, const struct cordon_plan_param *param,
                     const char *text)
{
    const struct cordon_plan_type *type = view_type(arguments->plan, param->type);
    struct cordon_value *value = &arguments->values[param->position];
    struct image *image = &arguments->by_position.image;
    if (!show_is_resident(type)) {
        return argument_parse(image, type, text, value);
    }
    int r = resident_parse(image, type, text, value);
    arguments->residents[param->position] =
        r == 0 && value->kind == CORDON_VALUE_MEMORY ? value->memory : NULL;
    return r;
}

static int parse_pass(struct arguments *arguments, enum pass pass, char *const *texts)
{
    size_t next = 0;
    for (uint32_t i = 0; i < view_function(arguments->plan)->param_count; i++) {
        const struct cordon_plan_param *param = view_param(arguments->plan, i);
        size_t at = next;
        if (!takes_text(arguments, param)) {
            continue;
        }
        next += is_variadic(param) ? arguments->variadic_count : 1;
        if (pass_of(arguments, param) != pass) {
            continue;
        }
        struct label label;
        name_argument(arguments, param, at + 1, &label);
        int r = is_variadic(param) ? parse_variadic(arguments, texts + at, at + 1)
                                   : parse_one(arguments, param, texts[at]);
        arguments->by_position.image.step = NULL;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Outputs that nobody typed. */
static int make_room(struct arguments *arguments)
{
    for (uint32_t i = 0; i < view_function(arguments->plan)->param_count; i++) {
        const struct cordon_plan_param *param = view_param(arguments->plan, i);
        const struct cordon_plan_type *type = view_type(arguments->plan, param->type);
        if (param->position == CORDON_PLAN_NO_WORD || !view_only_out(type)) {
            continue;
        }
        struct label label;
        name_argument(arguments, param, 0, &label);
        int r = image_room_for(&arguments->by_position.image, type,
                               &arguments->values[param->position]);
        arguments->by_position.image.step = NULL;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int arguments_parse(struct arguments *arguments, char *const *texts, size_t count)
{
    int r = count_texts(arguments, count);
    r = r < 0 ? r : parse_pass(arguments, PASS_NUMBERS, texts);
    r = r < 0 ? r : parse_pass(arguments, PASS_MEMORY, texts);
    return r < 0 ? r : make_room(arguments);
}

const struct cordon_value *arguments_values(struct arguments *arguments, size_t *ret_count)
{
    size_t filled = 0;
    for (size_t i = 0; i < arguments->by_position.count; i++) {
        if (i != arguments->variadic_at) {
            arguments->flat[filled++] = arguments->values[i];
            continue;
        }
        for (size_t k = 0; k < arguments->variadic_count; k++) {
            arguments->flat[filled++] = arguments->variadic[k];
        }
    }
    *ret_count = filled;
    return arguments->flat;
}
