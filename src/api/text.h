/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_TEXT_H
#define API_TEXT_H

/* A public error seen as the message that the layers below write. NULL stays NULL. */

#include "base/message.h"
#include "cordon/error.h"

_Static_assert(sizeof(struct cordon_error) == sizeof(struct message),
               "an error and a message are the same text");

static inline struct message *text_of(struct cordon_error *error)
{
    return (struct message *)(void *)error;
}

#endif
