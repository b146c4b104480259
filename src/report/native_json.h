/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NATIVE_JSON_H
#define REPORT_NATIVE_JSON_H

/* Native values as JSON: what a request's arguments look like to the function that they were meant for. */

#include "report/arguments.h"

#include "frame/frame.h"

/* A request under way: native arguments as a worker would pass them. */
struct reader {
    const struct plan *plan;
    const struct cordon_plan_function *function;
    enum report_detail detail;
    struct frame_call call;
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    uint64_t handles; /* WORD objects stand for their own words */
    struct message *why;
};

/* The struct whose members a length names. */
struct owner {
    struct reader *reader;
    const struct cordon_plan_type *type;
    const uint8_t *memory;
};

/*
 * A value of @type at @memory; @owner is the struct that it lies in, or NULL. NULL with reader->why, or
 * where memory is short. Owned by the caller.
 */
json_t *native_json(struct reader *reader, const struct cordon_plan_type *type,
                    const uint8_t *memory, const struct owner *owner, uint32_t depth);

/* @count elements that a pointer of @type leads to. */
json_t *native_json_memory(struct reader *reader, const struct cordon_plan_type *type,
                           const uint8_t *memory, uint64_t count, const struct owner *owner,
                           uint32_t depth);

/*
 * How many elements stand at @memory behind a pointer of @type: false where nobody can know. The request
 * was judged by the same code.
 */
bool native_json_count(struct reader *reader, const struct cordon_plan_type *type,
                       const uint8_t *memory, const struct owner *owner, uint64_t *ret_count);

/* A text of the library's or caller's: as the reader's detail says. */
json_t *native_json_text(const struct reader *reader, const char *text);

/* An address, or another number that stands for something. */
json_t *native_json_address(const char *what, uint64_t word);

#endif
