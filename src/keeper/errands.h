/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_ERRANDS_H
#define KEEPER_ERRANDS_H

/*
 * Errand letter: one message of the host with the descriptors that came along, judged.
 *
 * Threads: any, one at a time per socket.
 */

#include <stdint.h>

#include "keeper/ward.h"
#include "lane/errand.h"

#define ERRAND_FDS_MAX 10u /* all that errand.h knows */

struct errand_letter {
    struct errand errand;
    uint32_t fd_count;
    int fds[ERRAND_FDS_MAX]; /* owned */
};

/*
 * Receive one, without waiting. Returns 0; -EAGAIN: nothing there; -EPIPE: the host closed its end;
 * -EBADMSG: it was no errand (its descriptors are closed); another negative errno.
 */
int errand_letter_receive(struct errand_letter *letter, int socket);
void errand_letter_deinit(struct errand_letter *letter);

/* Lend the descriptors by their meaning; what @fds no longer holds when returned was taken. */
struct ward_fds errand_letter_fds(struct errand_letter *letter);
void errand_letter_return_fds(struct errand_letter *letter, const struct ward_fds *fds);

#endif
