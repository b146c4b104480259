/* SPDX-License-Identifier: Apache-2.0 */
#include "lender.h"

#include <poll.h>
#include <stdint.h>

#include "_cgo_export.h"

int inproc_open(const struct cordon_cell_options *options, struct cordon_cell **ret_cell,
                struct cordon_error *ret_error)
{
    int r = cordon_cell_open(options, ret_cell, ret_error);
    if (r == 0) {
        /* The one that has tried the library is this thread's, which is any of Go's. */
        (void)cordon_session_rest(cordon_session_current(*ret_cell));
    }
    return r;
}

void inproc_dispatch(struct cordon_lender *lender)
{
    struct pollfd more = {.fd = cordon_lender_fd(lender), .events = POLLIN};
    while (poll(&more, 1, 0) == 1) {
        (void)cordon_lender_dispatch(lender);
    }
}

void inproc_serve(struct cordon_place *place, uintptr_t handle)
{
    cordon_place_serve(place, cordonInprocRelay, (void *)handle);
}
