/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_PLAIN_H
#define FRAME_PLAIN_H

/*
 * Plain arrays: constant arrays of numbers, for the call only, as long as one parameter says and nothing
 * else. Both sides know of one what they need without walking through the plan at each call: that is
 * what the short ways of a call (cell/quick.c, invoke/direct.c) agree upon.
 */

#include <stdbool.h>
#include <stdint.h>

#include "prototype/plan.h"

struct frame_plain {
    uint32_t length_param;  /* index of the parameter that gives the number of elements */
    uint32_t element_bytes; /* a power of two */
};

/* Is parameter @index of @function, of a plan that was validated, a plain array? */
bool frame_plain_array(const struct plan *plan, const struct cordon_plan_function *function,
                       uint32_t index, struct frame_plain *ret_plain);

#endif
