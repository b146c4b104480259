/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CALL_H
#define CLI_CALL_H

#include <stddef.h>

#include "cli/call_options.h"

/*
 * What `cordon call` does, with a function that is known by its plan instead of a declaration.
 *
 * @options  borrowed: library, ARGs, and how to call; no prototype.
 * @plan     sound, aligned to 8, and as long there.
 *
 * Returns an enum command_exit.
 */
int call_run_plan(const struct call_options *options, const void *plan, size_t plan_bytes);

/* How a call ended, as an enum command_exit. */
int call_exit_of_outcome(int outcome);

#endif
