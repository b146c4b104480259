/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/cell.h"

#include <errno.h>

#include "api/text.h"

int cordon_cell_open(const struct cordon_cell_options *options, struct cordon_cell **ret_cell,
                     struct cordon_error *ret_error)
{
    if (!options || !ret_cell) {
        return message_set(text_of(ret_error), -EINVAL, "options and ret_cell must not be NULL");
    }
    return cell_open(options, ret_cell, text_of(ret_error));
}

void cordon_cell_close(struct cordon_cell *cell)
{
    cell_close(cell);
}

uint32_t cordon_cell_isolation(const struct cordon_cell *cell)
{
    return cell->isolation;
}

const char *cordon_isolation_name(uint32_t bit)
{
    return isolation_name(bit);
}

void cordon_cell_stats(const struct cordon_cell *cell, struct cordon_cell_stats *ret_stats)
{
    cell_stats(cell, ret_stats);
}

int cordon_bind(struct cordon_cell *cell, const char *prototype, uint32_t require,
                struct cordon_function **ret_function, struct cordon_error *ret_error)
{
    if (!cell || !prototype || !*prototype || !ret_function) {
        return message_set(
            text_of(ret_error), -EINVAL,
            "cell, prototype and ret_function must not be NULL, nor the prototype empty");
    }
    return cell_bind(cell, prototype, require, ret_function, text_of(ret_error));
}

const void *cordon_function_plan(const struct cordon_function *function, size_t *ret_bytes)
{
    if (ret_bytes) {
        *ret_bytes = function->plan_bytes;
    }
    return function->plan;
}
