/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_VERBS_H
#define INVOKE_VERBS_H

/*
 * Verbs: requests to the engine itself, see enum engine_verb.
 */

#include "invoke/engine.h"

/* Returns 0 with words and bytes of @ret_reply filled, or a negative errno with @why. */
int verbs_execute(struct engine *engine, const struct engine_request *request,
                  struct engine_reply *ret_reply, struct message *why);

#endif
