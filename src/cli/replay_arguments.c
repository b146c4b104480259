/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/replay_arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report_file.h"
#include "prototype/plan.h"
#include "report/arguments.h"
#include "report/base64.h"

#define RECORD_WORDS 6u

static void *bytes_of(const json_t *replay, const char *key, size_t *ret_length)
{
    const json_t *text = json_object_get(replay, key);
    *ret_length = 0;
    return json_is_string(text)
               ? base64_read(json_string_value(text), json_string_length(text), ret_length)
               : NULL;
}

/* The parameter that ARG @index is for, or NULL: an argument of `...`. */
static const struct cordon_plan_type *type_of(const struct plan *plan, size_t index)
{
    const struct cordon_plan_function *function = plan_function(plan, 0);
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, function, i);
        const struct cordon_plan_type *type = plan_type(plan, param->type);
        bool memory = type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING;
        if (param->position == CORDON_PLAN_NO_WORD ||
            (memory && type->direction == CORDON_PLAN_OUT)) {
            continue;
        }
        if (type->kind == CORDON_PLAN_VARARGS) {
            return NULL;
        }
        if (index-- == 0) {
            return type;
        }
    }
    return NULL;
}

static char *number_text(const json_t *value)
{
    char text[64];
    if (json_is_integer(value)) {
        (void)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)snprintf(text, sizeof text, "%.17g", json_real_value(value));
        /* 2 would be an int in `...`. */
        if (!strpbrk(text, ".en")) {
            (void)strcat(text, ".0");
        }
    } else {
        (void)snprintf(text, sizeof text, "%s", json_is_true(value) ? "true" : "false");
    }
    return strdup(text);
}

static char *with_prefix(const char *prefix, char *text)
{
    char *whole = NULL;
    if (!text || asprintf(&whole, "%s%s", prefix, text) < 0) {
        whole = NULL;
    }
    free(text);
    return whole;
}

static char *text_of(const struct cordon_plan_type *type, const json_t *value)
{
    bool memory = type && (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING ||
                           type->kind == CORDON_PLAN_STRUCT);
    if (json_is_null(value)) {
        return strdup("null");
    }
    if (json_is_number(value) || json_is_boolean(value)) {
        return number_text(value);
    }
    if (memory) {
        return with_prefix("json:", json_dumps(value, JSON_ENCODE_ANY));
    }
    if (json_is_string(value)) {
        return type ? strdup(json_string_value(value))
                    : with_prefix("text:", strdup(json_string_value(value)));
    }
    const char *base64 = report_text(value, "base64");
    return with_prefix("base64:", strdup(base64));
}

static int make_texts(struct replay_arguments *arguments, const json_t *values, struct message *why)
{
    arguments->texts = calloc(json_array_size(values) + 1, sizeof *arguments->texts);
    size_t index;
    json_t *value;
    json_array_foreach(values, index, value)
    {
        char *text = arguments->texts ? text_of(type_of(arguments->plan, index), value) : NULL;
        if (!text) {
            return message_set(why, -ENOMEM, "not enough memory");
        }
        arguments->texts[arguments->count++] = text;
    }
    return arguments->texts ? 0 : message_set(why, -ENOMEM, "not enough memory");
}

int replay_arguments_make(struct replay_arguments *ret_arguments, const json_t *report,
                          struct message *why)
{
    const json_t *call = json_object_get(report, "call");
    const json_t *replay = json_object_get(call, "replay");
    const struct plan *plan;
    uint64_t words[RECORD_WORDS] = {0};
    size_t frame_bytes;
    json_t *values = NULL;
    *ret_arguments = (struct replay_arguments){0};
    if (!replay) {
        return message_set(why, -ENOTSUP, "the report is not about a call, or does not know which");
    }
    if (!json_is_true(json_object_get(replay, "possible"))) {
        return message_set(why, -ENOTSUP, "%s", report_text(replay, "why"));
    }
    ret_arguments->plan = bytes_of(replay, "plan", &ret_arguments->plan_bytes);
    ret_arguments->frame = bytes_of(replay, "frame", &frame_bytes);
    if (!ret_arguments->plan ||
        plan_validate(ret_arguments->plan, ret_arguments->plan_bytes, &plan, NULL) < 0) {
        return message_set(why, -EBADMSG, "the report's plan of the function is not sound");
    }
    for (size_t i = 0; i < RECORD_WORDS; i++) {
        const char *word = json_string_value(json_array_get(json_object_get(replay, "words"), i));
        words[i] = word ? strtoull(word, NULL, 16) : 0;
    }
    struct report_request request = {.plan = plan,
                                     .function_id = (uint32_t)report_number(call, "function_id"),
                                     .words = words,
                                     .memory = ret_arguments->frame,
                                     .memory_bytes = (uint32_t)frame_bytes};
    int r = report_arguments(&request, REPORT_WHOLE, &values, why);
    r = r < 0 ? r : make_texts(ret_arguments, values, why);
    json_decref(values);
    return r;
}

void replay_arguments_free(struct replay_arguments *arguments)
{
    for (size_t i = 0; i < arguments->count; i++) {
        free(arguments->texts[i]);
    }
    free(arguments->texts);
    free(arguments->plan);
    free(arguments->frame);
}
