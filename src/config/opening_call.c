/* SPDX-License-Identifier: Apache-2.0 */
#include "config/opening_call.h"

#include <errno.h>
#include <string.h>

#include "cordon/function.h"
#include "config/config.h"

static int read_arguments(struct opening_call *opening, const char *text, struct message *why)
{
    struct json_value root = {0};
    struct message inner;
    int r = text ? document_parse(&opening->document, text, strlen(text), strlen(text),
                                  CONFIG_NESTING_MAX + 1, &root, &inner)
                 : 0;
    if (r != 0) {
        return message_set(why, r == -ENOMEM ? r : -EINVAL, "%s", inner.text);
    }
    return json_call_named(&opening->call, &opening->method, root, NULL, NULL, why);
}

int opening_call_init(struct opening_call *opening, const struct plan_view *plan,
                      const struct start_settings *settings, struct message *why)
{
    struct json_method_options options = {.plan = plan};
    *opening = (struct opening_call){.made = false};
    int r = json_method_init(&opening->method, &options, why);
    if (r != 0) {
        return r;
    }
    json_call_init(&opening->call);
    opening->made = true;
    if (opening->method.traits & (JSON_METHOD_TAKES_HANDLES | JSON_METHOD_GIVES_HANDLES)) {
        return message_set(why, -ENOTSUP,
                           "%s takes or gives handles, which belong to one worker: each of them is "
                           "to begin with this call",
                           view_name(plan, view_function(plan)->name));
    }
    return read_arguments(opening, settings->arguments, why);
}

void opening_call_deinit(struct opening_call *opening)
{
    if (opening->made) {
        json_call_reset(&opening->call);
        json_call_deinit(&opening->call);
    }
    json_method_deinit(&opening->method);
    document_deinit(&opening->document);
    *opening = (struct opening_call){.made = false};
}

static int make(struct cordon_cell *cell, const struct start_settings *settings,
                struct message *why)
{
    struct cordon_error error = {{0}};
    struct cordon_function *function;
    struct opening_call opening;
    size_t bytes;
    int r = cordon_bind(cell, settings->function, 0, &function, &error);
    if (r != 0) {
        return message_set(why, r, "%s", error.text);
    }
    r = opening_call_init(&opening, cordon_function_plan(function, &bytes), settings, why);
    if (r == 0) {
        r = cordon_cell_on_start(cell, function, opening.call.args, opening.call.arg_count, &error);
        if (r != 0) {
            (void)message_set(why, r, "%s", error.text);
        }
    }
    opening_call_deinit(&opening);
    return r > 0 ? -EIO : r; /* how the call ended, other than well */
}

int opening_calls_make(struct cordon_cell *cell, const struct cell_settings *settings,
                       struct message *why)
{
    for (size_t i = 0; i < settings->start_count; i++) {
        struct message reason = {.text = ""};
        int r = make(cell, &settings->starts[i], &reason);
        if (r != 0) {
            return message_set(why, r, "cell '%s', on_start %s: %s", settings->name,
                               settings->starts[i].function, reason.text);
        }
    }
    return 0;
}
