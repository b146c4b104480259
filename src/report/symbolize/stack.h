/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_SYMBOLIZE_STACK_H
#define REPORT_SYMBOLIZE_STACK_H

/* Stacks: from registers and stack bytes to functions, files and lines. */

#include <jansson.h>

#include "report/symbolize/evidence.h"
#include "report/symbolize/modules.h"

#define STACK_FRAMES_MAX  128u
#define STACK_INLINES_MAX 16u
#define STACK_SCANNED_MAX 24u

/* Prepare for unwinding. Once. */
void stack_prepare(struct evidence *evidence, struct modules *modules);

/* An array of frames, innermost first; each says how it was found. */
json_t *stack_of(struct evidence *evidence, struct modules *modules, struct witness *witness);

/* One address: module, offset, function, file and line as far as they are known. @exact: not a return
 * address. */
json_t *stack_place(const struct evidence *evidence, struct modules *modules, uint64_t address,
                    bool exact);

#endif
