/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_NUMBER_H
#define JSON_NUMBER_H

/* Numbers as people type them and as JSON has them, to scalars of a plan and to their place in memory. */

#include "base/message.h"
#include "cordon/value.h"
#include "json/document.h"
#include "json/plan_view.h"

/*
 * A scalar of @type from @text: decimal, 0x..., an enumerator's name, true, false; for floating point
 * also inf and nan. @ret_word gets integers extended to 64 bits, floating point as a double's bits.
 *
 * Returns 0, or -EINVAL with a sentence that says what would fit.
 */
int number_parse(const struct plan_view *plan, const struct cordon_plan_type *type,
                 const char *text, uint64_t *ret_word, struct message *why);

/*
 * A scalar of @type from @json: a number, true or false for a bool, or a string for number_parse().
 * Floating point that is whole is an integer, up to 2^53.
 */
int number_read(const struct plan_view *plan, const struct cordon_plan_type *type,
                struct json_value json, uint64_t *ret_word, struct message *why);

/* A word of the above into the C object at @memory. */
void number_store(const struct cordon_plan_type *type, uint64_t word, void *memory);

/* The same as an argument. */
struct cordon_value number_value(const struct cordon_plan_type *type, uint64_t word);

#endif
