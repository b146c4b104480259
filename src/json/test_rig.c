/* SPDX-License-Identifier: Apache-2.0 */
#include "json/test_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct plan_view *rig_plan(struct cordon_interface **ret_interface, const char *prototype)
{
    struct cordon_error error = {""};
    size_t bytes;
    if (cordon_interface_parse("prototype", prototype, strlen(prototype), ret_interface, &error) !=
        0) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(cordon_interface_function_count(*ret_interface), 1);
    return cordon_interface_plan(*ret_interface, 0, &bytes);
}

int rig_method(struct rig *rig, const char *prototype, struct json_method_options options)
{
    memset(rig, 0, sizeof *rig);
    options.plan = rig_plan(&rig->interface_, prototype);
    options.fixed_length = options.fixed ? strlen(options.fixed) : 0;
    json_call_init(&rig->call);
    return json_method_init(&rig->method, &options, &rig->why);
}

int rig_send_with(struct rig *rig, const char *json, const char *const *skip,
                  const struct json_hooks *hooks)
{
    size_t length = strlen(json);
    if (document_parse(&rig->document, json, length, length, 64, &rig->params, &rig->why) != 0) {
        fail_msg("%s", rig->why.text);
    }
    return json[0] == '['
               ? json_call_positional(&rig->call, &rig->method, rig->params, hooks, &rig->why)
               : json_call_named(&rig->call, &rig->method, rig->params, skip, hooks, &rig->why);
}

int rig_send(struct rig *rig, const char *json)
{
    return rig_send_with(rig, json, NULL, NULL);
}

void rig_call(struct rig *rig, const char *prototype, const char *json)
{
    if (rig_method(rig, prototype, (struct json_method_options){0}) != 0 ||
        rig_send(rig, json) != 0) {
        fail_msg("%s", rig->why.text);
    }
}

void *rig_memory(const struct rig *rig, size_t position)
{
    assert_int_equal(rig->call.args[position].kind, CORDON_VALUE_MEMORY);
    return rig->call.args[position].memory;
}

void rig_expect_with(struct rig *rig, const struct json_hooks *hooks, const char *json)
{
    json_call_result(&rig->call, &rig->result, hooks, &rig->out);
    assert_non_null(json_out_text(&rig->out));
    assert_string_equal(json_out_text(&rig->out), json);
    json_out_deinit(&rig->out);
}

void rig_expect(struct rig *rig, const char *json)
{
    rig_expect_with(rig, NULL, json);
}

void rig_refused(const struct rig *rig, int error, int expected, const char *part)
{
    assert_int_equal(error, expected);
    if (!strstr(rig->why.text, part)) {
        fail_msg("'%s' is not in: %s", part, rig->why.text);
    }
}

void rig_end(struct rig *rig)
{
    json_call_deinit(&rig->call);
    json_method_deinit(&rig->method);
    document_deinit(&rig->document);
    json_out_deinit(&rig->out);
    cordon_interface_free(rig->interface_);
}
