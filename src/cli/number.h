/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

/* Numbers as people type them, to scalars of a plan and back to their place in memory. */

#include "base/message.h"
#include "cli/plan_view.h"

/*
 * A scalar of @type from @text: decimal, 0x..., an enumerator's name, true, false; for floating point
 * also inf and nan. @ret_word gets integers extended to 64 bits, floating point as a double's bits.
 *
 * Returns 0, or -EINVAL with a sentence that says what would fit.
 */
int number_parse(const struct plan_view *plan, const struct cordon_plan_type *type,
                 const char *text, uint64_t *ret_word, struct message *why);

/* A word of number_parse() into the C object at @memory. */
void number_store(const struct cordon_plan_type *type, uint64_t word, void *memory);

/* "250ms", "3s", "1.5s", "2m": in nanoseconds. Returns 0, -EINVAL for anything else, 0 included. */
int number_parse_duration(const char *text, uint64_t *ret_ns);

#endif
