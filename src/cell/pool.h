/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_POOL_H
#define CELL_POOL_H

/*
 * Pool: the sessions of a cell - those that threads share by their number, and explicit ones - how they
 * are found, made, counted and ended. The functions that other rooms use stand in cell.h.
 */

struct cordon_session;

/* End the session's worker from outside, whatever it does now. NULL is fine. Under the cell's lock. */
void pool_condemn(struct cordon_session *session);

/* Wait until nobody holds a condemned session, and free it. NULL is fine. */
void pool_end(struct cordon_session *session);

#endif
