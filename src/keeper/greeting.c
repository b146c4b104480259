/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/greeting.h"

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/fd.h"
#include "base/passing.h"
#include "lane/start.h"

static enum greeting_kind judge(struct greeting *greeting, const char *text, ssize_t length)
{
    if (length == -EAGAIN) {
        return GREETING_NOTHING;
    }
    if (length == 1 && text[0] == START_LISTENER && greeting->listener >= 0) {
        return GREETING_LISTENER;
    }
    if (length == 2 && text[0] == START_LISTENER_HERE) {
        greeting->number = (unsigned char)text[1];
        return GREETING_LISTENER_HERE;
    }
    if (length == 1 && text[0] == START_LOADED) {
        return GREETING_LOADED;
    }
    if (length > 2 && text[0] == START_REFUSED) {
        greeting->error = (unsigned char)text[1];
        message_set_foreign(&greeting->why, text + 2, (size_t)length - 2);
        return GREETING_REFUSED;
    }
    return GREETING_SILENT;
}

void greeting_receive(struct greeting *greeting, int socket)
{
    char text[START_ANSWER_BYTES];
    uint32_t count;
    *greeting = (struct greeting){.listener = -1};
    ssize_t length = passing_receive(socket, text, sizeof text, &greeting->listener, 1, &count);
    greeting->kind = judge(greeting, text, length);
    if (greeting->kind != GREETING_LISTENER) {
        greeting_deinit(greeting);
    }
}

void greeting_deinit(struct greeting *greeting)
{
    fd_release(&greeting->listener);
}
