/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_KEEPER_SHARE_H
#define CELL_KEEPER_SHARE_H

/*
 * Keeper share: the one keeper of this process, started by the first cell that needs it, replaced when
 * it died, stopped with the last cell. Cells with other programs or switched-off mechanisms get
 * another keeper.
 *
 * Threads: any.
 */

#include "cell/keeper_client.h"

struct keeper_share;

/* Take part in a keeper that fits @options (copied). */
int keeper_share_join(const struct keeper_options *options, struct keeper_share **ret_share,
                      struct message *why);

/* NULL is fine. The last one stops the keeper. */
void keeper_share_leave(struct keeper_share *share);

/*
 * Hold the keeper, started anew if it has died. It stays, dead or alive, until it is given back by
 * keeper_share_give(); NULL is fine there.
 */
int keeper_share_take(struct keeper_share *share, struct keeper_client **ret_client,
                      struct message *why);
/* It is there: taking it does not start one. */
bool keeper_share_alive(struct keeper_share *share);
void keeper_share_give(struct keeper_share *share, struct keeper_client *client);

#endif
