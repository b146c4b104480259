/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_TEST_TRIP_H
#define FRAME_TEST_TRIP_H

/* Trip: one call from encode to decode inside a test, by a prototype's text. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "frame/frame.h"
#include "prototype/prototype.h"

#define TRIP_BYTES (1u << 20)
#define TRIP_ARENA (1u << 16)

/* What stands for the native function: arguments as ffi passes them. */
typedef void trip_native(void *const *arguments, void *result);

struct trip {
    struct interface *interface;
    uint64_t *unlocked; /* the plan, if it was made by trip_unlock() */
    const struct plan *plan;
    const struct cordon_plan_function *function;
    uint8_t *request;
    uint8_t *reply;
    uint8_t *arena;
    struct frame_space space;
    struct frame_request sent;
    struct frame_call call;
    uint64_t reply_words[CORDON_PLAN_WORDS_MAX];
    uint32_t reply_bytes;
    struct frame_result result;
    struct message why;
    struct frame_hooks host;
    struct frame_hooks worker;
    void *kept[8];
    size_t kept_count;
    size_t freed;
};

/* Asserts that @prototype compiles. */
void trip_open(struct trip *trip, const char *prototype);
void trip_close(struct trip *trip);

/* The four steps by themselves. */
int trip_encode(struct trip *trip, const struct cordon_value *args, size_t count);
int trip_accept(struct trip *trip);
/* As the host accepts a callback: nothing in place, and @hooks, &trip->host or others, or NULL. */
int trip_accept_by(struct trip *trip, const struct frame_hooks *hooks);
int trip_answer(struct trip *trip, const void *result);
int trip_decode(struct trip *trip, const struct cordon_value *args, size_t count);

/* All but the last, which must go well: the reply is there to be decoded. @native NULL: it does nothing. */
void trip_perform(struct trip *trip, trip_native *native, const struct cordon_value *args,
                  size_t count);

/* All of them: 0, or the first error with trip->why. */
int trip_call(struct trip *trip, trip_native *native, const struct cordon_value *args,
              size_t count);

/*
 * Make a plan that the language has no words for, but that a host may be given: @trip gets a copy, whose
 * type @index can be changed until trip_replan() has it judged again.
 */
struct cordon_plan_type *trip_unlock(struct trip *trip, uint32_t index);
void trip_replan(struct trip *trip);

/* Index of the first type of @kind. */
uint32_t trip_type(const struct trip *trip, uint8_t kind);

/* Native argument @index as a pointer. */
static inline void *trip_pointer(void *const *arguments, size_t index)
{
    return *(void **)arguments[index];
}

/* Arguments and their count, as the steps take them. */
#define ARGS(...)                                                                                  \
    (const struct cordon_value[]){__VA_ARGS__},                                                    \
        sizeof((const struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value)

/* A trip over @prototype, opened. */
#define TRIP(name, prototype)                                                                      \
    struct trip name;                                                                              \
    trip_open(&(name), prototype)

/* The call must go well; otherwise its sentence is shown. */
#define MUST(name, call)                                                                           \
    do {                                                                                           \
        int must_r = (call);                                                                       \
        if (must_r != 0) {                                                                         \
            fail_msg("%d: %s", must_r, (name).why.text);                                           \
        }                                                                                          \
    } while (0)

#endif
