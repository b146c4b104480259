/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_GREETING_H
#define KEEPER_GREETING_H

/*
 * Greeting: one message that a starting worker sent (lane/start.h). The first may be the worker program's own;
 * whatever comes later may be written by a constructor of the library, and is believed as a hostile one's:
 * descriptors that nobody asked for are closed, and what is no greeting is SILENT.
 *
 * Threads: any.
 */

#include "base/message.h"

enum greeting_kind {
    GREETING_NOTHING,       /* nothing has come yet */
    GREETING_LISTENER,      /* the worker's filter has one: @listener */
    GREETING_LISTENER_HERE, /* the same, and it could not be sent: @number, in the worker, which waits */
    GREETING_LOADED,
    GREETING_REFUSED, /* @error, @why */
    GREETING_SILENT,  /* the end, or no greeting: nothing more is to be read */
};

struct greeting {
    enum greeting_kind kind;
    int listener;       /* owned; -1: none */
    int number;         /* 0-255, as the worker says */
    int error;          /* 0-255, an errno as the worker says */
    struct message why; /* clean */
};

/* Receive what stands in @socket; does not wait. */
void greeting_receive(struct greeting *greeting, int socket);

void greeting_deinit(struct greeting *greeting);

#endif
