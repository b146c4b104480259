/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_OPENING_CALL_H
#define CONFIG_OPENING_CALL_H

/* Opening call: one that each worker of a cell begins with (`on_start`), from JSON to values. */

#include "config/settings.h"
#include "json/call.h"
#include "json/document.h"

/* All zero is a fine start. */
struct opening_call {
    struct json_method method;
    struct document document;
    struct json_call call; /* ready for cordon_cell_on_start(): args and arg_count */
    bool made;             /* the call is to be deinitialized */
};

/*
 * Values of the call that @settings want of the function of @plan. @settings and @plan are borrowed.
 * Returns 0; -EINVAL, -ENOTSUP (callbacks, handles, resident objects), -E2BIG, -ENOMEM, with a sentence.
 * For opening_call_deinit() in any case.
 */
int opening_call_init(struct opening_call *opening, const struct plan_view *plan,
                      const struct start_settings *settings, struct message *why);
void opening_call_deinit(struct opening_call *opening);

/* Have the workers of @cell begin with all of @settings' calls, in order. Returns 0, or a negative errno. */
int opening_calls_make(struct cordon_cell *cell, const struct cell_settings *settings,
                       struct message *why);

#endif
