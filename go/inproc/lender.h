/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INPROC_LENDER_H
#define INPROC_LENDER_H

/* What has to be done in C at one go. */

#include <cordon/cordon.h>

/* Open a cell to be lent: no worker of its own is kept. As cordon_cell_open(). */
int inproc_open(const struct cordon_cell_options *options, struct cordon_cell **ret_cell,
                struct cordon_error *ret_error);

/* Do all that there is to do: a poller that tells of changes alone tells of the next one then. */
void inproc_dispatch(struct cordon_lender *lender);

/* cordon_place_serve(), with the relay of the place of Go's that @handle names. */
void inproc_serve(struct cordon_place *place, uintptr_t handle);

#endif
