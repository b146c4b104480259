/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_JUDGE_H
#define CONFIG_JUDGE_H

#include "config/keys.h"
#include "config/tree.h"
#include "json/json_out.h"

#define CONFIG_FIELD_BYTES 256u /* of a field's name; longer ones are cut */

/*
 * Judge the tree of @file by the table of keys: what is unknown, missing, of the wrong kind or out of range is a
 * finding.
 *
 * @ret_plain  gets all that is right, as JSON that libcyaml can load whatever the file held: numbers in their key's
 *             unit, words as numbers, keys that are left out or wrong with what they are initially. All zero
 *             before; for json_out_deinit().
 */
void config_judge(const struct tree_node *root, const char *file, struct json_out *ret_plain,
                  struct findings *findings);

#endif
