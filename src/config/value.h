/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

/* Values of cordon.yaml: scalars as numbers and words, and whatever there is as JSON. */

#include "base/message.h"
#include "config/keys.h"
#include "config/tree.h"
#include "json/json_out.h"

/*
 * The number that scalar @node gives to @key, of a kind that is one (COUNT, BYTES, MS, WORD).
 * Returns 0, or -EINVAL with what would be right.
 */
int value_number(const struct config_key *key, const struct tree_node *node, uint64_t *ret_number,
                 struct message *why);

/*
 * @node as JSON, scalars read as YAML's core schema has it: plain `12`, `-1.5`, `true`, `null` are that, everything
 * else is a string. Out of memory shows in @out.
 */
void value_to_json(const struct tree_node *node, struct json_out *out);

/* "a list", "a text", for sentences. */
const char *value_kind_text(const struct tree_node *node);

/* "64 MiB" in whole units, for sentences. Returns @text. */
const char *value_print(enum key_kind kind, uint64_t number, char *text, size_t bytes);
#define VALUE_PRINT_BYTES 32u

/* Which of several names was meant: none that is more than a third of its letters away. */
struct value_guess {
    const char *wrong;
    const char *best;
    unsigned distance;
};
struct value_guess value_guess_start(const char *wrong);
void value_guess_consider(struct value_guess *guess, const char *name);
/* The nearest, or NULL. */
const char *value_guess_found(const struct value_guess *guess);

#endif
