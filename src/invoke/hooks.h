/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_HOOKS_H
#define INVOKE_HOOKS_H

/*
 * Hooks: what frames ask of an engine: objects and their words, trampolines, memory with a
 * lifetime.
 */

#include "frame/frame.h"

struct engine;

struct frame_hooks hooks_of_engine(struct engine *engine);

/* End the handles that the call's `release` parameters name. */
void hooks_release(struct engine *engine, const struct frame_call *call);

#endif
