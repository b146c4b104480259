/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RESIDENTS_H
#define CLI_RESIDENTS_H

/*
 * Residents: objects that a call's `resident` parameters name. They live in the worker; their ARG is
 * JSON with the members that are to be set before the call (`{}`: none), and their members are among
 * what comes back.
 */

#include "cli/arguments.h"
#include "cordon/object.h"

/* @text as the object's bytes, kept in @image until the worker is there. Returns as argument_parse(). */
int resident_parse(struct image *image, const struct cordon_plan_type *type, const char *text,
                   struct cordon_value *ret_value);

/*
 * Before each call: make the objects in @session, write their members, and let the arguments name them.
 * After it: read their members back. Returns 0; a refusing outcome or a negative errno with a sentence
 * in the arguments' message.
 */
int residents_make(struct arguments *arguments, struct cordon_session *session);
int residents_read(struct arguments *arguments, struct cordon_session *session);

#endif
