/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPLAY_ARGUMENTS_H
#define CLI_REPLAY_ARGUMENTS_H

/* The request that a report holds, as the ARGs of `cordon call`. */

#include <jansson.h>
#include <stddef.h>

#include "base/message.h"

struct replay_arguments {
    void *plan; /* judged, aligned to 8 */
    size_t plan_bytes;
    void *frame; /* NULL: the request is words alone */
    char **texts;
    size_t count;
};

/*
 * Returns 0; -ENOTSUP (the report says why not), -EBADMSG (what it holds is not sound), -ENOMEM; @why says
 * it. replay_arguments_free() in any case.
 */
int replay_arguments_make(struct replay_arguments *ret_arguments, const json_t *report,
                          struct message *why);
void replay_arguments_free(struct replay_arguments *arguments);

#endif
