/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/refusal.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "cordon/outcome.h"

#define ERRNO_MAX 4095

static void say(int error, const char *what, struct message *why)
{
    switch (error) {
    case -ESTALE:
        (void)message_set(why, 0, "the object behind a handle is gone");
        break;
    case -E2BIG:
        (void)message_set(why, 0,
                          "%s: the worker holds as many handles (LIMIT_HANDLES, %u) or callbacks "
                          "(LIMIT_CLOSURES, %u) as it may",
                          what, LIMIT_HANDLES, LIMIT_CLOSURES);
        break;
    default:
        (void)message_set(why, 0, "the worker refused %s: %s", what, strerror(-error));
    }
}

int refusal(const struct station_reply *reply, const char *what, struct message *why)
{
    char text[MESSAGE_BYTES];
    uint32_t length = reply->reply ? reply->reply_bytes : 0;
    int error = reply->status < 0 && reply->status >= -ERRNO_MAX ? reply->status : -EBADMSG;
    length = length < sizeof text ? length : sizeof text;
    for (uint32_t i = 0; i < length; i++) {
        text[i] = (char)reply->reply[i];
    }
    if (length > 0) {
        message_set_foreign(why, text, length);
    } else {
        say(error, what, why);
    }
    if (error == -ENOMEM) {
        message_add(why, " (a worker may add as much memory as memory_bytes says)");
    }
    /* Room that a result did not find is a limit like any other. */
    return error == -ESTALE ? CORDON_STALE : error == -ENOSPC ? -E2BIG : error;
}
