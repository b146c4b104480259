/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_TEST_RIG_H
#define INVOKE_TEST_RIG_H

/*
 * Rig: both sides of a call in one process, for the tests of this folder: prototypes are compiled
 * and bound, arguments marshalled, executed by an engine, answers unmarshalled; callbacks are
 * carried back by a transport that runs the host's function at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "cordon/value.h"
#include "frame/frame.h"
#include "invoke/engine.h"

#define RIG_FUNCTIONS 32u
#define RIG_CALLBACKS 16u
#define RIG_ABANDONED 42 /* exit status where the engine gave a call up */

struct rig;

/* The host's side of a callback. Negative: it failed. */
typedef int rig_function(void *context, const struct cordon_value *args,
                         struct cordon_value *ret_result);

struct cordon_callback {
    struct rig *rig;
    rig_function *function;
    void *context;
    uint64_t word;
    /* Of the call that passed it: */
    const struct plan *plan;
    uint32_t shape;
    struct frame_outer outer;
};

struct rig_bound {
    struct interface *interface;
    const struct plan *plan;
    uint32_t id;
};

struct rig {
    struct engine *engine;
    struct engine_config config;
    struct rig_bound functions[RIG_FUNCTIONS];
    uint32_t function_count;
    struct cordon_callback callbacks[RIG_CALLBACKS];
    uint32_t callback_count;
    struct frame_hooks hooks;
    const struct frame_request *sending;
    const uint8_t *sending_bytes;
    uint32_t reply_room;    /* bytes; 0: the default */
    uint32_t callback_room; /* bytes of a callback's frame; 0: the default */
    int error_number;       /* of the last call */
    struct message why;     /* of the last refusal */
};

/* An engine over libc, libm and @library (NULL: none more), with @closures trampolines. */
struct rig *rig_new(const char *library, uint32_t closures, uint32_t handles, size_t kept_bytes);
void rig_free(struct rig *rig);

/* Compile and bind; fails the test if that is refused. Returns the function's number. */
uint32_t rig_bind(struct rig *rig, const char *prototype);

/* Compile and ask to bind as @id. Returns the engine's status, its sentence in rig->why. */
int rig_try_bind(struct rig *rig, uint32_t id, const char *prototype);

/* Returns the status of encoding, execution or decoding, the sentence in rig->why. */
int rig_call(struct rig *rig, uint32_t function, const struct cordon_value *args, size_t count,
             struct frame_result *ret_result);

/* As rig_call(), for results that are numbers: fails the test if the call is refused. */
int64_t rig_number(struct rig *rig, uint32_t function, const struct cordon_value *args,
                   size_t count);

/* A callback of the host. */
struct cordon_value rig_callback(struct rig *rig, rig_function *function, void *context);

/* A constant function pointer (SIG_IGN). */
struct cordon_value rig_constant(struct rig *rig, int64_t constant);

/* A verb with words and bytes. Returns its status; @reply has room for 4,096 bytes. */
int rig_verb(struct rig *rig, enum engine_verb verb, const uint64_t *words, uint32_t word_count,
             const void *bytes, uint32_t byte_count, uint8_t *reply,
             struct engine_reply *ret_reply);

/* Exit status of a child process that runs @body. */
int rig_in_child(void (*body)(struct rig *rig), struct rig *rig);

/* Compiles @text, which declares types, and returns the plan of @type; freed by rig_free(). */
const void *rig_type_plan(struct rig *rig, const char *text, const char *type, size_t *ret_bytes);

#define RIG_ARGS(...)                                                                              \
    (const struct cordon_value[]){__VA_ARGS__},                                                    \
        sizeof((const struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value)

#endif
