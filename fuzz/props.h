/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_PROPS_H
#define FUZZ_PROPS_H

/* Props: what the fuzz targets of calls share - plans, arguments that fit them, a cursor over the input. */

#include <stddef.h>
#include <stdint.h>

#include "frame/frame.h"

#define PROPS_PLANS 10u

/* Plan @number, modulo PROPS_PLANS, or from 240 on one of those that came later; borrowed for ever. */
const struct plan *props_plan(uint32_t number);

/* A cursor over the input; what is missing reads as zero. */
struct input {
    const uint8_t *data;
    size_t size;
};

void props_take(struct input *input, void *to, size_t bytes);

/* Read all that a value names: what was accepted must be there. */
void props_touch(const struct cordon_value *value);

/* Memory that arguments of all shapes find enough of: numbers say 4, pointers lead to text. */
struct props {
    uint64_t memory[CORDON_PLAN_PARAMS_MAX][16];
    char text[CORDON_PLAN_PARAMS_MAX][64];
};

/* Arguments for @function, in @args. */
void props_fill(struct props *props, const struct plan *plan,
                const struct cordon_plan_function *function, struct cordon_value *args);

/* What the decoder made of `owned` parameters belongs to the caller, and is no longer the text. */
void props_free_dynamic(const struct plan *plan, const struct cordon_plan_function *function,
                        struct props *props);

/* Hooks. */
int props_callback_word(void *context, const struct plan *plan, uint32_t function,
                        const struct cordon_value *value, uint64_t *ret_word, struct message *why);
void *props_keep(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                 uint32_t param, size_t bytes);

#endif
