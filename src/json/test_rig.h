/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_TEST_RIG_H
#define JSON_TEST_RIG_H

/* Rig of this room's tests: a method from a prototype, a call of it from JSON, then what the function did. */

#include "cordon/interface.h"
#include "json/call.h"

struct rig {
    struct cordon_interface *interface_;
    struct json_method method;
    struct json_call call;
    struct document document;
    struct json_value params;
    struct cordon_result result;
    struct json_out out;
    struct message why;
};

/* The plan of the one function that @prototype declares. Fails the test if it does not parse. */
const struct plan_view *rig_plan(struct cordon_interface **ret_interface, const char *prototype);

/* A method with the options given; @options->plan is set here. Returns what json_method_init() did. */
int rig_method(struct rig *rig, const char *prototype, struct json_method_options options);

/* Parameters from JSON: an object or an array. Returns what the conversion did. */
int rig_send(struct rig *rig, const char *json);
int rig_send_with(struct rig *rig, const char *json, const char *const *skip,
                  const struct json_hooks *hooks);

/* All of it at once, which must succeed. */
void rig_call(struct rig *rig, const char *prototype, const char *json);

/* The memory that the value at @position names. */
void *rig_memory(const struct rig *rig, size_t position);

/* The result is @json. */
void rig_expect(struct rig *rig, const char *json);
void rig_expect_with(struct rig *rig, const struct json_hooks *hooks, const char *json);

/* The last refusal holds @part. */
void rig_refused(const struct rig *rig, int error, int expected, const char *part);

void rig_end(struct rig *rig);

#endif
