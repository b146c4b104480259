/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_NUMBERING_H
#define PROTOTYPE_NUMBERING_H

/*
 * Numbering: how each value of a function travels and in which word. It follows from the types alone,
 * so the compiler writes it and the validator does it again and compares.
 */

#include <stdbool.h>

#include "cordon/plan.h"

/* How a value of @type travels, types[] being the plan's. */
enum cordon_plan_passing numbering_passing(const struct cordon_plan_type *types, uint32_t index,
                                           bool is_result);

/*
 * Fill in passing, words and positions of @params and of the result, and the function's counts and
 * CORDON_PLAN_MAILBOX. Types and FILLED flags must be there.
 */
void numbering_assign(const struct cordon_plan_type *types, struct cordon_plan_function *function,
                      struct cordon_plan_param *params);

#endif
