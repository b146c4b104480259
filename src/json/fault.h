/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_FAULT_H
#define JSON_FAULT_H

/*
 * Fault: where a text stops being JSON, for the sentence that refuses it: simdjson does not say. Byte by
 * byte and only once a text was refused; that both agree is what fuzz/fuzz_json.c looks at.
 */

#include <stddef.h>
#include <stdint.h>

/*
 * What is wrong ("a string with no end"), and at which byte; NULL: nothing is.
 *
 * @nesting_max  arrays and objects inside each other; up to 4096, since it recurses.
 */
const char *fault_find(const char *text, size_t length, uint32_t nesting_max, size_t *ret_at);

#endif
