/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVATE_OPTIONS_H
#define PRIVATE_OPTIONS_H

/*
 * Options of a cell, as `cordon.open` has them: an object whose keys are the fields of struct
 * cordon_cell_options, and those of struct cordon_lend_options (docs/protocol/private.md).
 */

#include <jansson.h>

#include "base/message.h"
#include "cordon/cell.h"
#include "cordon/lease.h"

#define OPTIONS_GRANTS_MAX 256u

struct options {
    const char *name; /* what the cell is called */
    struct cordon_cell_options cell;
    struct cordon_lend_options lend;
    const char *grants[OPTIONS_GRANTS_MAX + 1];
};

/*
 * Read them. Texts are borrowed from @object; so is @ret_options by itself: it must not be moved.
 * Returns 0, -EINVAL with a sentence that names the key.
 */
int options_read(json_t *object, struct options *ret_options, struct message *why);

#endif
